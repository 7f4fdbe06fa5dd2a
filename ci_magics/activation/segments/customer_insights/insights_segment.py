"""Segments of Customer Insights: number of members, time of the last refresh, and whether they can be exported."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ci_magics.activation.segments.customer_insights.services import InsightsServices
from ci_magics.advice import Opt, advise
from ci_magics.clock import present
from ci_magics.display.displayable import Displayable
from ci_magics.display.numbers import pluralize
from ci_magics.display.result_table import Column, ResultList, as_minute
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.microsoft.dataverse import Dataverse
from ci_magics.microsoft.insights_values import CUSTOMER, SourceSegment, folded
from ci_magics.workspace.insights_record import InsightsRecord

#: Customer Insights evaluates segments daily or weekly. Messages point out an older refresh.
_OLD_DAYS = 7
_FAILED = frozenset({"completedfailure", "cancelled", "interrupted"})
_STATUSES = {
    "completedsuccess": "Successful",
    "completedfailure": "Failed",
    "running": "Refreshing",
    "queued": "Queued",
    "cancelled": "Canceled",
    "interrupted": "Canceled",
    "notqualified": "Skipped",
}


class Instance(Protocol):
    """The instance that a segment belongs to; see `source.Insights`."""

    @property
    def record(self) -> InsightsRecord:
        """Stored record of the instance."""

    @property
    def services(self) -> InsightsServices:
        """Clients for its services."""

    def segment(self, name: str) -> InsightsSegment:
        """Return one of its segments."""

    def dataverse(self) -> Dataverse:
        """Sign in to its Dataverse organization."""


@dataclass(frozen=True)
class InsightsSegment(Displayable):
    """A segment of Customer Insights; pass it to `ci.segment` to read its members.

    Parameters
    ----------
    source
        Instance of the segment.
    segment
        Data of the segment in Customer Insights.
    via
        Route to read its members: ``rest``, ``csv``, or ``dataverse``. None chooses by size.
    refreshing
        Whether a refresh of the segment is running.
    """

    source: Instance = field(repr=False)
    segment: SourceSegment
    via: str | None = None
    refreshing: bool = False

    @property
    def name(self) -> str:
        """Its output name."""
        return self.segment.name

    @property
    def members(self) -> int | None:
        """Number of members at its last refresh; None if not counted."""
        return self.segment.evaluation.members

    @property
    def refreshed(self) -> datetime | None:
        """Time of its last refresh, in UTC; None if never refreshed."""
        return self.segment.evaluation.moment

    @property
    def failed(self) -> bool:
        """Whether its last refresh failed."""
        return self.segment.evaluation.status in _FAILED

    def require_eligible(self) -> None:
        """Check that the members of the segment are customers.

        Raises
        ------
        SegmentError
            The members are accounts or contacts.
        """
        if folded(self.segment.profile_type) != folded(CUSTOMER):
            raise not_eligible(self.segment.label)

    def freshness(self, now: datetime | None = None) -> Iterator[str]:
        """Yield messages about the age of the members, and about problems with their refresh."""
        name = self.segment.label
        if self.refreshed is None:
            yield f"'{name}' was never refreshed in Customer Insights."
        else:
            days = ((now or present()) - self.refreshed).days
            old = f", {pluralize(days, 'day')} ago" if days >= _OLD_DAYS else ""
            yield f"'{name}' is as Customer Insights refreshed it, {self.refreshed:%Y-%m-%d %H:%M} UTC{old}."
        if self.failed:
            yield "Its last refresh failed; the members are those of the one before."
        if self.refreshing or self.segment.evaluation.is_running:
            wait = Opt("wait", True)
            yield f"A refresh is running. To wait for it and read the result, add {wait} (refresh: {self.name})."
        if self.segment.state and self.segment.state != "active":
            yield f"It is {self.segment.state} there, so it is no longer refreshed."

    def __repr__(self) -> str:
        count = "members not counted" if self.members is None else pluralize(self.members, "member")
        lines = [f"{self.source.record.origin}", f"Segment '{self.segment.label}' ({self.name}): {count}"]
        return "\n".join([*lines, *self.freshness()])

    def _repr_html_(self) -> str:
        first, *rest = repr(self).splitlines()
        return f"<div>{html.escape(first)}</div>" + "".join(f"<div>{html.escape(each)}</div>" for each in rest)


def not_eligible(label: str) -> SegmentError:
    """Return the error for a segment of accounts or contacts, with the text of Customer Insights."""
    return SegmentError(
        f"The following segment isn't eligible for this export destination: '{label}'. "
        f"Choose only segments of type {CUSTOMER} and try again.",
        "ci.insights(NAME).segments() lists those of each type.",
        code="not_eligible",
    )


def refuse_conditions(*conditions: object) -> None:
    """Check that no condition is given: conditions cannot be evaluated on a segment of Customer Insights.

    Raises
    ------
    ArgumentError
        A condition is given.
    """
    if any(each is not None for each in conditions):
        raise ArgumentError(
            "A segment of Customer Insights is taken as it is.",
            advise("Make it first, then another one of it with ", Opt("rule", "'NAME' and not 'OTHER'"), "."),
            code="insights_condition",
        )


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
