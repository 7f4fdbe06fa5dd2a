"""Completion candidates for each kind of argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.notebook.options import OPTIONS
from ci_magics.notebook.place import Place
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
class Surroundings:
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


def _segments(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("segment", around.stored.names("segment"))
    yield Candidates("variable", around.instances("ci_magics.segmentation.segment", "Segment"))


def _connections(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("connection", around.stored.names("connection"))
    yield Candidates("variable", around.instances("ci_magics.workspace.models", "Connection"))


def _instances(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("instance", around.stored.names("instance"))


def _insights_segments(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    """Yield the Customer Insights segments from the last listing; makes no request."""
    yield Candidates("segment", around.stored.names("insights segment"))


def _audiences(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("audience", around.stored.names("audience"))


def _exports(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("export", around.stored.names("export"))


def _runs(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    """Yield the unfinished runs, newest first."""
    yield Candidates("run", around.stored.names("run"))


def _frames(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("frame", around.frames())


def _columns(place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("column", _columns_at(place, around))


def _columns_at(place: Place, around: Surroundings) -> list[str]:
    """Return the columns of the frames named in the line or cell; else the known columns of the named segments."""
    named = [word.text for word in place.named("frame")] or _WORDS.findall(place.body)
    columns = [column for name in dict.fromkeys(named) for column in known_columns(around.variables.get(name))]
    if columns:
        return columns
    return [column for word in place.named("segment") for column in around.stored.columns(word.text)]


def _condition(place: Place, around: Surroundings) -> Iterator[Candidates]:
    """Yield columns that complete the last word of a condition."""
    found = _TAIL.search(place.text)
    written = map(magic_word, _columns_at(place, around))
    names = [name for name in written if not place.quote or place.quote not in name]
    yield Candidates("column", names, found.group() if found else "")


def _rule(place: Place, around: Surroundings) -> Iterator[Candidates]:
    """Yield columns that complete the last word of a rule, or segments after an opening single quote."""
    before, quote, name = place.text.rpartition("'")
    if place.quote == '"' and quote and before.count("'") % 2 == 0:
        yield Candidates("segment", [f"{each}'" for each in around.stored.names("segment")], name)
    else:
        yield from _condition(place, around)


def _files(place: Place, _around: Surroundings) -> Iterator[Candidates]:
    """Yield the files and folders that match the typed path."""
    head, slash, tail = place.text.rpartition("/")
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


def _encodings(_place: Place, _around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("encoding", USUAL_ENCODINGS)


def _options(_place: Place, _around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("option", [f"{each.name}={value}" for each in OPTIONS.values() for value in each.values])


def _shares(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    """Yield what a connection can be shared with: roles, and users known to the workspace."""
    yield Candidates("role", list(Role))
    yield Candidates("user", around.stored.names("user"))


def _users(_place: Place, around: Surroundings) -> Iterator[Candidates]:
    yield Candidates("user", around.stored.names("user"))


KINDS: dict[str, Callable[[Place, Surroundings], Iterator[Candidates]]] = {
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
