from __future__ import annotations

import bz2
import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources import delimited
from ci_magics.segmentation.sources.delimited import open_delimited

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
NAMED = ("iso-8859-15", "mac_roman", "cp1250", "cp1251", "shift_jis")


def rows_of(path: Path, encoding: str | None = None) -> list[tuple[str | None, ...]]:
    file = open_delimited(str(path), encoding)
    return [tuple(row.values()) for batch in file.batches(file.names) for row in batch.to_pylist()]


def write_file(tmp_path: Path, content: bytes, name: str = "customers.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def refusal(path: Path, encoding: str | None = None) -> str:
    with pytest.raises(SegmentError) as error:
        rows_of(path, encoding)
    return str(error.value)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=8)] * 3),
        max_size=8,
    ),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    # The writer quotes no line ends but its own.
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]),
)
def test_output_of_csv_writer_is_read_back_exactly(
    tmp_path: Path, rows: list[tuple[str, ...]], delimiter: str, encoding: str, style: tuple[str, int]
) -> None:
    text, (line_end, quoting) = io.StringIO(), style
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([("Id", "EMail", "Notes"), *rows])
    path = write_file(tmp_path, text.getvalue().encode(encoding))
    assert rows_of(path) == [tuple(cell or None for cell in row) for row in rows]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(*[st.text('ab",\n\r é', max_size=6)] * 3), max_size=6))
def test_fast_and_slow_reader_agree(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("Id", "EMail", "Notes"), *rows])
    file = open_delimited(str(write_file(tmp_path, text.getvalue().encode())))
    batches = file._by_row([0, 1, 2], 0)  # noqa: SLF001 - the slow reader, for files that the fast one cannot read
    by_row = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert by_row == rows_of(tmp_path / "customers.csv")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoding_is_recognized(tmp_path: Path, encoding: str) -> None:
    content = "Id,City\nc1,Münster €\n".encode(encoding)
    assert rows_of(write_file(tmp_path, content)) == [("c1", "Münster €")]


@pytest.mark.parametrize("encoding", NAMED)
def test_an_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    city = {"cp1251": "Москва", "shift_jis": "東京"}.get(encoding, "Łódź" if encoding == "cp1250" else "Orléans")
    assert rows_of(write_file(tmp_path, f"Id,City\nc1,{city}\n".encode(encoding)), encoding) == [("c1", city)]


def test_late_byte_decides_the_encoding_of_the_whole_file(tmp_path: Path) -> None:
    content = b"Id,City\n" + b"c1,Ghent\n" * 300_000 + b"c2,M\xfcnster\n"
    assert rows_of(write_file(tmp_path, content))[-1] == ("c2", "Münster")


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "two.gz": lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]),
    "bz2": bz2.compress,
    "zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_compressed_files_are_read(tmp_path: Path, ending: str, encoding: str) -> None:
    content = "Id,City\nc1,Münster\n".encode(encoding)
    path = write_file(tmp_path, PACKED[ending](content), f"customers.csv.{ending}")
    assert rows_of(path) == [("c1", "Münster")]


def test_an_archive_of_one_file_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "customers.zip", "w") as archive:
        archive.writestr("customers.csv", "Id,City\nc1,Ghent\n")
    assert rows_of(tmp_path / "customers.zip") == [("c1", "Ghent")]


def test_truncated_compressed_file_is_refused(tmp_path: Path) -> None:
    content = gzip.compress(b"Id,EMail\n" + b"".join(b"c%d,p%d@contoso.com\n" % (n, n) for n in range(99_999)))
    said = refusal(write_file(tmp_path, content[:-5000], "customers.csv.gz"))
    assert "cut off or damaged" in said
    assert "@" not in said


IRREGULAR = {
    "one delimiter too many in the header": (b"a,b,\n1,2\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "one too many before the header": (b",a,b\n1,2\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "one too many in the rows": (b"a,b\n1,2,\n3,4,\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "one too many everywhere": (b"a,b,\n1,2,\n3,4,\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "one too many in a single row": (b"a,b\n1,2\n3,4,\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "a row without its last cells": (b"a,b,c\n1\n3,4,5\n", ("a", "b", "c"), [("1", None, None), ("3", "4", "5")]),
    "the index of pandas": (b",a\n0,x\n1,y\n", ("Column 1", "a"), [("0", "x"), ("1", "y")]),
    "old Mac line ends": (b"a;b\r1;2\r", ("a", "b"), [("1", "2")]),
    "mixed line ends": (b"a|b\r\n1|2\n3|4\r5|6", ("a", "b"), [("1", "2"), ("3", "4"), ("5", "6")]),
    "blank lines": (b"\n \n\na,b\n\n1,2\n\n\n3,4\n\n", ("a", "b"), [("1", "2"), ("3", "4")]),
    "the delimiter told to Excel": (b"sep=;\r\na;b\r\n1,5;2\r\n", ("a", "b"), [("1,5", "2")]),
    "decimal commas": (b"a;b\n1,5;2\n", ("a", "b"), [("1,5", "2")]),
    "a byte order mark twice": (b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2\n", ("a", "b"), [("1", "2")]),
    "a byte order mark where two files were joined": (
        b"\xef\xbb\xbfa,b\n1,2\n\xef\xbb\xbf3,4\n", ("a", "b"), [("1", "2"), ("3", "4")]
    ),
    "zero bytes": (b"a,b\n1,\x00\n", ("a", "b"), [("1", "\x00")]),
    "a quote within a cell": (b'a,b\n1,5" pipe\n', ("a", "b"), [("1", '5" pipe')]),
    "a quoted line end": (b'a,b\n1,"x\r\ny"\n', ("a", "b"), [("1", "x\r\ny")]),
    "blanks around names": (b"a , b\n1, 2\n", ("a", "b"), [("1", " 2")]),
    "a header alone": (b"a,b\n", ("a", "b"), []),
    "a header without a line end": (b"a,b", ("a", "b"), []),
}  # fmt: skip


@pytest.mark.parametrize("kind", IRREGULAR)
def test_irregular_files_are_read(tmp_path: Path, kind: str) -> None:
    content, names, rows = IRREGULAR[kind]
    path = write_file(tmp_path, content)
    assert open_delimited(str(path)).names == names
    assert rows_of(path) == rows


REFUSED = {
    "a cell too many": (b"a,b\n1,2\n1,2,3\n", "Row 2 of customers.csv (line 3) has 3 cells"),
    "a title above the header": (b"Customers of 2026\na,b\n1,2\n", "If the column names are not in the first row"),
    "a title with its delimiters": (b"Customers,,\n\na,b,c\n1,2,3\n", "Are the column names in the first row?"),
    "a header that is too long": (b"a,b,c,d\n1,2\n3,4\n", "each of its rows has fewer cells"),
    "a row in two parts": (b"a,b,c\n1,2,3\n4,Main\nStreet,5\n", "Row 3 of customers.csv (line 4) seems to be the rest"),
    "a quote that is not closed": (b'a,b\n1,2\n3,"x\n4,5\n', "Row 2 of customers.csv"),
    "two of them": (b'a,b\n1,"x\n2,"y\n3,4\n', "has a quote that is not closed"),
    "text behind a quote": (b'a,b\n1,"x" y\n', "text behind a quote"),
    "a last row that is cut off": (b"a,b,c\n1,2,3\n4,5", "seems to be cut off"),
    "no header": (b"jan@contoso.com\npiet@contoso.com\n", "where the column names belong"),
    "no bytes": (b"\r\n\r\n", "is empty"),
    "two encodings": ("a,b\n1,é\n".encode() + b"2,\xe9\n", "mixes encodings"),
    "an unknown encoding": (b"a,b\n1,\x81\n", "Name its encoding with encoding"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_ambiguous_file_is_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    content, reason = REFUSED[kind]
    said = refusal(write_file(tmp_path, content))
    assert reason in said
    assert "@" not in said


def test_file_that_is_not_in_the_named_encoding_is_refused(tmp_path: Path) -> None:
    assert "is not valid UTF-8" in refusal(write_file(tmp_path, b"a,b\n1,\xe9\n"), "utf-8")
    assert "Did you mean mac_roman?" in refusal(write_file(tmp_path, b"a,b\n1,2\n"), "mac_romn")
    assert "There is no encoding 'rot13'" in refusal(write_file(tmp_path, b"a,b\n1,2\n"), "rot13")


def test_irregular_row_after_many_regular_rows_is_found(tmp_path: Path) -> None:
    regular = b"".join(b"%d,x\n" % number for number in range(300_000))
    rows = rows_of(write_file(tmp_path, b"a,b\n" + regular + b"300000,y,\n300001,z\n"))
    assert len(rows) == 300_002
    assert rows[-3:] == [("299999", "x"), ("300000", "y"), ("300001", "z")]
    assert "Row 300,001" in refusal(write_file(tmp_path, b"a,b\n" + regular + b"300000,y,z\n"))


def test_unclosed_quote_in_a_large_file_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "_LONGEST_CELL", csv.field_size_limit())
    said = refusal(write_file(tmp_path, b'a,b\n1,"x\n' + b"2,y\n" * 500_000))
    assert "Row 1 of customers.csv" in said


def test_line_number_of_a_row_is_found(tmp_path: Path) -> None:
    file = open_delimited(str(write_file(tmp_path, b'\na,b\n\n1,"x\ny"\n2,z\n')))
    assert [file.line(1), file.line(2)] == [5, 6]
