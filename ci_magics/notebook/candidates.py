"""Completion candidates for each kind of argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.notebook.cursor import CursorPosition
from ci_magics.notebook.options import OPTIONS
from ci_magics.notebook.stored_names import Stored
from ci_magics.quoting import magic_word
from ci_magics.segmentation.sources.files import USUAL_ENCODINGS
from ci_magics.segmentation.sources.frame_kinds import is_frame, known_columns
from ci_magics.workspace.access import Role

_TAIL = re.compile(r"[\w.]*$")
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Candidates:
    """Names of one kind.

    Parameters
    ----------
    kind
        The label shown beside each name.
    names
        The names.
    tail
        The end of the typed value that a name replaces; None to replace the whole value.
    """

    kind: str
    names: Iterable[str]
    tail: str | None = None


@dataclass(frozen=True)
class NameSources:
    """The sources of names: the notebook's variables and the workspace."""

    variables: Mapping[str, Any]
    stored: Stored

    def instances(self, module: str, kind: str) -> list[str]:
        """Return the variables that hold instances of a type, which is compared by name to avoid importing it.

        Parameters
        ----------
        module
            The module that defines the type.
        kind
            The name of the type.
        """
        return [
            name
            for name, value in self.variables.items()
            if not name.startswith("_") and (type(value).__module__, type(value).__name__) == (module, kind)
        ]

    def frames(self) -> list[str]:
        """Return the variables that hold frames."""
        return [name for name, value in self.variables.items() if not name.startswith("_") and is_frame(value)]


def variables_of(variables: Mapping[str, Any]) -> list[str]:
    """Return the names of the user's own variables."""
    hidden = {"In", "Out", "exit", "quit", "get_ipython", "open"}
    return [name for name in variables if not name.startswith("_") and name not in hidden]


def _segments(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("segment", sources.stored.names("segment"))
    yield Candidates("variable", sources.instances("ci_magics.segmentation.segment", "Segment"))


def _connections(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("connection", sources.stored.names("connection"))
    yield Candidates("variable", sources.instances("ci_magics.workspace.models", "Connection"))


def _instances(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("instance", sources.stored.names("instance"))


def _insights_segments(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    """Yield the Customer Insights segments from the last listing; makes no request."""
    yield Candidates("segment", sources.stored.names("insights segment"))


def _audiences(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("audience", sources.stored.names("audience"))


def _exports(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("export", sources.stored.names("export"))


def _runs(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    """Yield the unfinished runs, newest first."""
    yield Candidates("run", sources.stored.names("run"))


def _frames(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("frame", sources.frames())


def _columns(cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("column", _columns_at(cursor, sources))


def _columns_at(cursor: CursorPosition, sources: NameSources) -> list[str]:
    """Return the columns of the frames named in the line or cell; else the known columns of the named segments."""
    named = [word.text for word in cursor.named("frame")] or _WORDS.findall(cursor.body)
    columns = [column for name in dict.fromkeys(named) for column in known_columns(sources.variables.get(name))]
    if columns:
        return columns
    return [column for word in cursor.named("segment") for column in sources.stored.columns(word.text)]


def _condition(cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    """Yield columns that complete the last word of a condition."""
    found = _TAIL.search(cursor.text)
    written = map(magic_word, _columns_at(cursor, sources))
    names = [name for name in written if not cursor.quote or cursor.quote not in name]
    yield Candidates("column", names, found.group() if found else "")


def _rule(cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    """Yield columns that complete the last word of a rule, or segments after an opening single quote."""
    before, quote, name = cursor.text.rpartition("'")
    if cursor.quote == '"' and quote and before.count("'") % 2 == 0:
        yield Candidates("segment", [f"{each}'" for each in sources.stored.names("segment")], name)
    else:
        yield from _condition(cursor, sources)


def _files(cursor: CursorPosition, _sources: NameSources) -> Iterator[Candidates]:
    """Yield the files and folders that match the typed path."""
    head, slash, tail = cursor.text.rpartition("/")
    try:
        folder = Path(f"{head}{slash}").expanduser() if head or slash else Path()
        entries = sorted(folder.iterdir())
    except (OSError, RuntimeError):
        return  # the folder does not exist or is not readable, or the home folder is unknown
    hidden = tail.startswith(".")
    yield Candidates(
        "file",
        [
            f"{head}{slash}{each.name}{'/' if each.is_dir() else ''}"
            for each in entries
            if hidden or not each.name.startswith(".")
        ],
    )


def _encodings(_cursor: CursorPosition, _sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("encoding", USUAL_ENCODINGS)


def _options(_cursor: CursorPosition, _sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("option", [f"{each.name}={value}" for each in OPTIONS.values() for value in each.values])


def _shares(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    """Yield what a connection can be shared with: roles, and users known to the workspace."""
    yield Candidates("role", list(Role))
    yield Candidates("user", sources.stored.names("user"))


def _users(_cursor: CursorPosition, sources: NameSources) -> Iterator[Candidates]:
    yield Candidates("user", sources.stored.names("user"))


KINDS: dict[str, Callable[[CursorPosition, NameSources], Iterator[Candidates]]] = {
    "audience": _audiences,
    "column": _columns,
    "condition": _condition,
    "connection": _connections,
    "encoding": _encodings,
    "export": _exports,
    "file": _files,
    "frame": _frames,
    "insights segment": _insights_segments,
    "instance": _instances,
    "option": _options,
    "rule": _rule,
    "run": _runs,
    "segment": _segments,
    "share": _shares,
    "user": _users,
}
