"""Segments of 5,000 contacts in the shape of Microsoft's public sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from contacts import contacts

import ci_magics as ci
from ci_magics.segmentation.segment import Segment

pytestmark = pytest.mark.usefixtures("workspace")
SQL = "SELECT * FROM contacts WHERE Country = 'NL' AND Income > 60000"
RULE = "Country equals NL and Income > 60000"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return contacts(5_000)


def quiet(name: str, frame: Any, **options: Any) -> Segment:
    return ci.segment(name, frame, show=lambda _sentence: None, **options)


def keys(segment: Segment) -> list[str]:
    batches = ci.open_workspace().store.snapshots.batches(segment.id, ["key"])
    return sorted(key for batch in batches for key in batch.column(0).to_pylist())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_segment_made_in_five_ways_is_the_same(table: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"contacts.{suffix}"
    table.write_csv(file) if suffix == "csv" else table.write_parquet(file)
    dutch, rich = quiet("Dutch", table, rule="Country equals NL"), quiet("Rich", table, where="Income > 60000")
    ways = [
        quiet("where", table, where="Country = 'NL' AND Income > 60000"),
        quiet("query", SQL, frames={"contacts": table}),
        quiet("rule", table, rule=RULE),
        quiet("algebra", dutch & rich),
        quiet("file", str(file), rule=RULE),
    ]
    expected = table.filter(pl.col("Country") == "NL", pl.col("Income") > 60_000)["CustomerId"].sort().to_list()
    assert len(expected) > 100
    assert all(keys(each) == expected for each in ways)
    assert {(each.key, each.email) for each in ways} == {("CustomerId", "EMail")}


def test_every_column_with_common_values_has_quick_segments(table: pl.DataFrame) -> None:
    assert len(ci.quick_segments(table, "Occupation")) == 10
    assert sum(each.profiles for each in ci.quick_segments(table, "Income").lines) == 5_000
    refused = []
    for column in table.columns:
        try:
            ci.quick_segments(table, column)
        except ci.CiError:
            refused.append(column)
    assert refused == ["EMail"]


def test_defining_attribute_is_the_strongest_differentiator(table: pl.DataFrame) -> None:
    quiet("Dutch", table, rule="Country equals NL")
    quiet("Americans", table, rule="Country equals US")
    lines = ci.differentiators("Dutch", "Americans", table).lines
    assert {each.column for each in lines if abs(each.difference) == 1.0} == {"City", "State", "Country"}
    assert ci.overlap("Dutch", "Americans").shared == 0
