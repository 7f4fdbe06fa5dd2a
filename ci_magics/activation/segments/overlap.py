"""How many profiles two segments share, by their key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_magics.activation.segments.key_set import key_sets
from ci_magics.activation.segments.segment import stored_segment
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.numbers import Share, counted
from ci_magics.matching.picture import Picture, as_image
from ci_magics.matching.segment_pictures import draw_parts
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Overlap(Displayable):
    """What two segments share.

    Parameters
    ----------
    first, second
        Their names.
    first_size, second_size
        How many profiles each has.
    shared
        How many are in both.
    """

    first: str
    second: str
    first_size: int
    second_size: int
    shared: int

    @property
    def only_first(self) -> int:
        """How many are in the first and not in the second."""
        return self.first_size - self.shared

    @property
    def only_second(self) -> int:
        """How many are in the second and not in the first."""
        return self.second_size - self.shared

    @property
    def either(self) -> int:
        """How many are in one of them or in both."""
        return self.first_size + self.second_size - self.shared

    @property
    def jaccard(self) -> float:
        """The shared part of all that are in either (Jaccard's index): 0 nothing in common, 1 the same."""
        return self.shared / self.either if self.either else 0.0

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each part: profiles, and the share of all that are in either."""
        import pandas as pd

        rows = [(label, count, count / max(self.either, 1)) for label, count in self._parts()]
        return pd.DataFrame(rows, columns=["part", "profiles", "share"])

    def __repr__(self) -> str:
        parts = ", ".join(f"{counted(count)} {label}" for label, count in self._parts())
        return f"Overlap of '{self.first}' and '{self.second}': {parts}; Jaccard {self.jaccard:.3f}"

    def _repr_html_(self) -> str:
        parts = [(label, Share(count, self.either)) for label, count in self._parts()]
        sizes = [(self.first, self.first_size), (self.second, self.second_size)]
        return f"{as_image(self._picture())}{table(_SIZES, sizes)}{table(_PARTS, parts)}{self._index()}"

    def _index(self) -> str:
        return f"<div>Jaccard index (shared part of all in either): {self.jaccard:.3f}</div>"

    def _parts(self) -> tuple[tuple[str, int], ...]:
        return (
            (f"only in {self.first}", self.only_first),
            ("in both", self.shared),
            (f"only in {self.second}", self.only_second),
        )

    def _picture(self) -> Picture:
        return draw_parts(f"{self.first} and {self.second}", self._parts())


_SIZES = ("Segment", "Profiles")
_PARTS = ("Part", "Profiles of either")


def overlap(first: Segment | str, second: Segment | str, *, workspace: Workspace | None = None) -> Overlap:
    """Count how many profiles two segments share, by their key.

    Raises
    ------
    NotFoundError
        A segment does not exist.
    SegmentError
        A segment has no key, or they have different ones.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.PREVIEW)
    one, two = key_sets(workspace, [stored_segment(workspace, each).record for each in (first, second)])
    return Overlap(one.segment, two.segment, len(one), len(two), one.shared(two))
