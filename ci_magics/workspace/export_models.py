"""Data classes for saved exports and the results of their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

from ci_magics.display.displayable import Displayable
from ci_magics.workspace.stored import NOT_STORED, Id, Name, Stored, UniqueName, Word

NO_CONNECTION = "No connection"


@dataclass(frozen=True)
class Export(Displayable):
    """A saved configuration: which segments go where, how, and when. Saving it sends nothing.

    Parameters
    ----------
    connection_id, connection_name
        Where it sends to; None and empty once it is detached, and then it does not run.
    document
        The configuration; `ci_magics.activation.exports.saving.ExportDocument` parses it.
    schedule
        Its own schedule, which `ci_magics.activation.exports.schedule.Schedule` parses; None follows the system
        refresh.
    active
        Whether its schedule is on.
    scheduled_at
        When the schedule was last changed; earlier due times do not count.
    """

    id: Id
    name: UniqueName
    connection_id: Id | None
    connection_name: Name
    document: dict[str, Any] = field(repr=False)
    schedule: dict[str, Any] | None
    active: bool
    scheduled_at: datetime
    created_by: Name
    created_at: datetime
    saved_by: Name
    saved_at: datetime

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of its segments."""
        return tuple(self.document["segments"])

    @property
    def excluded(self) -> tuple[str, ...]:
        """The names of the segments whose people are excluded."""
        return tuple(self.document["order"]["exclude"])

    @property
    def connection(self) -> str:
        """The connection's name, or a text that says there is none."""
        return self.connection_name if self.connection_id else NO_CONNECTION

    def uses(self, segment: str) -> bool:
        """Return whether it sends or excludes a segment."""
        return segment in (*self.segments, *self.excluded)

    def with_renamed_segment(self, old: str, new: str) -> Export:
        """Return a copy in which a segment has another name.

        Parameters
        ----------
        old
            The current name of the segment.
        new
            Its new name.
        """
        order = {**self.document["order"], "exclude": _renamed(self.excluded, old, new)}
        return replace(self, document={**self.document, "segments": _renamed(self.segments, old, new), "order": order})

    def detached(self) -> Export:
        """Return a copy without a connection."""
        return replace(self, connection_id=None, connection_name="")

    def to_dict(self) -> dict[str, Any]:
        """Return the segments that it sends and the destination."""
        return {
            "name": self.name,
            "connection": self.connection,
            "segments": list(self.segments),
            "active": self.active,
        }

    def __repr__(self) -> str:
        listed = ", ".join(f"'{name}'" for name in self.segments)
        return f"Export '{self.name}': {listed} to {self.connection}"


@dataclass(frozen=True)
class ExportRun:
    """One run of a saved export. If the run itself started, it has the same id.

    Parameters
    ----------
    trigger
        ``manual``, ``schedule`` (its own), or ``system`` (the system refresh).
    due_at
        The time for which it was scheduled; no export runs twice for the same time.
    status
        Queued, Running, Completed, Completed with errors, Skipped, Failed, or Canceled.
    reason
        Why it was skipped or failed.
    attempts, retry_at
        The number of attempts, and the time of the next one; ``retry_at`` is None when no retry is planned.
    accepted, rejected, members
        Hashes that Microsoft accepted and rejected, and the members of the audiences afterwards.
    unknown
        Hashes that were sent without a usable response.
    """

    id: Id
    export_id: Annotated[str, Stored(36, index=True)]
    export_name: Name
    connection_name: Name
    trigger: Word
    due_at: datetime | None
    status: Annotated[str, Stored(30)]
    reason: str
    attempts: int
    retry_at: datetime | None
    accepted: int
    rejected: int
    members: int
    started_by: Name
    started_at: datetime
    finished_at: datetime | None = None
    unknown: Annotated[int, NOT_STORED] = 0

    @property
    def name(self) -> str:
        """The short id by which users refer to the run."""
        return self.id[:8]


@dataclass(frozen=True)
class Refresh:
    """One refresh: the segments evaluated, the exports run, and the results.

    Parameters
    ----------
    trigger
        ``command`` or ``schedule``.
    due_at
        The time in the system schedule for which it ran.
    notebook
        The file name of the notebook that ran first.
    segments, exports
        The result of each: name, status, and reason.
    """

    id: Id
    trigger: Word
    due_at: datetime | None
    notebook: Annotated[str, Stored(300)]
    status: Annotated[str, Stored(30)]
    reason: str
    segments: list[dict[str, Any]]
    exports: list[dict[str, Any]]
    started_by: Name
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        """The short id by which users refer to it."""
        return self.id[:8]


@dataclass(frozen=True)
class Setting:
    """A setting of the whole workspace; its name is the id."""

    id: Annotated[str, Stored(100)]
    value: dict[str, Any]
    set_by: Name
    set_at: datetime

    @property
    def name(self) -> str:
        """Its name."""
        return self.id


@dataclass(frozen=True)
class Notice:
    """The last notification about an export through one channel.

    Parameters
    ----------
    state
        ``well``, or what was wrong.
    """

    id: Annotated[str, Stored(100)]
    export_id: Annotated[str, Stored(36, index=True)]
    channel: Word
    state: Word
    told_at: datetime

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.id


@dataclass(frozen=True)
class Heartbeat:
    """When a scheduler or ``ci-magics refresh`` was last seen, and the time before that.

    Parameters
    ----------
    kind
        ``scheduler`` or ``refresh``.
    process
        The process id and start, from `ci_magics.workspace.processes.process_name`.
    place
        Where the process id is valid; see `ci_magics.workspace.processes.process_place`.
    """

    id: Annotated[str, Stored(300)]
    kind: Word
    user: Name
    host: Name
    process: Annotated[str, Stored(60)]
    seen_at: datetime
    seen_before: datetime | None
    place: Name = ""

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.id


def _renamed(names: Sequence[str], old: str, new: str) -> list[str]:
    return [new if name == old else name for name in names]
