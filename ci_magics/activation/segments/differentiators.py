"""What distinguishes the profiles of one segment from those of another."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.numbers import Share, counted, counted_in_words
from ci_magics.display.text_table import text_table
from ci_magics.matching.picture import Picture, as_image
from ci_magics.matching.segment_pictures import draw_pairs
from ci_magics.segmentation.rules.rule import Rule

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True)
class Differentiators(Displayable):
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

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each value or range; ``difference`` is that of the shares, from -1 to 1."""
        import pandas as pd

        names = ("column", "value", "first", "second", "first_share", "second_share", "ratio", "difference")
        rows = [[*(getattr(each, name) for name in names), each.rule.text] for each in self.lines]
        return pd.DataFrame(rows, columns=[*names, "rule"])

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(self._heads(), self._texts())}\n{self._note()}"

    def _repr_html_(self) -> str:
        title = f"<b>{html.escape(self._title())}</b>"
        return f"{title}{as_image(self._picture())}{table(self._heads(), self._rows())}<div>{self._note()}</div>"

    def _title(self) -> str:
        return f"{_TITLE}: '{self.first}' and '{self.second}'"

    def _heads(self) -> tuple[str, ...]:
        return ("Column", "Value", f"in {self.first}", f"in {self.second}", "Ratio", "Difference")

    def _rows(self) -> list[tuple[str, str, Share, Share, str, str]]:
        return [
            (each.column, each.value, *self._shares(each), each.words, f"{each.difference * 100:+.1f} points")
            for each in self.lines[:_SHOWN]
        ]

    def _texts(self) -> list[tuple[str, ...]]:
        return [tuple(map(str, row)) for row in self._rows()]

    def _shares(self, line: Differentiator) -> tuple[Share, Share]:
        return Share(line.first, self.first_found), Share(line.second, self.second_found)

    def _note(self) -> str:
        parts = ["Ordered by the difference of the two shares."]
        if len(self.lines) > _SHOWN:
            parts.append(f"{counted(len(self.lines) - _SHOWN)} more: see to_frame().")
        if (self.first_found, self.second_found) != (self.first_size, self.second_size):
            found = f"{counted(self.first_found)} of {counted_in_words(self.first_size, 'profile')}"
            other = f"{counted(self.second_found)} of {counted_in_words(self.second_size, 'profile')}"
            parts.append(f"The frame has {found}, and {other}.")
        if self.left_out:
            parts.append(f"{counted_in_words(self.left_out, 'other column', 'was')} not compared: use columns=[...].")
        return " ".join(parts)

    def _picture(self) -> Picture:
        pairs = [(f"{each.column}: {each.value}", *self._shares(each)) for each in self.lines[:_DRAWN]]
        return draw_pairs(_TITLE, (self.first, self.second), pairs)
