"""The names in the workspace, ready for Tab completion.

A workspace in a file is read on each Tab. That takes a millisecond or two once the libraries are loaded; a thread loads
them after the first cell, the one that loads the extension. Tab never queries a database server. The same thread
queries it after each cell, and Tab offers the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from ci_magics.errors import CiError
from ci_magics.workspace.access import current_user
from ci_magics.workspace.location import default_location, file_of

if TYPE_CHECKING:
    from ci_magics.workspace.models import SegmentRecord
    from ci_magics.workspace.store import Workspace

#: In seconds: how long Tab waits for libraries that are still loading, and how long `end` waits for a hanging server.
_PATIENCE, _FAREWELL = 0.01, 1.0


def _interrupted(workspace: Workspace) -> list[str]:
    """Return the unfinished runs, newest first."""
    return [each.name for each in reversed(list(workspace.runs)) if each.finished_at is None]


_LISTS: Mapping[str, Callable[[Workspace], Sequence[str]]] = {
    "audience": lambda workspace: [each.name for each in workspace.audiences],
    "connection": lambda workspace: workspace.connections.names(),
    "export": lambda workspace: workspace.exports.names(),
    # From the last listing: Customer Insights is not called.
    "insights segment": lambda workspace: [name for each in workspace.insights for name in each.known_segments],
    "instance": lambda workspace: workspace.insights.names(),
    "run": _interrupted,
    "segment": lambda workspace: workspace.segments.names(),
    "user": lambda workspace: workspace.roles.names(),
}


class Stored(Protocol):
    """The names that a workspace offers for completion."""

    def names(self, kind: str) -> Sequence[str]:
        """Return all names of a kind."""

    def columns(self, segment: str) -> Sequence[str]:
        """Return the known columns of a segment."""


@dataclass(frozen=True)
class _Read:
    """Reads the names from the workspace directly."""

    workspace: Workspace

    def names(self, kind: str) -> Sequence[str]:
        return _LISTS[kind](self.workspace)

    def columns(self, segment: str) -> Sequence[str]:
        record = self.workspace.segments.get(segment)
        return [] if record is None else _columns_of(record)


@dataclass(frozen=True)
class _Seen:
    """A snapshot of the names from the last look at the workspace."""

    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns_of: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def names(self, kind: str) -> Sequence[str]:
        return self.lists.get(kind, ())

    def columns(self, segment: str) -> Sequence[str]:
        return self.columns_of.get(segment, ())


@dataclass(frozen=True)
class _WorkspaceLocation:
    """A workspace and a user: each user may see different names."""

    location: str = field(repr=False)  # a URL may hold a password
    user: str

    @classmethod
    def now(cls) -> _WorkspaceLocation:
        return cls(default_location(), current_user())

    @property
    def file(self) -> Path | None:
        """The database's file; None for a server."""
        return file_of(self.location)


class StoredNames:
    """The names in the current default workspace."""

    def __init__(self) -> None:
        self._requests: Queue[_WorkspaceLocation | None] = Queue()
        self._thread: threading.Thread | None = None
        self._warm = threading.Event()
        #: Weak references: completion keeps no workspace open.
        self._opened: WeakValueDictionary[_WorkspaceLocation, Workspace] = WeakValueDictionary()
        self._seen: dict[_WorkspaceLocation, _Seen] = {}

    def names(self, kind: str) -> Sequence[str]:
        """Return all names of a kind."""
        return self._cached_or_open().names(kind)

    def columns(self, segment: str) -> Sequence[str]:
        """Return the known columns of a segment."""
        return self._cached_or_open().columns(segment)

    def look_again(self, _result: object = None) -> None:
        """Queue a background look at the workspace where Tab cannot read it: before libraries load, or on a server."""
        try:
            location = _WorkspaceLocation.now()
            if location.file is not None and self._warm.is_set():
                return
        except CiError:
            return  # the workspace's location is unknown; the next magic reports why
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="ci-magics names", daemon=True)
            self._thread.start()
        self._requests.put(location)

    def wait(self) -> None:
        """Wait until all queued looks are done."""
        self._requests.join()

    def end(self) -> None:
        """Stop the background thread."""
        if self._thread is not None:
            self._requests.put(None)
            self._thread.join(_FAREWELL)

    def _cached_or_open(self) -> Stored:
        location = _WorkspaceLocation.now()
        if location.file is None:
            return self._seen.get(location, _Seen())
        if not location.file.is_file():
            return _Seen()
        if self._thread is None:
            self.look_again()
        workspace = self._open(location) if self._warm.wait(_PATIENCE) else None
        return _Seen() if workspace is None else _Read(workspace)

    def _look(self) -> None:
        while (location := self._requests.get()) is not None:
            try:
                if self._requests.empty():  # else a newer request follows
                    self._read_names(location)
            finally:
                self._requests.task_done()
        self._requests.task_done()

    def _read_names(self, location: _WorkspaceLocation) -> None:
        try:
            workspace = self._open(location)
            if workspace is not None:
                self._seen[location] = _seen_in(workspace)
        except CiError:
            pass  # the workspace cannot be read now, which the next magic reports; the last snapshot stays
        finally:
            self._warm.set()

    def _open(self, location: _WorkspaceLocation) -> Workspace | None:
        """Open a workspace if it exists; the first time, this loads the database libraries."""
        from ci_magics.workspace.store import existing_workspace

        workspace = self._opened.get(location)
        if workspace is None:
            workspace = existing_workspace(location.location)
            if workspace is None or workspace.user != location.user:
                return None
            self._opened[location] = workspace
        return workspace


def _seen_in(workspace: Workspace) -> _Seen:
    return _Seen(
        {kind: read(workspace) for kind, read in _LISTS.items()},
        {each.name: _columns_of(each) for each in workspace.segments},
    )


def _columns_of(segment: SegmentRecord) -> list[str]:
    known = (segment.definition.get("email"), segment.definition.get("key"), *segment.consent.get("columns", ()))
    return [column for column in known if column]
