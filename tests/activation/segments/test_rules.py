"""Segments from rules, and rules that use earlier segments."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError, NotFoundError
from ci_magics.workspace.store import Workspace

PEOPLE = pd.DataFrame(
    {
        "CustomerId": ["a", "b", "c", "d"],
        "EMail": ["Jan@contoso.com", "eva@contoso.com", "bo@contoso.com", None],
        "TotalSpend": [1, 600, 700, None],
        "Country": ["NL", "BE", "DE", None],
        "OptOut": [False, True, False, None],
    }
)


def keys(workspace: Workspace, name: str) -> list[Any]:
    return list(workspace.snapshots.read(workspace.segments[name].id)["key"].to_pylist())


def test_rule_creates_a_segment(workspace: Workspace) -> None:
    made = ci.segment("Benelux", PEOPLE, rule="Country is any of NL, BE")
    assert (made.rows, made.key, made.where, made.rule) == (2, "CustomerId", None, "Country is any of NL, BE")
    assert "where Country is any of NL, BE" in repr(made)
    assert "Country is any of NL, BE" in made._repr_html_()
    assert keys(workspace, "Benelux") == ["a", "b"]
    assert workspace.segments["Benelux"].definition["rule"] == "Country is any of NL, BE"


def test_rule_can_be_a_tree_and_another_spelling_changes_nothing(workspace: Workspace) -> None:
    said: list[str] = []
    first = ci.segment("Rich", PEOPLE, rule=ci.Rule.parse("TotalSpend > 500"))
    again = ci.segment("Rich", PEOPLE, rule="TotalSpend is greater than 500", show=said.append)
    assert (again.id, said) == (first.id, [])
    ci.segment("Rich", PEOPLE, rule="TotalSpend > 650", show=said.append)
    assert said == ["The segment 'Rich' was replaced: 2 profiles before, 1 now."]
    assert keys(workspace, "Rich") == ["c"]


def test_consent_column_in_a_rule_is_used(workspace: Workspace) -> None:
    assert workspace is not None
    assert ci.segment("A", PEOPLE, rule="TotalSpend > 500").consent.columns == ("OptOut",)
    assert ci.segment("B", PEOPLE, rule="not OptOut = true").consent.columns == ("OptOut",)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("'Rich'", ["b", "c"]),
        ("'Rich' and not 'Opted out'", ["c"]),
        ('"Rich" except "Opted out"', ["c"]),
        ("'Rich' intersect 'Opted out'", ["b"]),
        ("'Opted out' union Country = NL", ["a", "b"]),
        ("'Rich' and (Country = DE or 'Opted out')", ["b", "c"]),
    ],
)
def test_earlier_segments_are_used_by_name(workspace: Workspace, rule: str, kept: list[str]) -> None:
    ci.segment("Rich", PEOPLE, rule="TotalSpend > 500")
    ci.segment("Opted out", PEOPLE, where="OptOut")
    ci.segment("S", PEOPLE.sample(frac=1, random_state=1), rule=rule)
    assert sorted(keys(workspace, "S")) == kept


@pytest.mark.parametrize("key", ["EMail", "Number"])
def test_key_of_any_type_is_found_in_an_earlier_segment(workspace: Workspace, key: str) -> None:
    people = PEOPLE.dropna(subset="EMail").assign(Number=[7, 8, 9])
    ci.segment("Rich", people, key=key, rule="TotalSpend > 500")
    again = ci.segment("S", people, key=key, rule="'Rich' and EMail ends with contoso.com and not Country = DE")
    assert again.rows == 1
    assert keys(workspace, "S") == keys(workspace, "Rich")[:1]


def test_within_the_last_days_ends_today(workspace: Workspace) -> None:
    today = dt.datetime.now(dt.UTC).astimezone().date()
    ages = [0, 5, 6, -30]
    people = PEOPLE.assign(LastPurchase=pa.array([today - dt.timedelta(days=age) for age in ages]).to_pandas())
    ci.segment("Recent", people, rule="LastPurchase within the last 5 days")
    assert keys(workspace, "Recent") == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"rule": "'Rch'"}, NotFoundError, "There is no segment 'Rch'. Did you mean 'Rich'?"),
        ({"rule": "'Numbered'"}, CiError, "The segment 'Numbered' has no key"),
        (
            {"rule": "'Rich'", "key": "EMail"},
            CiError,
            "The key of the segment 'Rich' is CustomerId, and here",
        ),
        ({"rule": "'Rich'", "key": "Id"}, CiError, "There is no column 'Id'"),
        ({"rule": "Contry = NL"}, CiError, "There is no column 'Contry'. Did you mean 'Country'?"),
        ({"rule": "Country = NL", "where": "true"}, ArgumentError, "with either a rule or a condition in SQL"),
        ({"rule": "Country ="}, CiError, "The rule cannot be read at position 10"),
    ],
)
def test_invalid_use_of_a_segment_is_refused(
    workspace: Workspace, options: dict[str, Any], kind: type[CiError], sentence: str
) -> None:
    ci.segment("Rich", PEOPLE, rule="TotalSpend > 500")
    ci.segment("Numbered", PEOPLE.drop(columns="CustomerId"))
    with pytest.raises(kind) as refused:
        ci.segment("S", PEOPLE, **options)
    assert sentence in refused.value.sentence
    assert refused.value.next_step
    assert workspace.segments.get("S") is None


def test_segment_in_a_rule_needs_a_key_in_the_frame(workspace: Workspace) -> None:
    assert workspace is not None
    ci.segment("Rich", PEOPLE, rule="TotalSpend > 500")
    with pytest.raises(CiError, match="the frame has no key to compare"):
        ci.segment("S", PEOPLE.drop(columns="CustomerId"), rule="'Rich'")


def test_query_cannot_have_a_rule(workspace: Workspace) -> None:
    assert workspace is not None
    with pytest.raises(ArgumentError, match="A rule is about a frame or files, and this is a query"):
        ci.segment("S", "SELECT * FROM people", frames={"people": PEOPLE}, rule="Country = NL")


@pytest.mark.parametrize("more", [{"rule": "Country = NL"}, {"where": "Country = 'NL'"}])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-- everybody\nSELECT * FROM people", "Write the condition into the query."),
        ("people", "'people' is neither a query nor the name of a file that ci-magics reads."),
        ("people.docx", "'people.docx' is neither a query nor"),
        ("x" * 100, "The text is neither a query nor"),
    ],
)
def test_text_with_a_condition_is_identified(workspace: Workspace, text: str, says: str, more: dict[str, str]) -> None:
    with pytest.raises(ArgumentError) as refused:
        ci.segment("S", text, frames={"people": PEOPLE}, **more)  # type: ignore[arg-type]
    assert says in str(refused.value)
    assert workspace.segments.names() == []
