"""List the segments of Customer Insights in a table."""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.display.result_table import Column, ResultList, as_minute

_STATUSES = {
    "completedsuccess": "Successful",
    "completedfailure": "Failed",
    "running": "Refreshing",
    "queued": "Queued",
    "cancelled": "Canceled",
    "interrupted": "Canceled",
    "notqualified": "Skipped",
}


def _status(each: InsightsSegment) -> str:
    status = "running" if each.refreshing else each.segment.evaluation.status
    return _STATUSES.get(status, "Not started")


@dataclass(frozen=True, repr=False)
class InsightsSegments(ResultList[InsightsSegment]):
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

    _columns = (
        Column("Segment", lambda each: each.segment.label, frame_name="label"),
        Column("Output name", "name"),
        Column("Type", lambda each: each.segment.profile_type, lambda name: name or None, frame_name="type"),
        Column("State", lambda each: each.segment.state, lambda name: name.capitalize() or None, frame_name="state"),
        Column("Status", _status, frame_name="status"),
        Column("Members", "members"),
        Column("Last refreshed", "refreshed", lambda moment: f"{as_minute(moment)} UTC" if moment else "never"),
    )
    _if_empty = "No segment yet."

    @property
    def _rows(self) -> tuple[InsightsSegment, ...]:
        return self.segments

    @property
    def _title(self) -> str:
        return self.origin

    def __getitem__(self, name: str) -> InsightsSegment:
        return next(each for each in self.segments if name in (each.name, each.segment.label))
