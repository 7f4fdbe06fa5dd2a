from __future__ import annotations

import io

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.sources.records import batch_of_records, csv_batches, csv_columns, record_schema

SCHEMA = record_schema({"CustomerId": False, "EMail": False, "Consent": True})
IDS = st.text("0123456789abcdef", min_size=1, max_size=32)


def table(text: str, names: list[str] | None = None) -> list[dict[str, object]]:
    return [row for batch in csv_batches(io.BytesIO(text.encode()), SCHEMA, names) for row in batch.to_pylist()]


def test_objects_become_columns_and_missing_values_are_null() -> None:
    rows = [{"a": "1", "b": "x@contoso.com", "c": True}, {"a": "2"}, {"a": 3, "b": None, "c": "false", "d": "more"}]
    batch = batch_of_records(rows, ["a", "b", "c"], SCHEMA)
    assert batch.to_pylist() == [
        {"CustomerId": "1", "EMail": "x@contoso.com", "Consent": True},
        {"CustomerId": "2", "EMail": None, "Consent": None},
        {"CustomerId": "3", "EMail": None, "Consent": False},
    ]


def test_unpaired_surrogate_is_escaped() -> None:
    batch = batch_of_records([{"a": "1", "b": "\ud800@contoso.com"}], ["a", "b", "c"], SCHEMA)
    assert batch.column("EMail").to_pylist() == ["\\ud800@contoso.com"]


def test_header_row_is_optional() -> None:
    expected = [
        {"CustomerId": "1", "EMail": "x@contoso.com", "Consent": True},
        {"CustomerId": "2", "EMail": None, "Consent": None},
    ]
    lines = "x@contoso.com,1,true\n,2,\n"
    assert table("EMail,CustomerId,Consent\n" + lines) == expected
    assert table(lines, ["EMail", "CustomerId", "Consent"]) == expected


def test_byte_order_mark_quotes_and_line_breaks_in_values_are_read() -> None:
    rows = table('\ufeffCustomerId,EMail,Consent\n1,"a ""b""\n@contoso.com",True\n')
    assert rows == [{"CustomerId": "1", "EMail": 'a "b"\n@contoso.com', "Consent": True}]


def test_missing_column_is_null() -> None:
    assert table("CustomerId\n1\n") == [{"CustomerId": "1", "EMail": None, "Consent": None}]
    assert csv_columns(io.BytesIO(b"CustomerId,Name\n1,Jan\n")) == ["CustomerId", "Name"]


def test_keys_that_look_like_numbers_stay_as_written() -> None:
    (row,) = table("CustomerId,EMail,Consent\n007,a@contoso.com,1\n")
    assert row["CustomerId"] == "007"
    assert row["Consent"] is True


@given(st.lists(IDS), st.lists(st.one_of(IDS, st.none())))
def test_id_set_behaves_like_a_set(ids: list[str], asked: list[str | None]) -> None:
    found = IdSet([pa.array(ids, pa.large_string()), pa.array([None], pa.large_string())])
    given_ids = pa.array(asked, pa.large_string())
    assert len(found) == len(set(ids))
    assert found.contains(given_ids).to_pylist() == [each in set(ids) for each in asked]
    rest = found.without([given_ids])
    assert [each for each in ids if rest.contains(pa.array([each], pa.large_string()))[0].as_py()] == [
        each for each in ids if each not in set(asked)
    ]
