"""Growth of a segment: counts over time, with a sparkline."""

from __future__ import annotations

import html
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ci_magics.clock import present
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.result_table import Column, ResultTable, as_minute
from ci_magics.matching.drawing import Picture, as_image
from ci_magics.workspace.models import SegmentCount, SegmentRecord
from ci_magics.workspace.store import Workspace

_BLOCKS = "_.,-~=+#"
_WIDTH, _HEIGHT = 240, 40
_SHOWN = 60


@dataclass(frozen=True, repr=False)
class SegmentHistory(ResultTable[tuple[datetime, int]]):
    """Number of profiles of a segment at each time it was made or refreshed.

    Parameters
    ----------
    segment
        Segment name.
    counts
        Time and number of profiles, earliest first.
    """

    segment: str
    counts: tuple[tuple[datetime, int], ...]

    _columns = (
        Column("Counted (UTC)", lambda each: each[0], as_minute, frame_name="counted_at"),
        Column("Profiles", lambda each: each[1], frame_name="profiles"),
    )

    @property
    def _rows(self) -> tuple[tuple[datetime, int], ...]:
        return self.counts

    @property
    def _shown_rows(self) -> tuple[tuple[datetime, int], ...]:
        return self.counts[-_SHOWN:]

    @property
    def _title_html(self) -> str:
        return f"<b>{html.escape(self.segment)}</b>{as_image(self._picture())}"

    @property
    def sparkline(self) -> str:
        """The counts as a row of ASCII characters, scaled from the lowest to the highest."""
        values = [count for _moment, count in self._shown_rows]
        span = max(max(values) - min(values), 1) if values else 1
        return "".join(_BLOCKS[(value - min(values)) * (len(_BLOCKS) - 1) // span] for value in values)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, earliest first."""
        return {"segment": self.segment, "profiles": [count for _moment, count in self.counts]}

    def __repr__(self) -> str:
        last = pluralize(self.counts[-1][1], "profile") if self.counts else "no profiles"
        return f"Segment '{self.segment}': {last} {self.sparkline}"

    def _picture(self) -> Picture:
        values = [count for _moment, count in self._shown_rows] or [0]
        times = pluralize(len(values), "count")
        values = values * 2 if len(values) == 1 else values  # a line, because a single point is invisible
        low, span = min(values), max(max(values) - min(values), 1)
        step = _WIDTH / (len(values) - 1)
        points = " ".join(
            f"{index * step:.1f},{_HEIGHT - 4 - (value - low) / span * (_HEIGHT - 8):.1f}"
            for index, value in enumerate(values)
        )
        alt = f"{self.segment}: from {format_count(values[0])} to {pluralize(values[-1], 'profile')} in {times}."
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" role="img"><title>{html.escape(alt)}</title>'
            f'<polyline points="{points}" fill="none" stroke="#3b6ea8" stroke-width="2"/></svg>'
        )
        return Picture(svg, alt, _WIDTH, _HEIGHT)


def note_count(workspace: Workspace, record: SegmentRecord) -> None:
    """Record how many profiles a segment has now.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    workspace.counts.put(SegmentCount(str(uuid.uuid4()), record.name, record.rows, present()))
