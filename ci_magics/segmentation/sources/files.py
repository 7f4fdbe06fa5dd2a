"""Resolve names of files and detect file formats; every file is opened through this module.

The first bytes decide the format if they identify it (Parquet, Excel, compressed data), else the extension does.
"""

from __future__ import annotations

import glob
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from ci_magics.advice import Advice
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError, SegmentError

_ENDINGS = r"parquet|pq|csv|tsv|tab|txt|jsonl|ndjson|json|xlsx|xlsm|xls|xlsb|ods"  # supported extensions
_NAME = re.compile(rf"\.(?:(?P<ending>{_ENDINGS})(?:\.(?:gz|zst|bz2|zip))?|zip)\Z", re.IGNORECASE)
_QUERY = re.compile(r"\s*(?:select|from|with)\s", re.IGNORECASE)
_BEGUN_QUERY = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:select|from|with|pivot|unpivot|values|table|describe|summarize|show)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORKBOOK = re.compile(r"\.(?:xlsx|xlsm|xls|xlsb|ods)\Z", re.IGNORECASE)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"PK\x03\x04": "zip"}
_OTHER_FORMATS = {
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow (Feather) file",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_LONGEST_PATH = 4096
#: Encodings that a user may have to name, as Python calls them.
USUAL_ENCODINGS = (
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1254",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "mac_roman",
    "shift_jis",
)


class FileKind(Enum):
    """How a file is read."""

    PARQUET = auto()
    DELIMITED = auto()  #: CSV and related formats
    LINES = auto()  #: one JSON object per line
    SHEET = auto()  #: a sheet of an Excel or OpenDocument workbook

    @property
    def has_encoding(self) -> bool:
        """Whether files of this kind are text, whose encoding can vary."""
        return self in (FileKind.DELIMITED, FileKind.LINES)


@dataclass(frozen=True)
class Encoded:
    """A file name together with the encoding that the user named.

    Parameters
    ----------
    name
        A path or pattern.
    encoding
        The encoding, by any name that Python knows.
    """

    name: str
    encoding: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class FileSet:
    """Files that are read together.

    Parameters
    ----------
    name
        What the user wrote, without the folder.
    kind
        The format of all files.
    paths
        The files, in reading order.
    sheet
        The sheet of a workbook; None for the first one.
    """

    name: str
    kind: FileKind
    paths: tuple[str, ...]
    sheet: str | None = None


def is_path(value: Any) -> bool:
    """Return whether a value names files that a segment can be built from."""
    if isinstance(value, Path | Encoded):
        return True
    if not isinstance(value, str) or "\n" in value.strip() or len(value) > _LONGEST_PATH:
        return False
    name = value.strip()
    workbook, _sheet = _split_sheet(name) or (name, "")
    named = _NAME.search(workbook) is not None
    return named and (_QUERY.match(name) is None or _exact(name) is not None or _exact(workbook) is not None)


def is_query(text: str) -> bool:
    """Return whether a text begins like a query, possibly after a comment; the query may be invalid."""
    return _BEGUN_QUERY.match(text) is not None


def encoded(source: Any, encoding: str | None) -> Any:
    """Combine a source with the encoding that the user named, if any.

    Parameters
    ----------
    source
        The source.
    encoding
        The encoding; None to return the source unchanged.

    Raises
    ------
    ArgumentError
        An encoding is given, and the source is not a text file.
    SegmentError
        The file does not exist.
    """
    if encoding is None:
        return source
    if is_path(source):
        named = encoded_text(source, encoding)
        if isinstance(named, Encoded):
            return named
    raise no_text()


def encoded_text(path: str, encoding: str | None) -> str | Encoded:
    """Combine a file of a query with the encoding if the file is text.

    Parameters
    ----------
    path
        The file.
    encoding
        The encoding that the user named, if any.
    """
    return path if encoding is None or not locate(path).kind.has_encoding else Encoded(str(path), encoding)


def no_text() -> ArgumentError:
    """Return the error for an encoding without a text file."""
    return ArgumentError(
        "Only files of text have an encoding.",
        "Leave out the encoding, or name a CSV or JSON Lines file.",
        code="no_encoding",
    )


def locate(value: Any) -> FileSet:
    """Return the files that a path or pattern names.

    A file with exactly this name takes precedence, so ``[``, ``*``, ``?`` and ``#`` can be part of a name. Otherwise, a
    sheet of a workbook can follow a ``#``, and ``*``, ``?``, ``[...]`` and ``**`` form a pattern.

    Raises
    ------
    SegmentError
        The file does not exist, it is a folder, or its format is not supported.
    """
    name = str(value)
    exact = _exact(name)
    if exact is not None:
        return _file_set((exact,))
    name = os.path.expanduser(name.strip())  # noqa: PTH111 - a pattern is not a path
    split = _split_sheet(name)
    if split is not None and Path(split[0]).is_file():
        return _file_set((split[0],), split[1])
    if split is not None and not glob.has_magic(name):
        raise _no_file(split[0])
    found = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []  # noqa: PTH207 - absolute patterns
    paths = tuple(path for path in found if Path(path).is_file())
    if not paths:
        raise _folder(name) if Path(name).is_dir() else _no_file(name)
    return _file_set(paths)


def absolute(value: Any) -> str:
    """Return a name of files as an absolute path or pattern."""
    name = str(value)
    return str(Path(_exact(name) or os.path.expanduser(name.strip())).absolute())  # noqa: PTH111 - a pattern is not a path


def compression(path: str) -> str | None:
    """Return how a file is compressed, based on its first bytes: gzip, zstd, bz2, zip or None."""
    start = _start(path)
    return next((name for mark, name in _COMPRESSED.items() if start.startswith(mark)), None)


def refuse(path: str, what: str, next_step: str | Advice, code: str = "unreadable_file") -> SegmentError:
    """Return the error for a file that cannot be read.

    Parameters
    ----------
    path
        The file; only its name is shown.
    what
        What is wrong; follows the file's name in the sentence.
    next_step
        What the user can do.
    code
        The error's code.
    """
    return SegmentError(f"{Path(path).name} {what}.", next_step, code=code)


def _exact(name: str) -> str | None:
    """Return a file with exactly this name, if there is one."""
    if "\0" in name or len(name) > _LONGEST_PATH:
        return None
    candidates = (name, name.strip(), os.path.expanduser(name.strip()))  # noqa: PTH111 - as text
    try:
        return next((each for each in candidates if each and Path(each).is_file()), None)
    except OSError:  # the name is too long for the file system
        return None


def _split_sheet(name: str) -> tuple[str, str] | None:
    """Return the workbook and the sheet of ``clients.xlsx#Orders``; None for any other name."""
    for place in (found.start() for found in re.finditer("#", name)):
        if _WORKBOOK.search(name[:place]) and name[place + 1 :]:
            return name[:place], name[place + 1 :]
    return None


def _file_set(paths: tuple[str, ...], sheet: str | None = None) -> FileSet:
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        raise SegmentError(
            "The pattern matches files of different formats.",
            "Write a pattern that matches files of one format, for example part-*.parquet.",
            code="mixed_formats",
        )
    kind = kinds.pop()
    if kind is FileKind.SHEET and len(paths) > 1:
        raise SegmentError(
            "A pattern cannot name several workbooks.",
            "Name one workbook, for example clients.xlsx, or save the sheets as CSV.",
            code="several_workbooks",
        )
    name = Path(paths[0]).name if len(paths) == 1 else f"{Path(paths[0]).name} and {len(paths) - 1} more"
    return FileSet(name, kind, paths, sheet)


def _kind(path: str) -> FileKind:
    start = _start(path)
    ending = _ending(path)
    if start.startswith(b"PAR1"):
        return FileKind.PARQUET
    if ending in ("parquet", "pq"):
        raise refuse(path, "cannot be read: it is not a Parquet file", "Export it again, and copy it completely.")
    if start.startswith(_OLD_EXCEL):
        return FileKind.SHEET
    if start.startswith(b"PK\x03\x04"):
        return _kind_in_zip(path)
    for mark, what in _OTHER_FORMATS.items():
        if start.startswith(mark):
            raise refuse(path, f"cannot be read: it is {what}", "Save it as CSV, Parquet or Excel.")
    if re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|\?xml)", start, re.IGNORECASE):
        raise refuse(
            path,
            "cannot be read: it is a web page or XML, whatever its ending says",
            "Open it in Excel and save it as .xlsx or CSV.",
        )
    if not start:
        raise refuse(path, "is empty: it has no row of column names", "Export it again.", code="empty_file")
    if ending in ("xlsx", "xlsm", "xlsb", "ods") or (ending == "xls" and b"\0" in start):
        raise refuse(path, "cannot be read: it is not an Excel workbook", "Open it in Excel and save it as .xlsx.")
    return FileKind.LINES if ending in ("jsonl", "ndjson", "json") else FileKind.DELIMITED


def _kind_in_zip(path: str) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each for each in archive.namelist() if not each.endswith("/") and "__MACOSX" not in each]
    except zipfile.BadZipFile:
        raise refuse(path, "cannot be read: it is cut off or damaged", "Copy or export it again.") from None
    if "content.xml" in names or any(each.startswith("xl/") for each in names):
        return FileKind.SHEET
    if len(names) != 1:
        raise refuse(path, f"is an archive of {pluralize(len(names), 'file')}", "Unpack it, and name the file to read.")
    return FileKind.LINES if _ending(names[0]) in ("jsonl", "ndjson", "json") else FileKind.DELIMITED


def _ending(path: str) -> str:
    found = _NAME.search(path)
    return (found.group("ending") or "").lower() if found else ""


def _start(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(512)
    except FileNotFoundError:
        raise vanished(f"The file {Path(path).name}") from None
    except PermissionError:
        raise refuse(path, "cannot be opened: you have no right to read it", "Ask for the right.") from None
    except OSError as error:
        raise refuse(path, f"cannot be opened ({type(error).__name__})", "Check the disk or the network.") from None


def _no_file(name: str) -> SegmentError:
    return SegmentError(
        f"There is no file '{Path(name).name}'.",
        "Check the path; patterns such as part-*.parquet work too.",
        code="no_file",
    )


def _folder(name: str) -> SegmentError:
    folder = Path(name).name
    return SegmentError(
        f"{folder} is a folder.", f"Name the files in it, for example {folder}/*.parquet.", code="no_file"
    )


def require_files(paths: Sequence[str]) -> None:
    """Require that files still exist.

    Raises
    ------
    SegmentError
        A file no longer exists.
    """
    for path in paths:
        if not Path(path).is_file():
            raise vanished(f"The file {Path(path).name}")


def vanished(what: str) -> SegmentError:
    """Return the error for a file that no longer exists."""
    return SegmentError(f"{what} is no longer there.", "Put it back, or name another one.", code="file_vanished")
