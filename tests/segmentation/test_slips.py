"""Conditions that are nearly SQL are refused, and the correct condition is shown."""
# ruff: noqa: RUF001 - typographic quotes, dashes and signs are what these conditions are about

from __future__ import annotations

import pyarrow as pa
import pytest

from ci_magics.advice import Opt
from ci_magics.errors import SegmentError
from ci_magics.segmentation.condition import Condition
from ci_magics.segmentation.sources.slips import find_slip

SCHEMA = pa.schema([("Country", pa.string()), ("Spend", pa.float64()), ("Opt", pa.bool_())])
SLIPS = {
    "Country = ‘NL’": "Country = 'NL'",
    "Country = “NL”": "Country = 'NL'",
    "Country = «NL» and Spend > 5": "Country = 'NL' and Spend > 5",
    "Spend > –5": "Spend > -5",
    "Spend ≥ 5": "Spend >= 5",
    "Spend≤5": "Spend <= 5",
    "Spend ≠ 5": "Spend <> 5",
    "Country is 'NL'": "Country = 'NL'",
    "Country is not 'NL' and Opt is not null": "Country <> 'NL' and Opt is not null",
    "Country equals 'NL'": "Country = 'NL'",
    "Country does not equal 'NL'": "Country <> 'NL'",
    "Spend > 5 && Country = 'NL'": "Spend > 5 and Country = 'NL'",
    "Country = 'NL' || Country = 'BE'": "Country = 'NL' or Country = 'BE'",
    "Spend =< 5": "Spend <= 5",
    "Spend => 5": "Spend >= 5",
    "Country contains 'L'": "Country like '%L%'",
    "Country starts with 'N'": "Country like 'N%'",
    "Country in 'NL', 'BE'": "Country in ('NL', 'BE')",
    "Spend between 1, 5": "Spend between 1 and 5",
    "Spend > 1,000": "Spend > 1000",
    "Country = NL": "Country = 'NL'",
    "Country = 'NL": "Country = 'NL'",
    "WHERE Spend > 5": "Spend > 5",
    "if Spend > 5": "Spend > 5",
    "Spend > 5;": "Spend > 5",
}


def refusal(condition: str) -> SegmentError:
    with pytest.raises(SegmentError) as caught:
        Condition(condition).check(SCHEMA, SCHEMA.names)
    return caught.value


@pytest.mark.parametrize(("written", "mended"), SLIPS.items())
def test_corrected_condition_is_shown(written: str, mended: str) -> None:
    assert f"{Opt('where', mended)}." in refusal(written).next_step
    Condition(mended).check(SCHEMA, SCHEMA.names)


@pytest.mark.parametrize(
    "condition",
    [
        "Spend > 500 EUR",
        "Country = 'is ''NL'' && WHERE x =< 1,000 – “so”' EUR",
        "Spend > ((5)",
        "lenght(Country) > 5",
    ],
)
def test_unknown_mistake_gets_no_correction(condition: str) -> None:
    assert find_slip(condition, SCHEMA.names) is None
    assert "Write it in SQL" in refusal(condition).next_step


def test_misspelled_column_is_suggested_first() -> None:
    assert "Did you mean 'Country'?" in refusal("Contry = 'NL'").sentence
    assert "Did you mean 'Country'?" in refusal("Country <> Contry").sentence


def test_valid_sql_is_never_corrected() -> None:
    for condition in (
        "Country == 'NL'",
        "Spend != 5",
        "Country in ('=>', '&&')",
        "Country = '“NL”'",
        "Opt is not true",
    ):
        Condition(condition).check(SCHEMA, SCHEMA.names)


def test_address_in_a_condition_is_not_repeated() -> None:
    assert "jo@contoso.com" not in str(refusal("Country is 'jo@contoso.com'"))
