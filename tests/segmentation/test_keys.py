from __future__ import annotations

import uuid
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matched_in_memory import match_profiles

from ci_magics.display.numbers import pluralize
from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import ROW_NUMBER, build_segment, build_segment_from_sql


def frame(**columns: list[Any]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"EMail": [f"p{number}@contoso.com" for number in range(count)], **columns})


def test_unique_column_with_a_usual_name_is_the_key() -> None:
    profiles = build_segment("S", frame(CustomerId=["x", "y"], Id=[1, 2]))
    assert profiles.segment.key == "CustomerId"
    assert profiles.rows.table()["key"].to_pylist() == ["x", "y"]


@pytest.mark.parametrize("values", [["x", "x"], ["x", None], [["x"], ["y"]]])
def test_column_that_identifies_nobody_is_skipped(values: list[Any]) -> None:
    assert build_segment("S", frame(CustomerId=values, Id=[1, 2])).segment.key == "Id"
    assert build_segment("S", frame(CustomerId=values)).segment.key == ROW_NUMBER


def test_row_number_is_the_key_if_there_is_no_other() -> None:
    profiles = build_segment("S", frame(Name=["x", "y", "z"]))
    assert (profiles.segment.key, profiles.rows.table()["key"].to_pylist()) == (ROW_NUMBER, [1, 2, 3])


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=8))
def test_requested_key_must_be_unique(values: list[int | None]) -> None:
    empty = values.count(None)
    repeated = len(values) - empty - len(set(values) - {None})
    people = frame(Code=pd.array(values, dtype="Int64"))
    if empty or repeated:
        counts = f"{pluralize(empty, 'empty value')} and {pluralize(repeated, 'repeated value')}"
        with pytest.raises(SegmentError, match=f"Code has {counts}"):
            build_segment("S", people, key="Code")
    else:
        assert build_segment("S", people, key="Code").segment.key == "Code"


def test_uniqueness_is_checked_after_the_condition() -> None:
    people = frame(Id=["a", "a", "b"], Newest=[True, False, True])
    assert build_segment("S", people, where="Newest").segment.key == "Id"
    with pytest.raises(SegmentError, match="0 empty values and 1 repeated value"):
        build_segment("S", people, key="Id")


def test_requested_key_must_exist() -> None:
    with pytest.raises(SegmentError, match="Did you mean 'CustomerId'"):
        build_segment("S", frame(CustomerId=[1]), key="CustmerId")


@pytest.mark.parametrize("values", [[["x"], ["y"]], [{"a": 1}, {"a": 2}], [True, False]])
def test_key_must_be_text_number_or_time(values: list[Any]) -> None:
    with pytest.raises(SegmentError, match="cannot identify profiles"):
        build_segment("S", frame(Code=values), key="Code")


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x", "y"], dtype="category"),
        pd.Series(["x", "y"], dtype="string"),
        pl.Series(["x", "y"], dtype=pl.Categorical),
        pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
        pa.array(["x", "y"]).dictionary_encode(),
        pa.array(["x", "y"], pa.string_view()),
    ],
)
def test_text_of_any_layout_can_be_the_key(column: Any) -> None:
    table = pa.table({"EMail": ["a@contoso.com", "b@contoso.com"], "Code": pa.array(column)})
    profiles = build_segment("S", table, key="Code")
    assert profiles.rows.table()["key"].type == pa.large_string()
    assert profiles.rows.table()["key"].to_pylist() == ["x", "y"]


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_address_used_as_key_is_never_stored(kind: str) -> None:
    people = frame(Id=pd.Series(["jan@contoso.com", "c2"], dtype=kind))
    kept = match_profiles(build_segment("S", people).rows.table()).profiles.table["key"].to_pylist()
    assert kept[1] == "c2"
    assert "@" not in kept[0]


def test_a_uuid_is_a_key() -> None:
    numbers = [uuid.UUID(int=1), uuid.UUID(int=2)]
    table = pa.table(
        {"EMail": ["a@contoso.com", "b@contoso.com"], "Id": pa.array([each.bytes for each in numbers], pa.uuid())}
    )
    assert build_segment("S", table).rows.table()["key"].to_pylist() == [str(each) for each in numbers]


def test_query_follows_the_same_rules_for_keys() -> None:
    people = frame(Id=["a", "a"])
    sql = "SELECT * FROM people"
    assert build_segment_from_sql("S", sql, frames={"people": people}).segment.key == ROW_NUMBER
    with pytest.raises(SegmentError, match="0 empty values and 1 repeated value"):
        build_segment_from_sql("S", sql, frames={"people": people}, key="Id")


@pytest.mark.parametrize(("name", "words"), [(" ", "needs a name"), ("x" * 129, "longer than the 128")])
def test_segment_name_is_required_and_limited_in_length(name: str, words: str) -> None:
    with pytest.raises(SegmentError, match=words):
        build_segment(name, frame(Id=[1]))
