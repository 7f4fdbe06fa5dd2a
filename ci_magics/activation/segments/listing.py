"""List the segments of the workspace in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ci_magics.advice import FRAME, NAME, Do
from ci_magics.display.result_table import Column, ResultList, as_minute
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class SegmentLine:
    """One line in the list of segments.

    Parameters
    ----------
    name
        Segment name.
    type
        ``dynamic`` if it can be evaluated again without its notebook, otherwise ``static``.
    state
        ``active``, ``inactive``, or ``suppresses`` if its profiles are excluded from every export.
    profiles
        Number of profiles.
    tags
        Its tags.
    last_made
        When it was last made or refreshed.
    fills
        Names of the audiences that were filled from it.
    """

    name: str
    type: str
    state: str
    profiles: int
    tags: tuple[str, ...]
    last_made: datetime
    fills: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class SegmentList(ResultList[SegmentLine]):
    """Segments, sorted by name."""

    segments: tuple[SegmentLine, ...]

    _columns = (
        Column("Segment", "name"),
        Column("Type", "type"),
        Column("State", "state"),
        Column("Profiles", "profiles"),
        Column("Tags", "tags"),
        Column("Last made (UTC)", "last_made", as_minute),
        Column("Fills", "fills"),
    )

    @property
    def _if_empty(self) -> str:
        return f"No segment yet. Make one: {Do('segment', NAME, FRAME)}."

    @property
    def _rows(self) -> tuple[SegmentLine, ...]:
        return self.segments

    def names(self) -> list[str]:
        """Return the segment names."""
        return [each.name for each in self.segments]


def list_segments(workspace: Workspace, names: Sequence[str]) -> SegmentList:
    """List segments, all without names; see `Segments.overview`."""
    require(workspace, Verb.LIST_SEGMENTS)
    records = [workspace.segments[name] for name in names] or list(workspace.segments)
    return SegmentList(tuple(_line(workspace, record) for record in records))


def _line(workspace: Workspace, record: SegmentRecord) -> SegmentLine:
    counts = workspace.counts.where(segment_name=record.name)
    return SegmentLine(
        name=record.name,
        type="dynamic" if record.is_dynamic else "static",
        state=_state(record),
        profiles=record.rows,
        tags=record.tags,
        last_made=counts[-1].counted_at if counts else record.created_at,
        fills=tuple(each.name for each in workspace.audiences.where(segment_name=record.name)),
    )


def _state(record: SegmentRecord) -> str:
    if record.suppresses:
        return "suppresses"
    return "active" if record.active else "inactive"
