"""CSV and related formats as text columns, with values unchanged.

Arrow reads the file while every row has as many cells as the header. From the first row that differs, Python's csv
module reads row by row: it is slow, but it can name the wrong row. Both parse a file the same way, because a file with
irregular quotes is left to the csv module from the first row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ci_magics.display.numbers import pluralize
from ci_magics.errors import SegmentError, names_somebody
from ci_magics.segmentation.sources.decoding import PIECE, Decoded, decoded
from ci_magics.segmentation.sources.files import refuse

_DELIMITERS = ",;\t|"
_HEAD = 4 * PIECE
#: The number of rows that choose the delimiter; all rows are validated when they are read.
_COMPARED = 200
#: The batch size of the csv module.
_ROWS = 16_384
#: A longer cell counts as an unclosed quote.
_LONGEST_CELL = 8 * PIECE
_SEP = re.compile(r"\ufeff*\"?sep=(.)\"?(?:\r\n|\r|\n)", re.IGNORECASE)
_MARK = "\ufeff"
_QUOTE = ord('"')
#: The share of rows that must have as many cells as the header for a delimiter to be accepted.
_AGREEING = 0.8


@dataclass(frozen=True)
class Delimited:
    """A file of rows and cells.

    Parameters
    ----------
    file
        The file and its encoding.
    delimiter
        The delimiter.
    names
        The columns.
    places
        The position of each column in a row.
    width
        The number of cells in the header.
    skipped
        The number of UTF-8 bytes up to the end of the header.
    header_lines
        The number of lines up to the end of the header.
    """

    file: Decoded
    delimiter: str
    names: tuple[str, ...]
    places: tuple[int, ...]
    width: int
    skipped: int
    header_lines: int

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns as text; an empty cell is null.

        Raises
        ------
        SegmentError
            A row has too many cells, or a quote is not closed.
        """
        for batch in self._batches([self.places[self.names.index(name)] for name in columns]):
            yield self._named(batch, columns)

    def line(self, row: int) -> int:
        """Return the line of the file on which a row ends, both counted from 1."""
        with self.file.opened(self.skipped) as stream:
            lines = (line for _cells, line in self._records(stream))
            return next(islice(lines, row - 1, None), 0) + self.header_lines

    def _batches(self, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the columns at some positions of a row."""
        done = 0
        if self._survey.is_empty:
            return
        if self._survey.in_order:
            try:
                for batch in self._by_arrow(places):
                    yield batch
                    done += batch.num_rows
            except pa.ArrowInvalid:
                pass  # a row has a different number of cells, or exceeds the block size
            else:
                return
        yield from self._by_row(places, done)

    def _named(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        arrays = list(batch.columns)
        if self._survey.has_mark:  # concatenated files have a mark where the second one begins
            arrays = [pc.replace_substring_regex(each, rf"\A{_MARK}+", "") for each in arrays]
            arrays = [pc.if_else(pc.equal(each, ""), pa.scalar(None, each.type), each) for each in arrays]
        return pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _by_arrow(self, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
        names = [str(place) for place in range(self.width)]
        wanted = [names[place] for place in places]
        with self.file.opened(self.skipped) as stream:
            reader = pa_csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=PIECE, column_names=names),
                parse_options=pa_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.large_string()),
                    include_columns=list(dict.fromkeys(wanted)),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            yield from (batch.select(wanted) for batch in reader)

    def _by_row(self, places: Sequence[int], skipped: int) -> Iterator[pa.RecordBatch]:
        rows = islice(self._rows(), skipped, None)
        while part := list(islice(rows, _ROWS)):
            arrays = [pa.array([row[place] or None for row in part], pa.large_string()) for place in places]
            yield pa.RecordBatch.from_arrays(arrays, names=[str(place) for place in places])

    def _rows(self) -> Iterator[list[str]]:
        """Yield the rows: short rows are padded with empty cells, and empty cells beyond the header are dropped."""
        number, short, whole = 0, 0, False
        with self.file.opened(self.skipped) as stream:
            for cells, line in self._records(stream):
                number += 1
                count = len(cells)
                if count > self.width and any(cells[self.width :]):
                    raise self._wrong(
                        number, line, f"has {count} cells, but the header has {_column_count(self.width)}"
                    )
                if short and count < self.width and short + count == self.width + 1:
                    raise self._wrong(number, line, "seems to be the rest of the row above it")
                short = count if count < self.width else 0
                whole = whole or not short
                yield [*cells, *[""] * (self.width - count)][: self.width]
        if short and not self._survey.ends_with_line:
            raise refuse(
                self.file.path,
                f"seems to be cut off: its last row has only {short} of {self.width} cells",
                "Copy or export it again.",
            )
        if number and not whole:
            raise refuse(
                self.file.path,
                f"has {_column_count(self.width)}, but each of its rows has fewer cells",
                "Are the column names in the first row? Delete the lines above them.",
            )

    def _records(self, stream: BinaryIO) -> Iterator[tuple[list[str], int]]:
        """Yield the raw rows, each with its last line; empty lines are skipped."""
        text = io.TextIOWrapper(stream, "utf-8", newline="")
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
        reader = csv.reader(text, delimiter=self.delimiter, strict=True)
        number = 0
        try:
            for cells in reader:
                if cells and (self.width == 1 or len(cells) > 1 or cells[0].strip()):
                    number += 1
                    yield cells, reader.line_num
        except csv.Error:
            what = "has a quote that is not closed, or text behind a quote that is"
            raise self._wrong(number + 1, reader.line_num, what) from None

    def _wrong(self, number: int, line: int, what: str) -> SegmentError:
        where = f"Row {number:,} of {Path(self.file.path).name} (line {self.header_lines + line:,})"
        return SegmentError(
            f"{where} {what}.",
            "Put text that holds a delimiter, a quote or a line end in double quotes, and write a quote in it twice. "
            "If the column names are not in the first row, delete the lines above them.",
            code="irregular_row",
        )

    def without_names(self, unnamed: Sequence[int]) -> tuple[int, list[int]]:
        """Return the number of cells in the longest row, and the unnamed columns that hold a value."""
        if self._survey.is_empty:
            return self.width, []
        filled: set[int] = set()
        if self._survey.in_order:
            with suppress(pa.ArrowInvalid):
                for batch in self._by_arrow(unnamed):
                    arrays = zip(unnamed, batch.columns, strict=True)
                    filled |= {place for place, each in arrays if each.null_count < len(each)}
                return self.width, sorted(filled)
        longest = 0
        with self.file.opened(self.skipped) as stream:
            for cells, _line in self._records(stream):
                longest = max(longest, len(cells))
                filled |= {place for place in unnamed if place < len(cells) and cells[place]}
        return longest, sorted(filled)

    @cached_property
    def _survey(self) -> _Survey:
        return _surveyed(self.file, self.skipped, self.delimiter)


@dataclass(frozen=True)
class _Survey:
    """Facts about a file's rows, from their bytes.

    Parameters
    ----------
    in_order
        Whether each quote opens or closes a cell, or is doubled within one.
    has_mark
        Whether there is a byte order mark among the rows.
    ends_with_line
        Whether the last row ends with a line end.
    is_empty
        Whether there are no rows.
    """

    in_order: bool
    has_mark: bool
    ends_with_line: bool
    is_empty: bool


def open_delimited(path: str, encoding: str | None = None) -> Delimited:
    """Read the header of a file, and detect its encoding and delimiter.

    Parameters
    ----------
    path
        The file.
    encoding
        The encoding that the user named, if any.

    Raises
    ------
    SegmentError
        There is no header, or the first row cannot be one.
    """
    file = decoded(path, encoding)
    with file.opened() as stream:
        head, ended = _head(stream)
    declared = _SEP.match(head)
    start = declared.end() if declared else 0
    delimiter = declared.group(1) if declared else _delimiter(head[start:], path, ended=ended)
    cells, length, lines = _header(head[start:], delimiter, path)
    before = head[: start + length]
    whole = Delimited(
        file,
        delimiter,
        names=(),
        places=(),
        width=len(cells),
        skipped=len(before.encode("utf-8")),
        header_lines=lines + (1 if declared else 0),
    )
    return _with_names(whole, cells)


def _with_names(whole: Delimited, cells: Sequence[str]) -> Delimited:
    """Name the columns. An unnamed column is dropped if it is empty, else named by its position."""
    path = whole.file.path
    if any(names_somebody(cell) for cell in cells):
        raise refuse(
            path,
            "has an e-mail address where the column names belong",
            "Put a row of column names above the first one, for example EMail.",
            code="no_header",
        )
    named = [place for place, cell in enumerate(cells) if cell]
    if not named:
        raise refuse(
            path, "has no column names in its first row", "Put a row of column names above the others.", "no_header"
        )
    unnamed = [place for place, cell in enumerate(cells) if not cell]
    if unnamed:
        longest, filled = whole.without_names(unnamed)
        if longest and longest <= len(named):  # the header alone has an extra delimiter
            names = tuple(cells[place] for place in named)
            return replace(whole, names=names, places=tuple(range(len(named))), width=len(named))
        if len(filled) > 1:
            raise refuse(
                path,
                f"has {pluralize(len(filled), 'column')} with values and without a name",
                "Are the column names in the first row? Delete the lines above them.",
                code="no_header",
            )
        named = sorted([*named, *filled])
    names = tuple(cells[place] or f"Column {place + 1}" for place in named)
    return replace(whole, names=names, places=tuple(named))


def _head(stream: BinaryIO) -> tuple[str, bool]:
    """Return the beginning of a text, and whether it is the whole text."""
    pieces, size = [], 0
    while size < _HEAD and (piece := stream.read(PIECE)):
        pieces.append(piece)
        size += len(piece)
    head = b"".join(pieces)
    ended = size < _HEAD
    return codecs.getincrementaldecoder("utf-8")().decode(head, final=ended), ended


def _delimiter(head: str, path: str, *, ended: bool) -> str:
    """Return the delimiter that splits the header and nearly all of the first rows into the same number of cells."""
    best, chosen = (False, 0, 0.0), "\t" if re.search(r"\.(tsv|tab)\b", path, re.IGNORECASE) else ","
    for delimiter in _DELIMITERS:
        records = _first_records(head, delimiter, ended=ended)
        if not records or len(records[0]) < 2:
            continue
        width, rows = len(records[0]), records[1:]
        fitting = sum(len(row) == width or (len(row) > width and not any(row[width:])) for row in rows)
        share = fitting / len(rows) if rows else 1.0
        best, chosen = max((best, chosen), ((share >= _AGREEING, width, share), delimiter), key=lambda each: each[0])
    return chosen


def _first_records(head: str, delimiter: str, *, ended: bool) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
            found += [cells] if cells else []
            if len(found) > _COMPARED:
                return found
    except csv.Error:
        return found
    return found if ended else found[:-1]


def _header(head: str, delimiter: str, path: str) -> tuple[list[str], int, int]:
    """Return the cells of the header, the length of the text up to its end, and its last line."""
    lines = io.StringIO(head, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            names = [cell.strip().strip(_MARK).strip() for cell in cells]
            if any(names):
                return names, lines.tell(), reader.line_num
    except csv.Error:
        raise refuse(
            path,
            "has a quote in its first row that is not closed, or text behind one that is",
            "Correct the row of column names.",
        ) from None
    raise refuse(path, "is empty: it has no row of column names", "Export it again, with a header.", code="empty_file")


def _surveyed(file: Decoded, skipped: int, delimiter: str) -> _Survey:
    """Check all quotes in one pass over the bytes, without parsing the rows.

    Quotes alternate between opening and closing. In a regular file, each opening quote follows, and each closing quote
    precedes, a delimiter, a line end or another quote (a doubled quote closes and reopens). ``inside`` is 1 if a block
    begins within quotes.
    """
    inside, before, in_order, has_mark, is_empty = 0, b"\n", True, False, True
    mark, around = _MARK.encode("utf-8"), np.zeros(256, bool)
    around[[ord(each) for each in f'{delimiter}\r\n"']] = True
    pieces = file.pieces(skipped)
    piece = next(pieces, b"")
    while piece:
        after = next(pieces, b"")
        has_mark = has_mark or mark in before[-3:] + piece
        is_empty = is_empty and not piece.strip(b"\r\n")
        if in_order and b'"' in piece:
            values = np.frombuffer(before[-1:] + piece + (after[:1] or b"\n"), np.uint8)
            quotes = np.flatnonzero(values[1:-1] == _QUOTE) + 1
            opening, closing = quotes[inside::2], quotes[1 - inside :: 2]
            in_order = bool(around[values[opening - 1]].all() and around[values[closing + 1]].all())
            inside = (inside + len(quotes)) % 2
        before, piece = (before + piece)[-3:], after
    return _Survey(in_order and not inside, has_mark, before.endswith((b"\r", b"\n")), is_empty)


def _column_count(count: int) -> str:
    return pluralize(count, "column name")
