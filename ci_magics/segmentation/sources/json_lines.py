"""NDJSON, one JSON object per line, as text columns. Numbers keep their original digits."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from ci_magics.errors import SegmentError, names_somebody
from ci_magics.segmentation.sources.decoding import Decoded, decoded
from ci_magics.segmentation.sources.files import refuse

#: The batch size.
_ROWS = 16_384


class _Number(str):
    """A number with its original digits."""

    __slots__ = ()


@dataclass(frozen=True)
class JsonLines:
    """A file of JSON objects.

    Parameters
    ----------
    file
        The file and its encoding.
    names
        The columns: all names in the file's objects, in order of first appearance.
    """

    file: Decoded
    names: tuple[str, ...]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns as text; a missing value is null, and objects and lists are JSON.

        Raises
        ------
        SegmentError
            A line is not an object.
        """
        rows = (row for row, _line in _objects(self.file))
        while part := list(islice(rows, _ROWS)):
            arrays = [pa.array([_text(row.get(name)) for row in part], pa.large_string()) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def line(self, row: int) -> int:
        """Return the line of the file with a row, both counted from 1."""
        return next(islice((line for _row, line in _objects(self.file)), row - 1, None), 0)


def open_json_lines(path: str, encoding: str | None = None) -> JsonLines:
    """Read the whole file for its column names, because any object can add one.

    Parameters
    ----------
    path
        The file.
    encoding
        The encoding that the user named, if any.

    Raises
    ------
    SegmentError
        A line is not an object, or the file has no objects.
    """
    file = decoded(path, encoding)
    names: dict[str, None] = {}
    for row, _line in _objects(file):
        names.update(dict.fromkeys(row))
    if not names:
        raise refuse(path, "is empty: it has no JSON object", "Export it again.", code="empty_file")
    if any(map(names_somebody, names)):
        raise refuse(
            path,
            "has an e-mail address where the column names belong",
            'Write one object a line, for example {"Id": "c1", "EMail": "..."}.',
            "no_header",
        )
    return JsonLines(file, tuple(names))


def _objects(file: Decoded) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the objects of a file, each with its line."""
    with file.opened() as stream:
        for line, text in enumerate(io.TextIOWrapper(stream, "utf-8", newline="\n"), start=1):
            written = text.strip("\ufeff \t\r\n")
            if written:
                yield _object(written, file, line), line


def _object(written: str, file: Decoded, line: int) -> dict[str, Any]:
    if line == 1 and written.startswith("["):
        raise refuse(
            file.path,
            "is one JSON list",
            "Write one object a line, for example with df.to_json(path, orient='records', lines=True).",
        )
    try:
        row = json.loads(
            written, parse_float=_Number, parse_int=_Number, parse_constant=_Number, object_pairs_hook=_pairs
        )
    except (ValueError, RecursionError):
        raise _wrong(file, line, "is not JSON") from None
    except SegmentError as error:
        raise _wrong(file, line, error.sentence) from None
    if not isinstance(row, dict):
        raise _wrong(file, line, "is not a JSON object")
    return row


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _value in pairs).items() if count > 1)
        raise SegmentError("has one name twice" if names_somebody(twice) else f"has the name '{twice}' twice")
    return found


def _wrong(file: Decoded, line: int, what: str) -> SegmentError:
    return SegmentError(
        f"Line {line:,} of {Path(file.path).name} {what}.",
        'Each line is one object, for example {"Id": "c1", "EMail": "..."}.',
        code="irregular_row",
    )


def _nested(value: Any) -> str:
    """Convert an object or a list to JSON, with the original digits of its numbers."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name, ensure_ascii=False)}: {_nested(value[name])}' for name in value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = _nested(value)
    # A lone surrogate has no UTF-8 encoding. Escaped with a backslash, it is still not a valid address.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") or None if isinstance(value, str) else None
