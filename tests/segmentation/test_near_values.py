"""A condition that matches few profiles is stopped, and existing values near the requested ones are suggested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import ci_magics as ci
from ci_magics.errors import SegmentError

pytestmark = pytest.mark.usefixtures("workspace")

COUNTRIES = ["Germany", "France", "Österreich", "DE"]
PEOPLE = pd.DataFrame(
    {
        "CustomerId": [f"c{number}" for number in range(40)],
        "EMail": [f"p{number}@contoso.com" for number in range(40)],
        "Country": COUNTRIES * 10,
        "Spend": [float(number) for number in range(40)],
        "Since": pd.date_range("2024-01-01", periods=40),
        "Nickname": [f"nick{number}" for number in range(40)],
        "Contact": ["sales@contoso.com"] * 40,
    }
)


def quietly(_sentence: str) -> None:
    """Show nothing."""


@pytest.fixture(autouse=True)
def _made(workspace: Any) -> None:
    del workspace
    ci.segment("All", PEOPLE, show=quietly)


CONDITIONS = [
    ("Country = 'Germny'", "did you mean 'Germany'?"),
    ("country = 'germany'", "did you mean 'Germany'?"),
    ("Country = 'DE '", "did you mean 'DE'?"),
    ("Country IN ('Frnace', 'Itly')", "did you mean 'France'?"),
    ("Country = 'osterreich'", "did you mean 'Österreich'?"),
    ("'Germny' = Country", "did you mean 'Germany'?"),
    ("lower(Country) = 'grmany'", "did you mean 'Germany'?"),
    ("Country LIKE 'Germny'", "did you mean 'Germany'?"),
    ("Country = 'Atlantis'", "its values are 'DE', 'France', 'Germany', 'Österreich'."),
    ("Spend > 5000", "Spend runs from 0 to 39."),
    ("Spend BETWEEN -10 AND -5", "Spend runs from 0 to 39."),
    ("Since > DATE '2030-01-01'", "Since runs from 2024-01-01 to 2024-02-09."),
]


@pytest.mark.parametrize(("where", "hint"), CONDITIONS, ids=[each for each, _hint in CONDITIONS])
def test_condition_that_matches_nobody_is_stopped_with_a_suggestion(where: str, hint: str) -> None:
    with pytest.raises(SegmentError) as stopped:
        ci.segment("All", PEOPLE, where=where, show=quietly)
    assert stopped.value.code == "segment_empty"
    assert hint in stopped.value.sentence
    assert "run the same again with allow_empty=True." in stopped.value.next_step
    assert ci.open_workspace().store.segments["All"].rows == 40


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("Country is any of Germny, Frnace", "did you mean 'Germany'?"),
        ("Country equals 'germany'", "did you mean 'Germany'?"),
        ("Spend > 5000 and Country = Germny", "did you mean 'Germany'?"),
    ],
)
def test_rule_that_matches_nobody_is_stopped_too(rule: str, hint: str) -> None:
    with pytest.raises(SegmentError) as stopped:
        ci.segment("All", PEOPLE, rule=rule, show=quietly)
    assert stopped.value.code == "segment_empty"
    assert hint in stopped.value.sentence


@pytest.mark.parametrize("as_frame", [pl.from_pandas, lambda frame: pl.from_pandas(frame).lazy()])
def test_every_kind_of_frame_gives_hints(as_frame: Callable[[Any], Any]) -> None:
    with pytest.raises(SegmentError, match="did you mean 'Germany'"):
        ci.segment("All", as_frame(PEOPLE), where="Country = 'Germny'", show=quietly)


def test_a_query_over_one_frame_and_a_file_give_hints(tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match="did you mean 'Germany'"):
        ci.segment("All", "SELECT * FROM p WHERE p.Country = 'Germny'", frames={"p": PEOPLE}, show=quietly)
    path = tmp_path / "people.csv"
    PEOPLE.to_csv(path, index=False)
    with pytest.raises(SegmentError, match="did you mean 'Germany'"):
        ci.segment("All", str(path), where="Country = 'Germny'", show=quietly)


def test_condition_that_matches_less_than_half_is_stopped() -> None:
    with pytest.raises(SegmentError) as stopped:
        ci.segment("All", PEOPLE, where="Spend < 19", show=quietly)
    assert stopped.value.code == "segment_shrinks"
    assert "Only 19 of 40 profiles would be left" in stopped.value.sentence
    assert ci.segment("All", PEOPLE, where="Spend < 20", show=quietly).rows == 20
    assert ci.segment("All", PEOPLE, where="Spend < 2", allow_shrink=True, show=quietly).rows == 2
    with pytest.raises(SegmentError):
        ci.segment("All", PEOPLE, where="Spend < 0", allow_shrink=True, show=quietly)
    assert ci.segment("All", PEOPLE, where="Spend < 0", allow_empty=True, show=quietly).rows == 0


def test_new_segment_that_is_empty_gets_a_suggestion() -> None:
    said: list[str] = []
    assert ci.segment("Germans", PEOPLE, where="Country = 'Germny'", show=said.append).rows == 0
    assert any("No profile has Country 'Germny': did you mean 'Germany'?" in each for each in said)


@pytest.mark.parametrize(
    "where",
    [
        "Nickname = 'nick99'",
        "CustomerId = 'c99'",
        "Contact = 'sales@contosos.com'",
        "EMail = 'p1@contosos.com'",
        "NOT Country = 'Germny' AND Spend < 0 AND Country = 'Germany'",
    ],
)
def test_value_that_identifies_a_person_is_never_suggested(where: str) -> None:
    with pytest.raises(SegmentError) as stopped:
        ci.segment("All", PEOPLE, where=where, show=quietly)
    assert "did you mean" not in stopped.value.sentence
    assert "its values are" not in stopped.value.sentence
    assert "@" not in str(stopped.value)


def test_value_matched_by_a_function_is_not_called_missing() -> None:
    with pytest.raises(SegmentError) as stopped:
        ci.segment("All", PEOPLE, where="lower(Country) = 'germany' AND Spend > 5000", show=quietly)
    assert "No profile has Country" not in stopped.value.sentence
    assert "Spend runs from 0 to 39." in stopped.value.sentence


def test_refresh_that_would_empty_a_segment_keeps_and_reports_it(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    PEOPLE.to_csv(path, index=False)
    ci.segment("File", str(path), where="Country = 'Germany'", show=quietly)
    PEOPLE.assign(Country="Deutschland").to_csv(path, index=False)
    report = ci.refresh(show=quietly)
    (line,) = [each for each in report.segments if each["segment"] == "File"]
    assert (line["status"], line["profiles"], line["stale"]) == ("Failed", 10, True)
    assert "No profiles would be left" in line["reason"]
    assert 'ci.segments.refresh("File", allow_empty=True)' in line["reason"]
    assert ci.segments.refresh("File", allow_empty=True, show=quietly).rows == 0
