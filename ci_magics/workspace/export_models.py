"""Saved exports and what came of their runs, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ci_magics.display.displayable import Displayable

NO_CONNECTION = "No connection"


@dataclass(frozen=True)
class Export(Displayable):
    """A saved configuration: which segments go where, how, and when. Saving it sends nothing.

    Parameters
    ----------
    connection_id, connection_name
        Where it goes; None and empty once it is detached: then it does not run.
    document
        The configuration; `ci_magics.activation.exports.document.ExportDocument` reads it.
    schedule
        Its own schedule, which `ci_magics.activation.exports.schedule.Schedule` reads; None follows the system refresh.
    active
        Whether its schedule is on.
    scheduled_at
        Since when the schedule is as it is; what was due before does not count.
    """

    id: str
    name: str
    connection_id: str | None
    connection_name: str
    document: dict[str, Any] = field(repr=False)
    schedule: dict[str, Any] | None
    active: bool
    scheduled_at: datetime
    created_by: str
    created_at: datetime
    saved_by: str
    saved_at: datetime

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of its segments."""
        return tuple(self.document["segments"])

    @property
    def excluded(self) -> tuple[str, ...]:
        """The names of the segments whose people it leaves out."""
        return tuple(self.document["order"]["exclude"])

    @property
    def connection(self) -> str:
        """The connection's name, or that there is none."""
        return self.connection_name if self.connection_id else NO_CONNECTION

    def uses(self, segment: str) -> bool:
        """Tell whether it sends a segment, or leaves its people out."""
        return segment in (*self.segments, *self.excluded)

    def with_renamed_segment(self, old: str, new: str) -> Export:
        """Return the same export after a segment of it got another name."""
        order = {**self.document["order"], "exclude": _renamed(self.excluded, old, new)}
        return replace(self, document={**self.document, "segments": _renamed(self.segments, old, new), "order": order})

    def detached(self) -> Export:
        """Return the same export without its connection."""
        return replace(self, connection_id=None, connection_name="")

    def to_dict(self) -> dict[str, Any]:
        """Return what it sends, and where."""
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
    """One run of a saved export. The run itself, if it came to one, has the same id.

    Parameters
    ----------
    trigger
        ``manual``, ``schedule`` (its own) or ``system`` (the system refresh).
    due_at
        The moment for which it was scheduled; no export runs twice for one.
    status
        Queued, Running, Completed, Completed with errors, Skipped, Failed or Canceled.
    reason
        Why it was skipped or failed.
    attempts, retry_at
        How often it was tried, and when it is tried again; the second is None when it is over.
    accepted, rejected, members
        Hashes that Microsoft took and refused, and what the audiences hold after it.
    unknown
        Hashes that were sent without a usable answer.
    """

    id: str
    export_id: str
    export_name: str
    connection_name: str
    trigger: str
    due_at: datetime | None
    status: str
    reason: str
    attempts: int
    retry_at: datetime | None
    accepted: int
    rejected: int
    members: int
    started_by: str
    started_at: datetime
    finished_at: datetime | None = None
    unknown: int = 0

    @property
    def name(self) -> str:
        """The short id by which a person refers to the run."""
        return self.id[:8]


@dataclass(frozen=True)
class Refresh:
    """One pass: which segments were evaluated, which exports ran, and what came of it.

    Parameters
    ----------
    trigger
        ``command`` or ``schedule``.
    due_at
        The moment of the system schedule that it was for.
    notebook
        The notebook that was executed first, by its file's name.
    segments, exports
        What came of each: name, status and reason.
    """

    id: str
    trigger: str
    due_at: datetime | None
    notebook: str
    status: str
    reason: str
    segments: list[dict[str, Any]]
    exports: list[dict[str, Any]]
    started_by: str
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        """The short id by which a person refers to it."""
        return self.id[:8]


@dataclass(frozen=True)
class Setting:
    """One choice that holds for the whole workspace; the id is its name."""

    id: str
    value: dict[str, Any]
    set_by: str
    set_at: datetime

    @property
    def name(self) -> str:
        """Its name."""
        return self.id


@dataclass(frozen=True)
class Notice:
    """What was last told of an export through one channel.

    Parameters
    ----------
    state
        ``well``, or what was wrong.
    """

    id: str
    export_id: str
    channel: str
    state: str
    told_at: datetime

    @property
    def name(self) -> str:
        """The word by which it is listed."""
        return self.id


@dataclass(frozen=True)
class Heartbeat:
    """When a scheduler or ``ci-magics refresh`` was seen last, and the time before that.

    Parameters
    ----------
    kind
        ``scheduler`` or ``refresh``.
    process
        Its number and start, as `ci_magics.workspace.processes.process_name` gives it.
    place
        Where that number means anything; see `ci_magics.workspace.processes.process_place`.
    """

    id: str
    kind: str
    user: str
    host: str
    process: str
    seen_at: datetime
    seen_before: datetime | None
    place: str = ""

    @property
    def name(self) -> str:
        """The word by which it is listed."""
        return self.id


def _renamed(names: Sequence[str], old: str, new: str) -> list[str]:
    return [new if name == old else name for name in names]
