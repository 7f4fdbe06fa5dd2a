"""List the segments of the workspace in a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("Segment", "Type", "State", "Profiles", "Tags", "Last made (UTC)", "Fills")
_NONE = "No segment yet. Make one: %ci_segment NAME FRAME."


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


@dataclass(frozen=True)
class SegmentList(Displayable):
    """Segments, sorted by name."""

    segments: tuple[SegmentLine, ...]

    def names(self) -> list[str]:
        """Return the segment names."""
        return [each.name for each in self.segments]

    def __iter__(self) -> Iterator[SegmentLine]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each segment."""
        import pandas as pd

        return pd.DataFrame([vars(each) for each in self.segments], columns=list(SegmentLine.__dataclass_fields__))

    def __repr__(self) -> str:
        return text_table(_HEADS, self._rows()) if self.segments else _NONE

    def _repr_html_(self) -> str:
        return table(_HEADS, self._rows()) if self.segments else f"<div>{_NONE}</div>"

    def _rows(self) -> list[tuple[str, str, str, int, str, str, str]]:
        return [
            (
                each.name,
                each.type,
                each.state,
                each.profiles,
                ", ".join(each.tags),
                f"{each.last_made:%Y-%m-%d %H:%M}",
                ", ".join(each.fills),
            )
            for each in self.segments
        ]


def list_segments(*names: str, workspace: Workspace | None = None) -> SegmentList:
    """List the segments of the workspace.

    Parameters
    ----------
    names
        Segments to list. Without names, list all.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        One of the segments does not exist.
    """
    workspace = workspace or open_workspace()
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
