"""List the segments of Customer Insights in a table."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_magics.activation.segments.customer_insights.segment import InsightsSegment
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("Segment", "Output name", "Type", "State", "Status", "Members", "Last refreshed")
_STATUSES = {
    "completedsuccess": "Successful",
    "completedfailure": "Failed",
    "running": "Refreshing",
    "queued": "Queued",
    "cancelled": "Canceled",
    "interrupted": "Canceled",
    "notqualified": "Skipped",
}


@dataclass(frozen=True)
class InsightsSegments(Displayable):
    """The segments of an instance.

    Parameters
    ----------
    origin
        Name and environment of the instance.
    segments
        The segments, as `Insights.segment` returns them.
    """

    origin: str
    segments: tuple[InsightsSegment, ...]

    def __iter__(self) -> Iterator[InsightsSegment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, name: str) -> InsightsSegment:
        return next(each for each in self.segments if name in (each.name, each.segment.label))

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each segment."""
        import pandas as pd

        columns = ["label", "name", "type", "state", "status", "members", "refreshed"]
        rows = [
            (
                each.segment.label,
                each.name,
                each.segment.profile_type,
                each.segment.state,
                _status(each),
                each.members,
                each.refreshed,
            )
            for each in self.segments
        ]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return f"{self.origin}\n{text_table(_HEADS, self._rows()) if self.segments else 'No segment yet.'}"

    def _repr_html_(self) -> str:
        rows = [[None if cell == "" else cell for cell in row] for row in self._rows()]
        shown = table(_HEADS, rows) if self.segments else "<div>No segment yet.</div>"
        return f"<div>{html.escape(self.origin)}</div>{shown}"

    def _rows(self) -> list[tuple[str | int, ...]]:
        return [
            (
                each.segment.label,
                each.name,
                each.segment.profile_type,
                each.segment.state.capitalize(),
                _status(each),
                "" if each.members is None else each.members,
                f"{each.refreshed:%Y-%m-%d %H:%M} UTC" if each.refreshed else "never",
            )
            for each in self.segments
        ]


def _status(each: InsightsSegment) -> str:
    status = "running" if each.refreshing else each.segment.evaluation.status
    return _STATUSES.get(status, "Not started")
