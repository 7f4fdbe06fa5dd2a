from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matched_in_memory import match_profiles

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql
from ci_magics.segmentation.sources.frames import is_frame

TABLE = pa.table(
    {
        "Id": ["a", "b", "c", "d"],
        "EMail": ["Jan@contoso.com ", None, "bad", "eva@contoso.com"],
        "Spend": pa.array([1.0, None, 700.0, 900.0]),
        "OptIn": pa.array([True, False, None, True]),
    }
)
FRAMES: dict[str, Callable[[], Any]] = {
    "pandas object": lambda: TABLE.to_pandas().astype({"Id": object, "EMail": object}),
    "pandas string": lambda: TABLE.to_pandas().convert_dtypes(),
    "pandas arrow": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas category": lambda: TABLE.to_pandas().astype({"Id": "category", "EMail": "category"}),
    "polars": lambda: pl.DataFrame(TABLE),
    "polars lazy": lambda: pl.DataFrame(TABLE).lazy(),
    "polars category": lambda: pl.DataFrame(TABLE).cast({"Id": pl.Categorical, "EMail": pl.Categorical}),
    "pyarrow table": lambda: TABLE,
    "pyarrow batch": lambda: TABLE.to_batches()[0],
    "pyarrow views": lambda: TABLE.cast(
        pa.schema([("Id", pa.string_view()), ("EMail", pa.string_view()), *list(TABLE.schema)[2:]])
    ),
    "duckdb": lambda: duckdb.from_arrow(TABLE),
}


def matched_rows(frame: Any, **how: Any) -> list[dict[str, Any]]:
    return list(match_profiles(build_segment("S", frame, **how).rows.table()).profiles.table.to_pylist())


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("where", [None, "Spend > 500 OR Spend IS NULL"])
def test_every_kind_of_frame_gives_the_same_table(kind: str, where: str | None) -> None:
    frame = FRAMES[kind]()
    assert is_frame(frame)
    assert matched_rows(frame, where=where) == matched_rows(TABLE, where=where)


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_can_be_queried(kind: str) -> None:
    sql = "SELECT * FROM people WHERE OptIn ORDER BY Id DESC"
    profiles = build_segment_from_sql("S", sql, frames={"people": FRAMES[kind]()})
    assert profiles.rows.table()["key"].to_pylist() == ["d", "a"]


ODD: dict[str, list[Any]] = {
    "mixed": [1, "x", None],
    "nested": [[1, "a"], {"x": 1}, None],
    "arrays": [np.array([1, 2]), np.array([3]), None],
    "complex": [1j, 2j, 3j],
    "huge": [2**70, 1, 2],
    "broken text": ["\ud800", "a", "b"],
    "decimals": [Decimal("1.5"), Decimal("NaN"), None],
    "objects": [object(), object(), object()],
    "bytes and texts": ["a", b"b", None],
    "times": [dt.time(1), dt.date(2026, 1, 1), None],
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("where", [None, "n > 1"])
def test_odd_column_does_not_affect_the_others(name: str, where: str | None) -> None:
    frame = pd.DataFrame({"EMail": ["a@contoso.com", "b@contoso.com", "c@contoso.com"], "n": [1, 2, 3]})
    frame["odd"] = pd.Series(ODD[name], dtype=object)
    assert build_segment("S", frame, where=where).rows.table().num_rows == (3 if where is None else 2)


def test_email_column_of_mixed_values_keeps_its_texts() -> None:
    frame = pd.DataFrame({"email": pd.Series(["a@contoso.com", 5, None, float("nan"), pd.NA, pd.NaT], dtype=object)})
    assert build_segment("S", frame).rows.table()["email"].to_pylist() == ["a@contoso.com", "5", None, None, None, None]


@pytest.mark.parametrize("values", [[], [None, None], [float("nan"), float("nan")]])
def test_column_without_values_can_be_the_email_column(values: list[Any]) -> None:
    profiles = build_segment("S", pd.DataFrame({"email": values}))
    assert profiles.rows.table()["email"].to_pylist() == [None] * len(values)


@pytest.mark.parametrize(
    "values", [pa.array([1, 2]), pa.array([b"x", b"y"]), pa.array([["x"], []]), pa.array([True, False])]
)
def test_email_column_must_hold_text(values: pa.Array) -> None:
    with pytest.raises(SegmentError, match="not e-mail addresses") as refused:
        build_segment("S", pa.table({"Id": [1, 2], "email": values}))
    assert "the columns are Id, email" in refused.value.next_step


@pytest.mark.parametrize(
    "frame",
    [
        pa.table([["a@contoso.com"], ["b@contoso.com"]], names=["EMail", "EMail"]),
        pd.DataFrame([["a@contoso.com", "b@contoso.com"]], columns=["EMail", "EMail"]),
    ],
)
def test_duplicate_column_names_are_refused(frame: Any) -> None:
    with pytest.raises(SegmentError, match="Two columns of the frame are named 'EMail'"):
        build_segment("S", frame)


@pytest.mark.parametrize("columns", [[0, 1], ["EMail", ""], pd.MultiIndex.from_tuples([("EMail", "x"), ("Id", "y")])])
def test_column_name_must_be_a_text(columns: Any) -> None:
    with pytest.raises(SegmentError, match="a name that is not text"):
        build_segment("S", pd.DataFrame([["a@contoso.com", "b"]], columns=columns))


@pytest.mark.parametrize(
    "value", [5, ["a@contoso.com"], {"email": ["a@contoso.com"]}, pd.Series(["a@contoso.com"]), None]
)
def test_value_that_is_not_a_frame_is_refused(value: Any) -> None:
    with pytest.raises(SegmentError, match="is not a frame") as refused:
        build_segment("S", value)
    assert "contoso" not in str(refused.value)
    assert not is_frame(value)


def test_column_that_sql_cannot_hold_does_not_affect_other_conditions() -> None:
    frame = TABLE.append_column("half", pa.array(np.arange(4, dtype=np.float16)))
    assert build_segment("S", frame).rows.table().num_rows == 4
    assert build_segment("S", frame, where="half > 1").rows.table().num_rows == 2
    assert build_segment("S", frame, where="Spend IS NOT NULL OR Spend IS NULL").rows.table().num_rows == 4
