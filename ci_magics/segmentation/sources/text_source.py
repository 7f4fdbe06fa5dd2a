"""Text files as one source: columns as text, and their types, which all values decide."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ci_magics.advice import Opt
from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.delimited import Delimited, open_delimited
from ci_magics.segmentation.sources.exact import TEXT, ColumnSurvey, Need, converted, first_misfit
from ci_magics.segmentation.sources.excel import Sheet, open_sheet
from ci_magics.segmentation.sources.files import FileKind, FileSet
from ci_magics.segmentation.sources.frames import require_different, require_different_in_sql
from ci_magics.segmentation.sources.json_lines import JsonLines, open_json_lines
from ci_magics.segmentation.sources.rows import BATCH

#: Files below this size in bytes are parsed once and kept in memory while they are in use.
SMALL = 32 << 20
#: The number of cached sources, so that the steps of one command need not open them again.
_CACHE_SIZE = 4
#: The line of a row is searched for up to this row number, because a user waits for the answer.
_ROWS_WITH_LINES = 2_000_000


class _Part(Protocol):
    """One file."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True)
class Misfit:
    """The first value of a column without the type that a condition needs.

    Parameters
    ----------
    row
        The position, in words.
    column
        The column.
    need
        The needed type.
    value
        The value, which selects the advice; never shown.
    """

    row: str
    column: str
    need: Need
    value: str

    def error(self) -> SegmentError:
        """Return the error that names the row."""
        return SegmentError(
            f"{self.row}: {self.column} is not {self.need.value}.", _advice(self), code="not_" + self.need.name.lower()
        )


class TextSource:
    """Text files that are read together, in order.

    Parameters
    ----------
    files
        The files.
    encoding
        Their encoding, if the user named it.

    Raises
    ------
    SegmentError
        A file cannot be read, two columns have the same name, or the files have different columns.
    """

    def __init__(self, files: FileSet, encoding: str | None = None) -> None:
        self.files = files
        self._parts: list[tuple[str, _Part]] = [(path, _opened(files, path, encoding)) for path in files.paths]
        self.names = tuple(dict.fromkeys(name for _path, part in self._parts for name in part.names))
        for path, part in self._parts:
            require_different(part.names, "file")
            if files.kind is not FileKind.LINES:  # an object omits missing values
                _require_same(self._parts[0], (path, part))
        require_different_in_sql(self.names)
        self._types: dict[str, pa.DataType] = {}
        self._kept = self._small()

    @property
    def notices(self) -> list[str]:
        """Notices for the user: detected encodings other than UTF-8, and numbers shown in another format."""
        found = []
        for path, part in self._parts:
            if isinstance(part, Delimited | JsonLines) and not part.file.is_utf8 and not part.file.given:
                found.append(
                    f"{Path(path).name} is not UTF-8: it is read as {part.file.shown}. "
                    f"If letters look wrong, name its encoding with {Opt('encoding')}."
                )
            if isinstance(part, Sheet):
                found += part.doubts
        return found

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns as text, batch by batch; an empty cell is null."""
        if self._kept is not None:
            yield from self._kept.select(list(columns)).to_batches(max_chunksize=BATCH)
            return
        for _path, part in self._parts:
            yield from _larger(self._of_part(part, columns))

    def types(self, columns: Iterable[str]) -> Mapping[str, pa.DataType]:
        """Return the type that holds every value of each column exactly; text unless it is a number, date or Boolean.

        Reads the columns to the end, once.
        """
        missing = [name for name in dict.fromkeys(columns) if name not in self._types]
        surveys = {name: ColumnSurvey() for name in missing}
        open_ones = list(missing)
        for batch in self.read(missing) if missing else ():
            for name in open_ones:
                surveys[name].add(batch.column(name))
            open_ones = [name for name in open_ones if not surveys[name].is_text]
            if not open_ones:
                break
        self._types |= {name: survey.type() for name, survey in surveys.items()}
        return {name: self._types[name] for name in dict.fromkeys(columns)}

    def typed(self, columns: Sequence[tuple[str, str, pa.DataType]]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return columns under other names and with given types.

        Parameters
        ----------
        columns
            For each column its name here, its name in the result, and its type.
        """
        schema = pa.schema([(shown, kind) for _name, shown, kind in columns])
        read = list(dict.fromkeys(name for name, _shown, _kind in columns))

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in self.read(read):
                arrays = [converted(batch.column(name), kind) for name, _shown, kind in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        return schema, batches()

    def misfit(self, column: str, need: Need) -> Misfit | None:
        """Return the first value of a column without the type that a condition needs; else None.

        Parameters
        ----------
        column
            The column.
        need
            The needed type.
        """
        for path, part in self._parts:
            before = 0
            for batch in self._of_part(part, [column]):
                place = first_misfit(batch.column(0), need)
                if place is not None:
                    return Misfit(_row(path, part, before + place), column, need, batch.column(0)[place].as_py())
                before += batch.num_rows
        return None

    def _of_part(self, part: _Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of a file; JSON columns that the file lacks are null."""
        known = [name for name in columns if name in part.names]
        if len(known) == len(columns):
            yield from part.batches(columns)
            return
        for batch in part.batches(known or part.names[:1]):
            nothing = pa.nulls(batch.num_rows, TEXT)
            arrays = [batch.column(name) if name in known else nothing for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _small(self) -> pa.Table | None:
        """Return all rows if the files are small."""
        if self.files.kind is FileKind.SHEET:
            table = self._parts[0][1]
            return table.table if isinstance(table, Sheet) else None
        if sum(Path(path).stat().st_size for path in self.files.paths) > SMALL:
            return None
        batches, size = [], 0
        for _path, part in self._parts:
            for batch in self._of_part(part, self.names):
                size += batch.nbytes
                if size > 4 * SMALL:  # the files are compressed
                    return None
                batches.append(batch)
        return pa.Table.from_batches(batches, pa.schema([(name, TEXT) for name in self.names])).combine_chunks()


_cache: dict[object, TextSource] = {}


def text_source(files: FileSet, encoding: str | None = None) -> TextSource:
    """Open text files; recently opened files that have not changed come from a cache.

    Parameters
    ----------
    files
        The files.
    encoding
        Their encoding, if the user named it.
    """
    key = (files, encoding, tuple(map(_identity, files.paths)))
    found = _cache.pop(key, None) or TextSource(files, encoding)
    _cache[key] = found
    while len(_cache) > _CACHE_SIZE:
        _cache.pop(next(iter(_cache)))
    return found


def _identity(path: str) -> tuple[str, int, int, int, int]:
    about = os.stat(path)  # noqa: PTH116 - four of its fields
    return str(Path(path).absolute()), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _opened(files: FileSet, path: str, encoding: str | None) -> _Part:
    if files.kind is FileKind.SHEET:
        return open_sheet(path, files.sheet)
    return open_json_lines(path, encoding) if files.kind is FileKind.LINES else open_delimited(path, encoding)


def _require_same(first: tuple[str, _Part], other: tuple[str, _Part]) -> None:
    """Require that files that are read together have the same columns, in any order."""
    for (path, part), (other_path, lacking) in ((first, other), (other, first)):
        missing = next((name for name in part.names if name not in lacking.names), None)
        if missing is not None:
            raise SegmentError(
                f"{Path(path).name} has a column '{missing}', and {Path(other_path).name} has none of this name.",
                "Files that are read together need the same columns.",
                code="different_columns",
            )


def _larger(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Merge small batches, because later steps are cheaper for few large ones."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= BATCH // 2:
            yield _joined(waiting)
            waiting, rows = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).combine_chunks()
    return pa.RecordBatch.from_arrays([column.chunk(0) for column in table.columns], schema=table.schema)


def _row(path: str, part: _Part, place: int) -> str:
    """Return the position of a row in words for the user."""
    name = Path(path).name
    if isinstance(part, Sheet):
        return f"Row {part.numbers[place].as_py():,} of the sheet {part.title} in {name}"
    if not isinstance(part, Delimited | JsonLines) or place >= _ROWS_WITH_LINES:
        return f"Row {place + 1:,} of {name}"
    return f"Row {place + 1:,} of {name} (line {part.line(place + 1):,})"


def _advice(misfit: Misfit) -> str:
    column, value = misfit.column, misfit.value.strip()
    if misfit.need is Need.TRUTH:
        return f"Compare it with a value that it has, for example {column} = 'yes'."
    if misfit.need is Need.MOMENT:
        return "Dates are written 2026-01-31, times 2026-01-31 14:30. strptime(column, '%d.%m.%Y') reads others."
    if value[:1] == "0" and value.isdigit():
        return f"It begins with a zero, so {column} is text: compare it with a text in quotes."
    if "," in value:
        return (
            "Numbers are written with a decimal point and nothing between the thousands. In the condition, "
            f"CAST(replace({column}, ',', '.') AS DECIMAL(18, 2)) reads a decimal comma."
        )
    return f"Correct the row; or TRY_CAST({column} AS DECIMAL(18, 2)) leaves out what is not a number."
