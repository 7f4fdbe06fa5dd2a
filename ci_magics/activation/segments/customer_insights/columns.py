"""Choose the columns to read from the unified profile: key, address, and consents."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ci_magics.advice import Opt, advise
from ci_magics.errors import SegmentError
from ci_magics.microsoft.dataverse import PREFIX
from ci_magics.microsoft.insights_values import CUSTOMER_ID, Entity
from ci_magics.segmentation.columns import find_email_column, list_columns, require_column
from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.segment import FOUND, fit_choice
from ci_magics.segmentation.sources.records import record_schema


@dataclass(frozen=True)
class InsightsColumns:
    """The profile columns that a segment needs.

    Parameters
    ----------
    email
        Attribute with the address.
    consents
        How to read consent from some attributes; None if there are none.
    all
        All attributes of the unified profile, in the order of its files.
    schema
        Schema of the key, the address, and the consents.
    """

    email: str
    consents: ConsentReading | None
    all: tuple[str, ...]
    schema: pa.Schema

    @property
    def names(self) -> list[str]:
        """Their names in Customer Insights."""
        return list(self.schema.names)

    @property
    def dataverse_names(self) -> list[str]:
        """Their names in Dataverse."""
        return [f"{PREFIX}{name.lower()}" for name in self.names]


def choose_columns(entity: Entity, email: str | None, consent: ConsentChoice = FOUND) -> InsightsColumns:
    """Choose the columns of the unified profile by their meaning.

    Parameters
    ----------
    entity
        The unified profile.
    email
        Attribute with the address. None uses the attribute that Customer Insights marks as an e-mail address, otherwise
        one with such a name.
    consent
        Choice of the attributes that say who agreed. By default they are detected by name.

    Raises
    ------
    SegmentError
        The attribute does not exist, or several match.
    """
    names = [each.name for each in entity.attributes]
    if CUSTOMER_ID not in names:
        raise SegmentError(
            "The unified profile has no CustomerId.",
            "Is the unification complete? Ask the administrator.",
            code="no_key",
        )
    address = require_column(names, email) if email is not None else _by_meaning(entity, names)
    # For other sources, a column `Status` is used if all its values are about subscriptions. Here the values are
    # unknown before the columns are chosen: reading them takes a second pass over all pages, at 100 calls a minute,
    # and the profile of an attribute names only the ten most frequent values of the first 100,000 rows.
    consents = fit_choice(consent, names).reading(names, (address, CUSTOMER_ID))
    others = [each for each in consents.needed if each not in (address, CUSTOMER_ID)] if consents else []
    schema = record_schema(dict.fromkeys([CUSTOMER_ID, address, *others], False))
    return InsightsColumns(address, consents, tuple(names), schema)


def _by_meaning(entity: Entity, names: list[str]) -> str:
    found = [each.name for each in entity.attributes if each.is_email]
    if len(found) == 1:
        return found[0]
    if found:
        raise SegmentError(
            f"Several attributes hold an e-mail address: {list_columns(found)}.",
            advise("Name the right one: ", Opt("email", found[0]), "."),
            code="several_email_columns",
        )
    return find_email_column(names, None)
