"""Conclusions from two audiences of one segment, each filled with its own normalization."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_magics.activation.plan import Plan
from ci_magics.activation.plans.verdict import Finding, Verdict, verdict_of
from ci_magics.activation.run import Run
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.matching.covered_segments import SMALLEST_SERVING
from ci_magics.workspace.statuses import COMPLETED

#: How long Microsoft takes to count an audience (guide "Customer Match").
_COUNTING = timedelta(hours=48)
#: Standard deviations on each side of a 95% confidence interval.
_DEVIATIONS = 1.96

Interval = tuple[float, float]


def share_interval(counted: int, of: int) -> Interval:
    """Return the 95% confidence interval of a proportion (Wilson's interval, which is valid for 0 and 1 too).

    Parameters
    ----------
    counted
        Number of successes.
    of
        Number of trials, at least one.
    """
    share, spread = counted / of, _DEVIATIONS**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = _DEVIATIONS * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference_interval(one: tuple[int, int], other: tuple[int, int]) -> Interval:
    """Return the 95% confidence interval of the difference of two proportions (Newcombe 1998, method 10).

    Parameters
    ----------
    one, other
        Successes and trials of each; the difference is the first proportion minus the second.
    """
    shares = [counted / of for counted, of in (one, other)]
    (low, high), (other_low, other_high) = share_interval(*one), share_interval(*other)
    difference = shares[0] - shares[1]
    below = math.hypot(shares[0] - low, other_high - shares[1])
    above = math.hypot(high - shares[0], shares[1] - other_low)
    return difference - below, difference + above


@dataclass(frozen=True)
class Side:
    """One of the two audiences.

    Parameters
    ----------
    rule
        The normalization that it is filled with.
    audience, audience_id
        Its name, and Microsoft's id; empty before it is created.
    people
        Number of different addresses in it.
    plan
        What would be sent to it; None if a dry run could not plan it.
    run
        The run that sent to it; None if nothing was sent this time.
    size
        People that Microsoft matched; None until it has counted them.
    filled_at
        When something was last sent to it.
    """

    rule: str
    audience: str
    audience_id: str = ""
    people: int = 0
    plan: Plan | None = field(default=None, repr=False)
    run: Run | None = field(default=None, repr=False)
    size: int | None = None
    filled_at: datetime | None = None

    @property
    def share(self) -> float | None:
        """Matched people as a share of those sent, from 0 to 1."""
        return None if self.size is None or not self.people else min(self.size / self.people, 1.0)

    @property
    def changes(self) -> bool:
        """Whether the audience is not up to date, so that its size belongs to earlier members."""
        return self.plan is not None and any(each.adds or each.removes for each in self.plan.audiences)

    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the fewest and the most matched people, each with the number of people sent.

        Both are the size; but a size too small to serve may be any number below that limit.
        """
        size = min(self.size or 0, self.people)
        least, most = (0, min(SMALLEST_SERVING - 1, self.people)) if size < SMALLEST_SERVING else (size, size)
        return (least, self.people), (most, self.people)


def _matched(side: Side) -> str:
    if side.size is None:
        return "not counted yet" if side.audience_id else "not created yet"
    return f"{format_count(side.size)} matched ({side.share or 0:.1%})"


@dataclass(frozen=True, repr=False)
class Comparison(ResultTable[Side]):
    """Two audiences of one segment, each filled with its own normalization, and what their sizes show.

    Parameters
    ----------
    destination
        The connection's environment and account; the first line of every display.
    segment
        The segment that was split.
    basic, enhanced
        The two audiences.
    dry_run
        Whether nothing was to be sent.
    obstacle
        What stopped a dry run from planning anything.
    """

    destination: str
    segment: str
    basic: Side
    enhanced: Side
    dry_run: bool = False
    obstacle: Finding | None = field(default=None, repr=False)

    _columns = (
        Column("Rule", "rule"),
        Column("Audience", "audience"),
        *frame_only("audience_id"),
        Column("People", "people"),
        *frame_only("size", "share"),
        Column("Matched by Microsoft", _matched),
    )

    @property
    def _rows(self) -> tuple[Side, Side]:
        return self.sides

    @property
    def verdict(self) -> Verdict:
        """Whether the comparison would be sent as it is; a finding that blocks one audience blocks both."""
        if self.obstacle is not None:
            return verdict_of([self.obstacle], audiences=0, stopped=0)
        plans = [each.plan for each in self.sides if each.plan is not None]
        findings = dict.fromkeys(finding for plan in plans for finding in plan.verdict.findings)
        stopped = sum(any(each.stops for each in plan.verdict.findings) for plan in plans)
        return verdict_of(findings, audiences=1, stopped=min(stopped, 1))

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both audiences."""
        return self.basic, self.enhanced

    @property
    def differing(self) -> int:
        """People whose hash depends on the normalization; only they are useful for the comparison."""
        return self.basic.people + self.enhanced.people

    @property
    def counted(self) -> bool:
        """Whether Microsoft has counted both up-to-date audiences, and at least one is big enough."""
        sizes = [each.size for each in self.sides if each.size is not None and not each.changes]
        return len(sizes) == len(self.sides) and max(sizes) >= SMALLEST_SERVING

    @property
    def interval(self) -> Interval | None:
        """The 95% confidence interval of how much bigger the matched share with ``enhanced`` is; None if unknown."""
        if not self.counted:
            return None
        # A size may be known only as a range, so take the extremes: the lower bound compares the fewest of one audience
        # with the most of the other, and the upper bound the reverse.
        (low, high), (other_low, other_high) = self.enhanced.counts(), self.basic.counts()
        return difference_interval(low, other_high)[0], difference_interval(high, other_low)[1]

    @property
    def better(self) -> str | None:
        """The normalization that Microsoft matches better; None if the sizes don't show it."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return None
        return "enhanced" if self.interval[0] > 0 else "basic"

    @property
    def look_again_at(self) -> datetime | None:
        """When Microsoft will have counted, in UTC; None before anything was sent."""
        times = [each.filled_at for each in self.sides if each.filled_at is not None]
        return max(times) + _COUNTING if times else None

    @property
    def conclusion(self) -> str:
        """The result so far and what to do next, in words."""
        if self.obstacle is not None:
            return "Nothing was sent, and nothing would be."
        if self.interval is None:
            return self._not_yet()
        low, high = (each * 100 for each in self.interval)
        if self.better is None:
            return (
                f"The sizes do not tell which rule is matched better: the difference is between {low:+.1f} and "
                f"{high:+.1f} percentage points (95% interval). A bigger segment may tell."
            )
        fewest, most = (low, high) if self.better == "enhanced" else (-high, -low)
        return (
            f"Microsoft matches {self.better} better here: it finds {fewest:.1f} to {most:.1f} percentage points more "
            f"of the people by it (95% interval). Export with normalization {self.better}."
        )

    def __repr__(self) -> str:
        lines = [self.destination, *([repr(self.verdict)] if self.dry_run else []), self._title]
        for each in self.sides:
            lines.append(
                f"  {each.rule}: audience '{each.audience}', {pluralize(each.people, 'person')}, {_matched(each)}"
            )
        return "\n".join([*lines, self.conclusion])

    @property
    def _title_html(self) -> str:
        verdict = self.verdict._repr_html_() if self.dry_run else ""
        return f"<div><b>{html.escape(self.destination)}</b></div>{verdict}<div>{html.escape(self._title)}</div>"

    @property
    def _notes(self) -> tuple[str]:
        return (self.conclusion,)

    @property
    def _title(self) -> str:
        if self.obstacle is not None:
            return f"Normalizations of '{self.segment}'"
        people = pluralize(self.differing, "person")
        return f"Normalizations of '{self.segment}': the hash of {people} depends on the rule"

    def _not_yet(self) -> str:
        if self.dry_run and any(each.changes for each in self.sides):
            return "Nothing was sent; without dry_run both audiences are filled."
        failed = [each.audience for each in self.sides if each.run is not None and each.run.status != COMPLETED]
        if failed:
            return f"Not all was sent to {' and '.join(failed)}; run the comparison again."
        moment = f"{self.look_again_at:%Y-%m-%d %H:%M} UTC" if self.look_again_at else "two days"
        if any(each.size is None or each.changes for each in self.sides):
            return f"Microsoft counts within 48 hours: run the comparison again after {moment}."
        return (
            f"Fewer than {SMALLEST_SERVING} people are matched in either audience, too few to tell. "
            f"Run it again after {moment}; if it stays so, take a bigger segment."
        )
