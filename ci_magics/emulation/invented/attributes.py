"""The unified customer profile: its attributes, and a generator for each.

Names and semantic types follow the sample data and documentation of Customer Insights: the e-mail attribute is spelled
``EMail`` there, and one source's key is beside ``CustomerId``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ci_magics.emulation.invented.drawing import Rows, chosen, drawn, hexadecimal, mixed
from ci_magics.emulation.invented.mail import addresses
from ci_magics.emulation.invented.names import CITIES, FEMALE, LAST, MALE, STREETS, in_addresses
from ci_magics.emulation.state import EMAIL_NAMES

ALTERNATE_KEY = "eCommerce_eCommerceContacts_ContactId"
_GIVEN = (in_addresses(MALE), in_addresses(FEMALE))
_FAMILY = in_addresses(LAST)
_BORN_FROM = np.datetime64("1941-01-01")
_BORN_DAYS = 24_500
_TODAY = np.datetime64("2026-11-01")  # ages refer to this day, so that the sample stays the same
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Attribute:
    """A column of the unified profile."""

    name: str
    data_type: str
    semantic_type: str | None
    invent: Callable[[Rows], pl.Series]


def customer_ids(rows: Rows) -> pl.Series:
    """Return 32 hexadecimal digits for each row; the first sixteen are the scrambled row number."""
    return hexadecimal(mixed(rows), drawn(rows, 1))


def first_names(rows: Rows) -> pl.Series:
    """Return given names that match the gender."""
    return _given(rows, MALE, FEMALE)


def last_names(rows: Rows) -> pl.Series:
    """Return family names."""
    return chosen(rows, 3, LAST)


def _is_male(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (drawn(rows, 4) % np.uint64(2)).astype(np.bool_)


def _given(rows: Rows, male: tuple[str, ...], female: tuple[str, ...]) -> pl.Series:
    number = drawn(rows, 2)
    own = np.where(_is_male(rows), number % np.uint64(len(male)), len(male) + number % np.uint64(len(female)))
    return pl.Series([*male, *female]).gather(own.astype(np.int64))


def _full_names(rows: Rows) -> pl.Series:
    return first_names(rows) + " " + last_names(rows)


def _genders(rows: Rows) -> pl.Series:
    known = pl.Series(["Female", "Male"]).gather(_is_male(rows).astype(np.int64))
    return known.set(pl.Series(drawn(rows, 5) % np.uint64(50) == np.uint64(0)), None)


def _birthdays(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return _BORN_FROM + (drawn(rows, 6) % np.uint64(_BORN_DAYS)).astype("timedelta64[D]")


def _birth_texts(rows: Rows) -> pl.Series:
    return pl.Series(_birthdays(rows)).cast(pl.String) + "T00:00:00Z"


def _ages(rows: Rows) -> pl.Series:
    days = (_TODAY - _birthdays(rows)).astype(np.int64)
    return pl.Series((days / _DAYS_A_YEAR).astype(np.int64))


def _emails(rows: Rows) -> pl.Series:
    return addresses(rows, lambda owner: _given(owner, *_GIVEN), lambda owner: chosen(owner, 3, _FAMILY))


def _telephones(rows: Rows) -> pl.Series:
    return "555-01" + pl.Series((drawn(rows, 8) % np.uint64(100)).astype(np.int64)).cast(pl.String).str.zfill(2)


def _post_codes(rows: Rows) -> pl.Series:
    return pl.Series((drawn(rows, 9) % np.uint64(90_000)).astype(np.int64) + 10_000).cast(pl.String)


def _street_addresses(rows: Rows) -> pl.Series:
    numbers = pl.Series((drawn(rows, 10) % np.uint64(200)).astype(np.int64) + 1).cast(pl.String)
    return numbers + " " + chosen(rows, 11, STREETS)


def _created(rows: Rows) -> pl.Series:
    days = (drawn(rows, 12) % np.uint64(2_000)).astype("timedelta64[D]")
    return pl.Series(_TODAY - days).cast(pl.String) + "T08:30:00Z"


def _reward_points(rows: Rows) -> pl.Series:
    # The minimum of two draws: many customers have few points, few have many.
    points = np.minimum(drawn(rows, 13) % np.uint64(2_000), drawn(rows, 14) % np.uint64(2_000))
    return pl.Series(points.astype(np.int64))


def _total_spend(rows: Rows) -> pl.Series:
    cents = np.minimum(drawn(rows, 15) % np.uint64(400_000), drawn(rows, 16) % np.uint64(400_000))
    return pl.Series(cents.astype(np.float64) / 100)


def _subscribers(rows: Rows) -> pl.Series:
    return pl.Series(drawn(rows, 17) % np.uint64(10) < np.uint64(7))


def _previous_ids(rows: Rows) -> pl.Series:
    """Return the ids of merged customers: for one customer in a hundred, two ids joined by a semicolon."""
    former = [hexadecimal(drawn(rows, first), drawn(rows, first + 1)) for first in (21, 23)]
    return (former[0] + ";" + former[1]).set(pl.Series(drawn(rows, 25) % np.uint64(100) != np.uint64(0)), None)


def _contact_ids(rows: Rows) -> pl.Series:
    return "CNTID_" + pl.Series(rows.astype(np.int64) + 1_001).cast(pl.String)


ATTRIBUTES: dict[str, Attribute] = {
    each.name: each
    for each in (
        Attribute("CustomerId", "Edm.String", None, customer_ids),
        Attribute("FirstName", "Edm.String", "PersonFirstName", first_names),
        Attribute("LastName", "Edm.String", "PersonLastName", last_names),
        Attribute("FullName", "Edm.String", "PersonFullName", _full_names),
        Attribute("DateOfBirth", "Edm.DateTimeOffset", "PersonBirthDate", _birth_texts),
        Attribute("Age", "Edm.Int64", None, _ages),
        Attribute("Gender", "Edm.String", "PersonGender", _genders),
        Attribute("EMail", "Edm.String", "IdentityServiceEmail", _emails),
        Attribute("Telephone", "Edm.String", "IdentityServicePhone", _telephones),
        Attribute("PostCode", "Edm.String", "LocationPostalCode", _post_codes),
        Attribute("StreetAddress", "Edm.String", "LocationAddressStreet", _street_addresses),
        Attribute("City", "Edm.String", "LocationCity", lambda rows: chosen(rows, 18, CITIES)),
        Attribute("CreatedOn", "Edm.DateTimeOffset", None, _created),
        Attribute("RewardPoints", "Edm.Int64", None, _reward_points),
        Attribute("TotalSpend", "Edm.Double", None, _total_spend),
        Attribute("EmailSubscriber", "Edm.Boolean", None, _subscribers),
        Attribute("PreviousCustomerId", "Edm.String", None, _previous_ids),
        Attribute(ALTERNATE_KEY, "Edm.String", None, _contact_ids),
    )
}
EMAIL = "EMail"
#: Possible names of the e-mail attribute; the setting ``email_attributes`` selects among them.
ALL_ATTRIBUTES = ATTRIBUTES | {name: replace(ATTRIBUTES[EMAIL], name=name) for name in EMAIL_NAMES}


def attributes_of(emails: Iterable[str]) -> dict[str, Attribute]:
    """Return the attributes of a profile whose e-mail attributes have these names."""
    names = list(ATTRIBUTES)
    place = names.index(EMAIL)
    return {name: ALL_ATTRIBUTES[name] for name in [*names[:place], *emails, *names[place + 1 :]]}
