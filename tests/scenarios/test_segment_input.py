"""Bad input of segments: too many columns, circular definitions, files that disappear, keys that repeat."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from contoso import people

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources import text_source
from ci_magics.segmentation.sources.queries import query, read_columns

pytestmark = pytest.mark.usefixtures("workspace")

PEOPLE = pd.DataFrame({"Id": ["a", "b", "c"], "EMail": [f"{name}@contoso.com" for name in "abc"], "n": [1, 2, 3]})
#: The limit in seconds. Each use takes far less than one; a quadratic search for repeated names would take more.
QUICK = 3.0


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    values = pd.DataFrame(np.zeros((3, 10_000)), columns=[f"column_{number}" for number in range(10_000)])
    return pd.concat([PEOPLE, values], axis=1)


USES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "frame": lambda frame: ci.segment("S", frame).rows,
    "rule": lambda frame: ci.segment("S", frame, rule="column_9999 = 0").rows,
    "differentiators": lambda frame: (
        len(
            ci.differentiators(ci.segment("S", frame), ci.segment("T", frame.head(2), show=print), frame, columns=["n"])
            .lines[0]
            .column
        )
        + 2
    ),
    "quick segments": lambda frame: ci.quick_segments(frame, "column_9999").profiles,
    "counts": lambda frame: ci.inspect_rules(frame, "column_9999 = 0").total,
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_ten_thousand_columns_are_fast(wide: pd.DataFrame, use: str) -> None:
    ci.segment("Warm", PEOPLE)
    began = time.process_time()
    assert USES[use](wide) == 3
    assert time.process_time() - began < QUICK


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"rule": "colum_17 = 0"}, {"where": "colum_17 = 0"}, {"email": "colum_17"}, {"key": "colum_17"}],
)
def test_long_list_of_columns_is_shortened(wide: pd.DataFrame, options: dict[str, str]) -> None:
    with pytest.raises(SegmentError, match=r"no column 'colum_17'\. Did you mean 'column_17'\?") as refused:
        ci.segment("S", wide, **options)  # type: ignore[arg-type]
    assert refused.value.next_step.endswith("column_26 and 9973 more.")
    assert len(str(refused.value)) < 500


CIRCLES: dict[str, dict[str, Any]] = {
    "rule": {"rule": "'A' and n > 1"},
    "rule without frame": {"frame": None, "rule": "'A' or 'B'"},
    "query": {"frame": "SELECT people.* FROM people SEMI JOIN A USING (Id)", "frames": {"people": PEOPLE}},
    "through a rule": {"rule": "'B' and n > 1"},
    "through a query": {"frame": None, "rule": "'C'"},
    "through two": {"frame": None, "rule": "'D'"},
}


@pytest.mark.parametrize("circle", CIRCLES)
def test_circular_segment_is_refused(circle: str) -> None:
    before = ci.segment("A", PEOPLE)
    ci.segment("B", PEOPLE, rule="'A'")
    ci.segment("C", "SELECT people.* FROM people SEMI JOIN A USING (Id)", frames={"people": PEOPLE})
    ci.segment("D", rule="'B' and 'C'")
    with pytest.raises(SegmentError, match="The segment 'A' would depend on itself") as refused:
        ci.segment("A", **{"frame": PEOPLE} | CIRCLES[circle])
    assert ("through" in circle) == ("through" in refused.value.sentence)
    assert ci.open_workspace().store.segments["A"].id == before.id


def test_segments_can_use_each_other_in_one_direction() -> None:
    a, b = ci.segment("A", PEOPLE), ci.segment("B", PEOPLE, where="n > 1")
    ci.segment("C", a & b)
    assert ci.segment("D", rule="'C' or 'A'").rows == 3
    assert ci.segment("D", rule="'C' and 'B'", show=lambda _sentence: None).rows == 2


def test_frame_with_the_name_of_the_segment_is_not_a_circle() -> None:
    for _again in range(2):
        assert ci.segment("people", "SELECT * FROM people WHERE n > 1", frames={"people": PEOPLE}).rows == 2


def many(folder: Path) -> None:
    frame = pl.DataFrame({"Id": range(30_000), "EMail": ["jan@contoso.com"] * 30_000})
    frame.write_csv(folder / "people.csv")
    frame.write_parquet(folder / "people.parquet")


OPENED: dict[str, Callable[[Path], Any]] = {
    "csv": lambda folder: read_columns(str(folder / "people.csv"), ["EMail"], None),
    "csv with a condition": lambda folder: read_columns(str(folder / "people.csv"), ["EMail"], "Id < 29000"),
    "parquet": lambda folder: read_columns(str(folder / "people.parquet"), ["EMail"], None),
    "pattern": lambda folder: read_columns(str(folder / "p*.parquet"), ["EMail"], "Id > 3"),
    "query": lambda folder: query(f"SELECT * FROM '{folder}/people.parquet' WHERE Id > 3", {}, {}),
    "lazy": lambda folder: read_columns(pl.scan_parquet(folder / "people.parquet"), ["EMail"], None),
    "dataset": lambda folder: read_columns(ds.dataset(folder / "people.parquet"), ["EMail"], None),
}


@pytest.mark.parametrize("kind", OPENED)
def test_file_that_disappears_is_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_source, "SMALL", 0)  # small files are read into memory
    many(tmp_path)
    rows = OPENED[kind](tmp_path)
    for path in tmp_path.glob("people.*"):
        path.unlink()
    with pytest.raises(SegmentError, match=r"[Ff]ile .* is no longer there\.") as refused:
        list(rows.read(["EMail"]))
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("kind", ["csv", "parquet", "query", "dataset"])
def test_file_that_changes_is_refused_without_quoting_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_source, "SMALL", 0)
    many(tmp_path)
    rows = OPENED[kind](tmp_path)
    for path in tmp_path.glob("people.*"):
        path.write_text('Id,EMail\n"jan@contoso.com')
    with pytest.raises(SegmentError) as refused:
        list(rows.read(["EMail"]))
    assert "jan" not in str(refused.value)


def test_late_invalid_line_is_not_quoted(tmp_path: Path) -> None:
    many(tmp_path)
    with (tmp_path / "people.csv").open("a") as file:
        file.write("eva@contoso.com,jan@contoso.com,one too many\n")
    for options in ({}, {"where": "Id > 3"}, {"rule": "Id > 3"}):
        with pytest.raises(SegmentError, match=r"Row 30,001 of people\.csv \(line 30,002\) has 3 cells") as refused:
            ci.segment("S", str(tmp_path / "people.csv"), **options)
        assert "@" not in str(refused.value)
        assert ci.open_workspace().store.segments.names() == []


def test_value_that_a_condition_cannot_compare_is_reported(tmp_path: Path) -> None:
    many(tmp_path)
    with pytest.raises(SegmentError, match="The condition cannot be used: a value does not fit its type"):
        ci.segment("S", str(tmp_path / "people.parquet"), where="EMail::INTEGER > 3")


def test_relation_of_a_missing_file_is_reported(tmp_path: Path) -> None:
    many(tmp_path)
    relation = duckdb.sql(f"FROM '{tmp_path}/people.parquet'")
    (tmp_path / "people.parquet").unlink()
    with pytest.raises(SegmentError, match="cannot be read to the end"):
        ci.segment("S", relation)


@pytest.mark.parametrize("source", ["frame", "query", "file", "rule"])
def test_requested_key_that_repeats_is_refused_with_a_choice(source: str, tmp_path: Path) -> None:
    people = PEOPLE.assign(Code=["x", "x", None])
    people.to_parquet(tmp_path / "people.parquet")
    options: dict[str, dict[str, Any]] = {
        "frame": {"frame": people},
        "query": {"frame": "SELECT * FROM people", "frames": {"people": people}},
        "file": {"frame": str(tmp_path / "people.parquet")},
        "rule": {"frame": people, "rule": "n > 0"},
    }
    with pytest.raises(SegmentError, match="The key column Code has 1 empty value and 1 repeated value") as refused:
        ci.segment("S", key="Code", **options[source])
    assert "leave out key" in refused.value.next_step


def test_repeated_key_column_is_reported_with_a_choice() -> None:
    frame = people(6).rename(columns={"Id": "CustomerId"})
    frame.loc[[0, 1], "CustomerId"] = None
    frame.loc[[2, 3], "CustomerId"] = "same"
    said: list[str] = []
    made = ci.segment("S", frame, show=said.append)
    assert made.key == "row number"
    (notice,) = said
    assert notice.startswith(
        "No column identifies the profiles of 'S': CustomerId has 2 empty values and 1 repeated value."
    )
    assert notice.endswith("Correct the column, or choose one: key=COLUMN.")
    with pytest.raises(SegmentError, match="has no key"):
        ci.segment("T", rule="not 'S'")
    said.clear()
    assert ci.segment("S", frame.assign(ContactId=range(6)), show=said.append).key == "ContactId"
    assert "identifies" not in " ".join(said)
