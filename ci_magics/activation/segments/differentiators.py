"""What distinguishes the profiles of one segment from those of another."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field

from ci_magics.display.numbers import Share, counted, counted_in_words
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.matching.picture import Picture, as_image
from ci_magics.matching.segment_pictures import draw_pairs
from ci_magics.segmentation.rules.rule import Rule

_SHOWN, _DRAWN = 15, 8
_TITLE = "What sets them apart"


@dataclass(frozen=True)
class Differentiator:
    """A value or range that is more frequent in one segment than in another.

    Parameters
    ----------
    column, value
        Column name, and value or range in words.
    first, second
        Number of profiles of each segment that have it.
    first_share, second_share
        Share of the profiles of each segment that are in the frame, from 0 to 1.
    rule
        Rule that selects these profiles.
    """

    column: str
    value: str
    first: int
    second: int
    first_share: float
    second_share: float
    rule: Rule

    @property
    def difference(self) -> float:
        """First share minus second share."""
        return self.first_share - self.second_share

    @property
    def ratio(self) -> float:
        """First share divided by second share; infinite if only the first segment has it."""
        return self.first_share / self.second_share if self.second_share else math.inf

    @property
    def words(self) -> str:
        """The ratio in words."""
        if not self.second:
            return "only in the first"
        return "only in the second" if not self.first else f"{self.ratio:.2f} times"


@dataclass(frozen=True, repr=False)
class Differentiators(ResultTable[Differentiator]):
    """Values and ranges of a frame's columns, sorted by how much their shares differ between two segments.

    The measure is the difference of the two shares in percentage points: a value that 60 % of one segment and 20 % of
    the other have differs by 40 points. Profiles in both segments count in both.

    Parameters
    ----------
    first, second
        Names of the segments.
    first_found, second_found
        Number of profiles of each segment that are in the frame.
    first_size, second_size
        Number of profiles in each segment.
    lines
        Values and ranges, the greatest difference first.
    left_out
        Number of columns that were not compared because there are too many.
    """

    first: str
    second: str
    first_found: int
    second_found: int
    first_size: int
    second_size: int
    lines: tuple[Differentiator, ...] = field(repr=False)
    left_out: int = 0

    @property
    def _columns(self) -> tuple[Column[Differentiator], ...]:
        return (
            Column("Column", "column"),
            Column("Value", "value"),
            Column(f"in {self.first}", "first", lambda count: Share(count, self.first_found)),
            Column(f"in {self.second}", "second", lambda count: Share(count, self.second_found)),
            *frame_only("first_share", "second_share", "ratio"),
            Column("Ratio", lambda each: each.words),
            Column("Difference", "difference", lambda share: f"{share * 100:+.1f} points"),
            Column(None, lambda each: each.rule.text, frame_name="rule"),
        )

    @property
    def _rows(self) -> tuple[Differentiator, ...]:
        return self.lines

    @property
    def _shown_rows(self) -> tuple[Differentiator, ...]:
        return self.lines[:_SHOWN]

    @property
    def _title(self) -> str:
        return f"{_TITLE}: '{self.first}' and '{self.second}'"

    @property
    def _title_html(self) -> str:
        return f"<b>{html.escape(self._title)}</b>{as_image(self._picture())}"

    def _shares(self, line: Differentiator) -> tuple[Share, Share]:
        return Share(line.first, self.first_found), Share(line.second, self.second_found)

    @property
    def _notes(self) -> tuple[str]:
        parts = ["Ordered by the difference of the two shares."]
        if len(self.lines) > _SHOWN:
            parts.append(f"{counted(len(self.lines) - _SHOWN)} more: see to_frame().")
        if (self.first_found, self.second_found) != (self.first_size, self.second_size):
            found = f"{counted(self.first_found)} of {counted_in_words(self.first_size, 'profile')}"
            other = f"{counted(self.second_found)} of {counted_in_words(self.second_size, 'profile')}"
            parts.append(f"The frame has {found}, and {other}.")
        if self.left_out:
            parts.append(f"{counted_in_words(self.left_out, 'other column', 'was')} not compared: use columns=[...].")
        return (" ".join(parts),)

    def _picture(self) -> Picture:
        pairs = [(f"{each.column}: {each.value}", *self._shares(each)) for each in self.lines[:_DRAWN]]
        return draw_pairs(_TITLE, (self.first, self.second), pairs)
