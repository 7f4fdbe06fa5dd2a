from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.workspace.store import Workspace

PEOPLE = pd.DataFrame(
    {
        "Id": ["a", "b", "c", "d", "e"],
        "EMail": [f"p{number}@contoso.com" for number in range(5)],
        "TotalSpend": [1.0, 600.0, None, 900.0, float("nan")],
        "Country": ["NL", "nl", "DE", "it's", None],
        "MarketingConsent": [True, False, True, None, True],
        "Joined": pd.to_datetime(["2020-01-31", "2024-02-29", None, "2024-12-01", "1999-07-04"]),
    }
)


@pytest.fixture(scope="module")
def people(spark: Any) -> Any:
    return spark.createDataFrame(PEOPLE)


@pytest.mark.parametrize(
    "rule",
    [
        "TotalSpend > 500",
        "not TotalSpend > 500",
        "TotalSpend is null or Country is any of NL, DE ignoring case",
        "MarketingConsent equals true and Country starts with N",
        "Joined month of February, December",
        "Joined < 2024-06-01",
        "Joined within the last 30000 days",
        "(TotalSpend > 0) union (Country equals DE) except (Country equals NL)",
        'Country equals "it\'s"',
    ],
)
def test_rule_selects_the_same_rows_as_on_pandas(people: Any, workspace: Workspace, rule: str) -> None:
    on_spark = ci.segment("Spark", people, rule=rule)
    here = ci.segment("pandas", PEOPLE, rule=rule)
    keys = [workspace.snapshots.read(each.id)["key"].to_pylist() for each in (on_spark, here)]
    assert sorted(keys[0]) == keys[1] != []
    assert on_spark.rows == here.rows == len(keys[1])
    assert (on_spark.rule, on_spark.consent) == (here.rule, here.consent)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("TotlSpend > 5", "Did you mean 'TotalSpend'"),
        ("TotalSpend > abc", "TotalSpend is a number"),
        ("TotalSpend > 5 and TotalSpend < 3", "can never be true"),
    ],
)
def test_mistake_in_a_rule_is_reported_before_spark_reads(people: Any, rule: str, words: str) -> None:
    with pytest.raises(SegmentError, match=words):
        ci.segment("S", people, rule=rule)


def test_earlier_segments_are_combined_after_the_spark_segment(people: Any, workspace: Workspace) -> None:
    ci.segment("Big", PEOPLE, rule="TotalSpend > 500")
    with pytest.raises(SegmentError, match="A rule on a Spark frame cannot use the segment 'Big'") as refused:
        ci.segment("S", people, rule="Country equals nl and 'Big'")
    assert "'Mine' and 'Big'" in refused.value.next_step
    ci.segment("Mine", people, rule="Country equals nl")
    joined = ci.segment("S", rule="'Mine' and 'Big'")
    assert workspace.snapshots.read(joined.id)["key"].to_pylist() == ["b"]


def test_rule_and_condition_cannot_be_combined(people: Any) -> None:
    with pytest.raises(ArgumentError, match="not with both"):
        ci.segment("S", people, rule="TotalSpend > 5", where="TotalSpend > 5")


def test_today_is_the_same_on_every_executor(people: Any) -> None:
    recent = PEOPLE.assign(Joined=pd.Timestamp(dt.date.today()))  # noqa: DTZ011 - the calendar of this machine
    assert ci.segment("S", people.sparkSession.createDataFrame(recent), rule="Joined within the last 1 days").rows == 5
