"""Each key has one text: the same for every type that can hold the value. Text stays as written."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.key_formats import format_of_keys
from ci_magics.segmentation.key_text import arrow_keys, key_marks, key_text, text_of_value
from ci_magics.segmentation.segment import build_segment
from ci_magics.segmentation.sources.rows import Rows, repetition

INTEGERS = (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
)  # fmt: skip
WIDE = st.one_of(
    st.integers(-(2**127), 2**127 - 1),
    st.integers(-300, 300),
    st.sampled_from([2**p + d for p in (7, 8, 15, 16, 24, 31, 32, 53, 63, 64) for d in (-1, 0, 1)]),
)


def representations(number: int) -> dict[str, Any]:
    """Return an integer in a column of every type that can hold it exactly."""
    found: dict[str, Any] = {"text": pa.array([str(number)])}
    for kind in INTEGERS:
        bits, signed = kind.bit_width, pa.types.is_signed_integer(kind)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if low <= number <= high:
            found[str(kind)] = pa.array([number], kind)
            found[f"dictionary of {kind}"] = pa.array([number], kind).dictionary_encode()
    for dtype in (np.float16, np.float32, np.float64):
        with np.errstate(over="ignore"):
            value = dtype(number)
        if np.isfinite(value) and int(value) == number:
            found[dtype.__name__] = pa.array(np.array([value]))
            found[f"one {dtype.__name__}"] = pa.array([text_of_value(value)])
    digits = len(str(abs(number)))
    if digits <= 36:
        found["decimal128(38, 2)"] = pa.array([Decimal(number)], pa.decimal128(38, 2))
        found["decimal128(38, 0)"] = pa.array([Decimal(number)], pa.decimal128(38, 0))
    found["decimal256"] = pa.array([Decimal(number)], pa.decimal256(60, 10))
    found["polars Int128"] = arrow_keys(pl.Series([number], dtype=pl.Int128))
    found["HUGEINT"] = duckdb.sql(f"SELECT ('{number}')::HUGEINT AS n").to_arrow_table()["n"]
    found["objects"] = arrow_keys([number])
    found["Decimal objects"] = arrow_keys([Decimal(number), Decimal(f"{number}.00")])
    found["bytes"] = pa.array([str(number).encode()])
    return found


@settings(max_examples=examples(60), deadline=None)
@given(WIDE)
def test_whole_number_of_any_type_becomes_its_digits(number: int) -> None:
    for name, column in representations(number).items():
        assert set(key_text(column).to_pylist()) == {str(number)}, name
        chunk = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        assert key_marks(chunk)[0] == key_marks(pa.array([str(number)]))[0], name


@given(st.text())
def test_text_stays_as_written(text: str) -> None:
    written = text.encode("utf-8", "backslashreplace").decode()
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert key_text(pa.array([written], kind)).to_pylist() == [written]
    assert key_text(pa.array([written]).dictionary_encode()).to_pylist() == [written]
    assert text_of_value(written) == written


@settings(deadline=None)
@given(st.lists(st.text(alphabet="0123456789-+ .e", max_size=21) | st.integers(-(2**70), 2**70).map(str)))
def test_marks_are_equal_exactly_if_texts_are(texts: list[str]) -> None:
    marks = key_marks(pa.array(texts, pa.string())).tolist()
    assert len(set(zip(texts, marks, strict=True))) == len(set(texts)) == len(set(marks))


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_reads_back_as_the_same_number(value: float) -> None:
    (text,) = key_text(pa.array([value])).to_pylist()
    assert float(text) == value
    assert "e" not in text.lower()
    assert text_of_value(value) == text_of_value(np.float64(value)) == text


def timestamp(text: str, unit: str) -> pa.Array:
    """Return a timestamp without a time zone."""
    return pa.array([text]).cast(pa.timestamp(unit))


UUID = uuid.UUID("0A0B0C0D-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([1001.0, 1001.5, float("nan"), None, -0.0, 1e-7, 1e20]),
         ["1001", "1001.5", None, None, "0", "0.0000001", "100000000000000000000"]),
        (pa.array(np.array([1001, 1.1], np.float32)), ["1001", "1.1"]),
        (pa.array([Decimal("1001.00"), Decimal("1.50"), Decimal("-0.00"), Decimal("0.00000001"), None]),
         ["1001", "1.5", "0", "0.00000001", None]),
        (pa.array([Decimal(12000)], pa.decimal128(6, -3)), ["12000"]),
        (pa.array(["0012345", " 1001", "1001 ", "1E4", "é", None]), ["0012345", " 1001", "1001 ", "1E4", "é", None]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([dt.date(2026, 11, 29)]), ["2026-11-29"]),
        (pa.array([dt.date(2026, 11, 29)], pa.date64()), ["2026-11-29"]),
        (timestamp("2026-11-29 00:00:00", "ns"), ["2026-11-29"]),
        (timestamp("2026-11-29 08:30:00", "s"), ["2026-11-29 08:30:00"]),
        (timestamp("2026-11-29 08:30:00.12", "us"), ["2026-11-29 08:30:00.12"]),
        (pa.array([dt.datetime(2026, 11, 29, 7, 30, tzinfo=dt.UTC)], pa.timestamp("us", "Europe/Paris")),
         ["2026-11-29 07:30:00+00:00"]),
        (pa.array([dt.time(8, 30)]), ["08:30:00"]),
        (pa.array([UUID.bytes], pa.uuid()), [str(UUID)]),
        (pa.array([b"1001", b"\xff\x00", None]), ["1001", "ff00", None]),
        (pa.array([b"ab"], pa.binary(2)), ["ab"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([5, 6])), ["5", "5", "6"]),
        (pa.nulls(2), [None, None]),
        (pa.chunked_array([[1], [2.0 ** 31]], pa.float64()), ["1", "2147483648"]),
        (pa.array(pd.Series([1001, None], dtype="Int64")), ["1001", None]),
        (arrow_keys([1001, "1001", 1001.0, Decimal("1001.0"), b"1001", np.int8(7), None, pd.NA, pd.NaT, float("nan")]),
         ["1001"] * 5 + ["7"] + [None] * 4),
    ],
    ids=lambda each: str(getattr(each, "type", "")),
)  # fmt: skip
def test_key_text_of_each_type(column: Any, texts: list[str | None]) -> None:
    assert key_text(column).to_pylist() == texts


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.duration("s")])
def test_type_that_identifies_nobody_is_refused_as_key(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match="cannot be keys"):
        key_text(pa.array([None], kind))


def test_id_set_holds_keys_of_all_types() -> None:
    found = IdSet([pa.array([1001, 1002]), pa.array(["1001", "AA"]), pa.array([1003.0, None])])
    assert len(found) == 4
    assert found.contains(pa.array(["1003", "01001", None, "1002"])).to_pylist() == [True, False, False, True]
    assert found.contains(pa.array([Decimal("1001.00")])).to_pylist() == [True]
    assert found.count_shared(IdSet([pa.array([1003, 1004], pa.int16())])) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1.0, 1.0, None]), (1, 1)),
        (arrow_keys([1, "1", 1.0]), (0, 2)),
        (pa.array([float("nan"), 1.0]), (1, 0)),
        (pa.array([Decimal("1.0"), Decimal("1.00")]), (0, 1)),
        (pa.array(["1", "01"]), (0, 0)),
        (pa.array([2**64 - 1, 2**63], pa.uint64()), (0, 0)),
    ],
)
def test_repeated_keys_are_found_by_value(values: pa.Array, expected: tuple[int, int]) -> None:
    assert repetition(Rows.of(pa.table({"key": values})), "key") == expected


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        ([1000, 1399], "whole numbers of 4 digits"),
        ([5, 7], "whole numbers of 1 digit"),
        ([5, 1399], "whole numbers of 1 to 4 digits"),
        (["C-001", "C-002"], "text such as letters-digits"),
        (["0012345"], "digits that begin with zero"),
        ([" 1001"], "text with spaces around it"),
        ([1.5], "numbers with a decimal point"),
        ([str(UUID)], "UUIDs"),
        (["f" * 64], "hashes"),
        (["a1b2c3d4e5"], "text"),
        ([None], ""),
        (["1001", "1002", "x"], "whole numbers of 4 digits"),
    ],
)
def test_form_of_keys_identifies_nobody(keys: list[Any], form: str) -> None:
    assert format_of_keys(arrow_keys(keys)) == form


def test_key_texts_can_be_joined_to_their_column() -> None:
    frame = pd.DataFrame({"Id": [1001.0, 1002.5, None], "Mixed": [1, "1", 2.0]}, index=[5, 6, 7])
    assert ci.text_of_keys(frame["Id"]).dropna().to_dict() == {5: "1001", 6: "1002.5"}
    assert ci.text_of_keys(frame["Mixed"]).tolist() == ["1", "1", "2"]
    found = ci.text_of_keys(pl.Series("Id", [2**100], dtype=pl.Int128))
    assert (found.name, found.to_list()) == ("Id", [str(2**100)])
    assert ci.text_of_keys([1001, "x"]).to_pylist() == ["1001", "x"]


@pytest.mark.parametrize(
    ("ids", "rounded"),
    [
        (np.array([1.0, 2.0**53 - 1]), False),
        (np.array([1.0, 2.0**53]), True),
        (np.array([1.0, -(2.0**60)]), True),
        (np.array([1, 2**24], np.float32), True),
        (np.array([1, 2**60]), False),
    ],
)
def test_keys_that_may_have_been_rounded_are_reported(ids: Any, rounded: bool) -> None:
    frame = pd.DataFrame({"Id": ids, "EMail": ["a@contoso.com", "b@contoso.com"]})
    assert ("ids may have been rounded" in build_segment("S", frame).notice) is rounded
