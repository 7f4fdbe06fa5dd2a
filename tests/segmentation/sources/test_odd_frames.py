"""Odd columns that are not needed do no harm; subclasses of DataFrame and IDs in the pandas index are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rows import RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import ROW_NUMBER, build_segment, build_segment_from_rule, build_segment_from_sql
from ci_magics.segmentation.sources.frame_kinds import known_columns

ZEROS = pa.array([0, 0], pa.int8())
IDS, EMAILS, SPEND = ["a", "b"], ["a@contoso.com", "b@contoso.com"], [10, 20]


class NoText:
    """An object without a text form."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def pandas_frame(odd: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"Id": IDS, "EMail": EMAILS, "Spend": SPEND})
    frame["odd"] = odd
    return frame


def arrow_frame(odd: pa.Array) -> pa.Table:
    return pa.table({"Id": IDS, "EMail": EMAILS, "Spend": SPEND, "odd": odd})


def polars_frame(odd: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"Id": IDS, "EMail": EMAILS, "Spend": SPEND}).with_columns(odd.alias("odd"))


def relation(odd: str) -> duckdb.DuckDBPyRelation:
    rows = f"('a', 'a@contoso.com', 10, {odd}), ('b', 'b@contoso.com', 20, {odd})"
    return duckdb.sql(f'FROM (VALUES {rows}) AS t("Id", "EMail", "Spend", "odd")')


def objects(*values: Any) -> pd.Series:
    return pd.Series(list(values), dtype=object)


ODD: dict[str, Callable[[], Any]] = {
    "pandas dicts": lambda: pandas_frame(objects({"x": 1}, {"y": "z"})),
    "pandas lists": lambda: pandas_frame(objects([1], ["x"])),
    "pandas sets": lambda: pandas_frame(objects({1}, {2})),
    "pandas mixed": lambda: pandas_frame(objects(1, "x")),
    "pandas objects": lambda: pandas_frame(objects(object(), 1j)),
    "pandas objects without text": lambda: pandas_frame(objects(NoText(), NoText())),
    "pandas huge integers": lambda: pandas_frame(objects(2**200, 1)),
    "pandas period": lambda: pandas_frame(pd.period_range("2026-01", periods=2, freq="M")),
    "pandas interval": lambda: pandas_frame(pd.interval_range(0, 2)),
    "pandas sparse": lambda: pandas_frame(pd.arrays.SparseArray([1, 0])),
    "pandas complex": lambda: pandas_frame([1j, 2j]),
    "pandas timedelta": lambda: pandas_frame(pd.to_timedelta([1, 2], unit="s")),
    "pandas category of intervals": lambda: pandas_frame(pd.cut([1, 2], [0, 1, 2])),
    "pandas bytes": lambda: pandas_frame(objects(b"\xff", b"a")),
    "pandas zoned times": lambda: pandas_frame(objects(pd.Timestamp(0, tz="UTC"), pd.Timestamp(0))),
    "arrow struct": lambda: arrow_frame(pa.array([{"x": 1}, None])),
    "arrow list": lambda: arrow_frame(pa.array([[1], None])),
    "arrow list view": lambda: arrow_frame(pa.array([[1], None], pa.list_view(pa.int64()))),
    "arrow map": lambda: arrow_frame(pa.array([[("x", 1)], None], pa.map_(pa.string(), pa.int64()))),
    "arrow sparse union": lambda: arrow_frame(pa.UnionArray.from_sparse(ZEROS, [pa.array([1, 2])])),
    "arrow dense union": lambda: arrow_frame(
        pa.UnionArray.from_dense(ZEROS, pa.array([0, 1], pa.int32()), [pa.array([1, 2])])
    ),
    "arrow run-end encoded": lambda: arrow_frame(pa.RunEndEncodedArray.from_arrays([2], pa.array([1]))),
    "arrow decimal256": lambda: arrow_frame(pa.array([Decimal(10) ** 50, None], pa.decimal256(60, 0))),
    "arrow duration": lambda: arrow_frame(pa.array([1, None], pa.duration("s"))),
    "arrow interval": lambda: arrow_frame(pa.array([(1, 2, 3), None], pa.month_day_nano_interval())),
    "arrow float16": lambda: arrow_frame(pa.array(np.array([1, 2], np.float16))),
    "arrow json": lambda: arrow_frame(pa.array(["{}", None], pa.json_())),
    "arrow opaque": lambda: arrow_frame(
        pa.ExtensionArray.from_storage(pa.opaque(pa.int8(), "x", "y"), pa.array([1, 2], pa.int8()))
    ),
    "arrow null": lambda: arrow_frame(pa.nulls(2)),
    "arrow views": lambda: arrow_frame(pa.array([b"a", None], pa.binary_view())),
    "arrow decimal32": lambda: arrow_frame(pa.array([Decimal(1), None], pa.decimal32(5, 2))),
    "arrow dictionary of structs": lambda: arrow_frame(
        pa.DictionaryArray.from_arrays([0, 0], pa.array([{"x": 1}]))
    ),
    "polars object": lambda: polars_frame(pl.Series([object(), object()], dtype=pl.Object)),
    "polars array": lambda: polars_frame(pl.Series([[1], [2]], dtype=pl.Array(pl.Int64, 1))),
    "polars struct": lambda: polars_frame(pl.Series([{"x": 1}, {"x": 2}])),
    "polars enum": lambda: polars_frame(pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"]))),
    "polars Int128": lambda: polars_frame(pl.Series([2**100, -1], dtype=pl.Int128)),
    "polars wide Int128": lambda: polars_frame(pl.Series([2**127 - 1, -1], dtype=pl.Int128)),
    "polars UInt128": lambda: polars_frame(pl.Series([2**128 - 1, 1], dtype=pl.UInt128)),
    "polars duration": lambda: polars_frame(pl.Series([dt.timedelta(1), None])),
    "polars null": lambda: polars_frame(pl.Series([None, None])),
    "lazy Int128": lambda: polars_frame(pl.Series([2**100, -1], dtype=pl.Int128)).lazy(),
    "lazy object": lambda: polars_frame(pl.Series([object(), object()], dtype=pl.Object)).lazy(),
    "dataset of unions": lambda: ds.dataset(arrow_frame(pa.array([{"x": 1}, None]))),
    "DuckDB HUGEINT": lambda: relation("170141183460469231731687303715884105727::HUGEINT"),
    "DuckDB UHUGEINT": lambda: relation("340282366920938463463374607431768211455::UHUGEINT"),
    "DuckDB BIGNUM": lambda: relation("123456789012345678901234567890123456789012345678901::BIGNUM"),
    "DuckDB INTERVAL": lambda: relation("INTERVAL 1 DAY"),
    "DuckDB BIT": lambda: relation("'101'::BIT"),
    "DuckDB ENUM": lambda: relation("'x'::ENUM('x', 'y')"),
    "DuckDB UNION": lambda: relation("union_value(n := 1)"),
    "DuckDB VARIANT": lambda: relation("1::VARIANT"),
    "DuckDB TIMETZ": lambda: relation("'10:00:00+01'::TIMETZ"),
    "DuckDB UUID": lambda: relation("uuid()"),
    "DuckDB MAP": lambda: relation("MAP {'x': 1}"),
    "DuckDB BLOB": lambda: relation("'x'::BLOB"),
}  # fmt: skip


def keys(profiles: Any) -> list[str]:
    table = profiles.rows.table()
    assert table["email"].to_pylist() == [f"{key}@contoso.com" for key in table["key"].to_pylist()]
    assert profiles.segment.key == "Id"
    return list(table["key"].to_pylist())


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ODD)
def test_unused_odd_column_does_no_harm(kind: str) -> None:
    frame = ODD[kind]()
    assert keys(build_segment("S", frame)) == ["a", "b"]
    assert keys(build_segment("S", frame, where="Spend > 15")) == ["b"]
    rule = Rule.parse("Spend > 15")
    assert keys(build_segment_from_rule("S", frame, rule, RuleContext())) == ["b"]
    if "dataset" in kind:
        return
    for query in (
        "SELECT * FROM frame WHERE Spend > 15",
        "FROM frame WHERE Spend > 15",
        "SELECT Id, EMail FROM frame WHERE Spend > 15",
    ):
        assert keys(build_segment_from_sql("S", query, frames={"frame": frame})) == ["b"]


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ODD)
def test_odd_column_is_read_or_refused_with_an_explanation(kind: str) -> None:
    frame = ODD[kind]()
    asks: list[Callable[[], Any]] = [
        lambda: build_segment("S", frame, where="odd IS NULL OR odd IS NOT NULL"),
        lambda: build_segment("S", frame, key="odd"),
        lambda: build_segment("S", frame, email="odd"),
        lambda: build_segment_from_rule("S", frame, Rule.parse("odd is not null"), RuleContext()),
    ]
    if "dataset" not in kind:
        query = "SELECT odd, * EXCLUDE (odd) FROM frame"
        asks.append(lambda: build_segment_from_sql("S", query, frames={"frame": frame}))
    for ask in asks:
        refusal = error_of(ask)
        assert refusal is None or ("odd" in refusal.sentence and refusal.next_step)


def error_of(ask: Callable[[], Any]) -> SegmentError | None:
    try:
        ask().rows.table()
    except SegmentError as error:
        return error
    return None


@pytest.mark.matrix
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("kind", [each for each in ODD if "dataset" not in each])
def test_comparisons_ignore_odd_columns(kind: str) -> None:
    frame = ODD[kind]()
    one = ci.segment("One", frame, where="Spend > 15", show=len)
    two = ci.segment("Two", frame, show=len)
    assert ci.overlap(one, two).shared == 1
    assert ci.differentiators(one, two, frame).first_found == 1
    assert ci.quick_segments(frame, "Spend").lines


@pytest.mark.parametrize(
    ("column", "keys_found"),
    [
        (pa.RunEndEncodedArray.from_arrays([1, 2], pa.array(["x", "y"])), ["x", "y"]),
        (pa.array([Decimal(10) ** 50, Decimal(1)], pa.decimal256(60, 0)), [str(10**50), "1"]),
        (pa.array(np.array([1, 2], np.float16)), ["1", "2"]),
        (pl.Series([2**127 - 1, 1], dtype=pl.Int128), [str(2**127 - 1), "1"]),
        (pl.Series([2**128 - 1, 1], dtype=pl.UInt128), [str(2**128 - 1), "1"]),
        (pl.Series([1, "1001"], dtype=pl.Object), ["1", "1001"]),
        (pd.Series(pd.period_range("2026-01", periods=2, freq="M")), ["2026-01", "2026-02"]),
        (pd.Series(pd.arrays.SparseArray([1, 0])), [1, 0]),
        (objects(dt.date(2026, 1, 1), dt.datetime.fromisoformat("2026-01-01T10:00:00")),
         ["2026-01-01", "2026-01-01 10:00:00"]),
    ],
    ids=lambda each: str(getattr(each, "type", getattr(each, "dtype", ""))),
)  # fmt: skip
def test_odd_keys_are_exact(column: Any, keys_found: list[Any]) -> None:
    makers: dict[str, Callable[[Any], Any]] = {"pyarrow": arrow_frame, "polars": polars_frame, "pandas": pandas_frame}
    frame = makers[type(column).__module__.split(".")[0]](column)
    assert build_segment("S", frame, key="odd").rows.table()["key"].to_pylist() == keys_found


class Geo(pd.DataFrame):
    """A subclass like those of geopandas: with metadata, and its own constructor."""

    _metadata = ["crs"]  # noqa: RUF012 - as pandas wants it

    @property
    def _constructor(self) -> Any:
        return Geo


class Broken(pd.DataFrame):
    """A subclass whose constructors fail."""

    def __init__(self, data: Any, needed: Any) -> None:
        super().__init__(data)
        del needed

    @property
    def _constructor(self) -> Any:
        raise RuntimeError("it cannot be made again")

    @property
    def _constructor_sliced(self) -> Any:
        raise RuntimeError("it cannot be cut")


def people(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"Id": IDS, "EMail": EMAILS, "Spend": SPEND, **columns})


@pytest.mark.parametrize("frame", [Geo(people()), Broken(people(), needed=1)], ids=["subclass", "broken subclass"])
def test_subclass_of_pandas_dataframe_is_read(frame: Any) -> None:
    assert keys(build_segment("S", frame)) == ["a", "b"]
    assert keys(build_segment("S", frame, where="Spend > 15")) == ["b"]
    assert keys(build_segment_from_sql("S", "FROM frame WHERE Spend > 15", frames={"frame": frame})) == ["b"]
    assert keys(build_segment_from_rule("S", frame, Rule.parse("Spend > 15"), RuleContext())) == ["b"]


INDEXED: dict[str, pd.DataFrame] = {
    "named": people().set_index("Id"),
    "of two levels": people(Shop=["x", "y"]).set_index(["Shop", "Id"]),
    "with a level that has no name": people(Shop=["x", "y"]).set_index(["Shop", "Id"]).rename_axis([None, "Id"]),
    "that repeats a column": people().set_index("Id", drop=False),
    "of a subclass": Geo(people().set_index("Id")),
    "of pandas' own text": people().astype({"Id": "string"}).set_index("Id"),
    "of categories": people().astype({"Id": "category"}).set_index("Id"),
}


@pytest.mark.parametrize("kind", INDEXED)
def test_named_index_is_a_column(kind: str) -> None:
    frame = INDEXED[kind]
    assert keys(build_segment("S", frame)) == ["a", "b"]
    assert keys(build_segment("S", frame, key="Id", where="Id = 'b'")) == ["b"]
    assert keys(build_segment_from_rule("S", frame, Rule.parse("Id = b"), RuleContext())) == ["b"]
    assert keys(build_segment_from_sql("S", "SELECT * FROM frame WHERE Id = 'b'", frames={"frame": frame})) == ["b"]
    assert known_columns(frame).count("Id") == 1


def test_index_can_hold_the_addresses() -> None:
    profiles = build_segment("S", people().set_index("EMail"))
    assert profiles.rows.table()["email"].to_pylist() == EMAILS


def test_unnamed_index_is_not_a_column() -> None:
    assert build_segment("S", people().drop(columns="Id")).segment.key == ROW_NUMBER
    assert build_segment("S", people().drop(columns="Id").set_axis(["x", "y"])).segment.columns == ("EMail", "Spend")


def test_index_with_the_name_of_another_column_is_refused() -> None:
    frame = people().set_index(pd.Index(["x", "y"], name="Id"))
    with pytest.raises(SegmentError, match="Two columns of the frame are named 'Id'"):
        build_segment("S", frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([["a@contoso.com", "b"]], columns=["EMail", "EMail"]),
        pd.DataFrame([["a@contoso.com", "b", 1, 2]], columns=["EMail", "Id", "Note", "Note"]),
        pa.table([["a@contoso.com"], ["b"]], names=["EMail", "EMail"]),
        pa.record_batch([["a@contoso.com"], ["b"]], names=["EMail", "EMail"]),
        pd.DataFrame([["a@contoso.com", "b"]], columns=["EMail", "email"]),
        pl.DataFrame({"EMail": ["a@contoso.com"], "email": ["b"]}),
        pa.table({"EMail": ["a@contoso.com"], "EMAIL": ["b"]}),
        pd.DataFrame([["a@contoso.com"]], columns=pd.MultiIndex.from_tuples([("Contact", "EMail")])),
        pd.DataFrame({"EMail": ["a@contoso.com"]}).rename_axis("email"),
    ],
    ids=["twice", "twice and not asked for", "arrow", "batch", "case", "polars", "arrow case", "levels", "index"],
)  # fmt: skip
def test_duplicate_column_names_are_refused(frame: Any) -> None:
    with pytest.raises(SegmentError) as caught:
        build_segment("S", frame)
    assert caught.value.next_step
    with pytest.raises(SegmentError):
        build_segment("S", frame, where="EMail LIKE 'a%'")


def test_names_that_differ_in_case_only_stop_what_uses_them() -> None:
    frame = people(Note=[1, 2], note=[3, 4])
    assert keys(build_segment("S", frame, where="Spend > 15")) == ["b"]
    assert keys(build_segment_from_rule("S", frame, Rule.parse("note = 4"), RuleContext())) == ["b"]
    for ask in (
        lambda: build_segment("S", frame, where="Note > 1"),
        lambda: build_segment_from_sql("S", "SELECT note, * FROM frame", frames={"frame": frame}),
    ):
        with pytest.raises(SegmentError, match="SQL cannot tell the columns Note and note apart"):
            ask()


def test_parquet_file_with_odd_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    duckdb.sql(
        "SELECT 'a' AS Id, 'a@contoso.com' AS EMail, [1] AS l, INTERVAL 1 DAY AS i, {'x': 1} AS s"
    ).write_parquet(str(path))
    assert build_segment("S", path).rows.table()["key"].to_pylist() == ["a"]
    assert build_segment("S", path, where="Id = 'a'").rows.table()["key"].to_pylist() == ["a"]
