"""Which columns of the unified profile are asked for: the key, the address, and consents."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.microsoft.dataverse import PREFIX
from ci_magics.microsoft.insights_values import CUSTOMER_ID, Entity
from ci_magics.quoting import magic_word
from ci_magics.segmentation.columns import find_email_column, list_columns, require_column
from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.segment import FOUND, fitting
from ci_magics.segmentation.sources.records import record_schema


@dataclass(frozen=True)
class InsightsColumns:
    """The columns of profiles that a segment needs.

    Parameters
    ----------
    email
        The attribute with the address.
    consents
        What reads who agreed from some attributes; None where there are none.
    all
        Every attribute of the unified profile, in the order of its files.
    schema
        The key, the address, the consents.
    """

    email: str
    consents: ConsentReading | None
    all: tuple[str, ...]
    schema: pa.Schema

    @property
    def names(self) -> list[str]:
        """How Customer Insights calls them."""
        return list(self.schema.names)

    @property
    def dataverse_names(self) -> list[str]:
        """How Dataverse calls them."""
        return [f"{PREFIX}{name.lower()}" for name in self.names]


def choose_columns(entity: Entity, email: str | None, consent: ConsentChoice = FOUND) -> InsightsColumns:
    """Choose the columns by what they mean.

    Parameters
    ----------
    entity
        The unified profile.
    email
        The attribute with the address; otherwise the one that Customer Insights knows as an e-mail address, else the
        one that is named like one.

    Raises
    ------
    SegmentError
        There is no such attribute, or several fit.
    """
    names = [each.name for each in entity.attributes]
    if CUSTOMER_ID not in names:
        raise SegmentError(
            "The unified profile has no CustomerId.",
            "Is the unification complete? Ask the administrator.",
            code="no_key",
        )
    address = require_column(names, email) if email is not None else _by_meaning(entity, names)
    # A plain `Status` counts elsewhere if all of its values are words of subscriptions. Here the values are not known
    # before the columns are chosen: reading them takes every page of the members once more, at 100 calls a minute, and
    # the profile of an attribute names only the ten most frequent values of the first 100,000 rows.
    consents = fitting(consent, names).reading(names, (address, CUSTOMER_ID))
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
            f"Name the right one: --email {magic_word(found[0])}.",
            code="several_email_columns",
        )
    return find_email_column(names, None)
