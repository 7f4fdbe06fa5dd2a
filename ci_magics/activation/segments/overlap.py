"""Count the profiles that two segments share, by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_magics.activation.segments.key_set import key_sets
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.numbers import Share, counted
from ci_magics.matching.picture import Picture, as_image
from ci_magics.matching.segment_pictures import draw_parts
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Opened, store_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Overlap(Displayable):
    """The overlap of two segments.

    Parameters
    ----------
    first, second
        Segment names.
    first_size, second_size
        Number of profiles in each segment.
    shared
        Number of profiles in both.
    """

    first: str
    second: str
    first_size: int
    second_size: int
    shared: int

    @property
    def only_first(self) -> int:
        """Number of profiles in the first segment only."""
        return self.first_size - self.shared

    @property
    def only_second(self) -> int:
        """Number of profiles in the second segment only."""
        return self.second_size - self.shared

    @property
    def either(self) -> int:
        """Number of profiles in at least one segment."""
        return self.first_size + self.second_size - self.shared

    @property
    def jaccard(self) -> float:
        """Jaccard index: shared profiles divided by profiles in either; 0 means nothing in common, 1 means equal."""
        return self.shared / self.either if self.either else 0.0

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each part: number of profiles, and share of all profiles in either segment."""
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


def overlap(first: Segment | str, second: Segment | str, *, workspace: Opened | None = None) -> Overlap:
    """Count the profiles that two segments share, by key.

    Parameters
    ----------
    first, second
        Segments or their names. Both must have the same key column.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        A segment does not exist.
    SegmentError
        A segment has no key column, or the key columns differ.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.PREVIEW)
    one, two = key_sets(workspace, [stored_segment(workspace, each).record for each in (first, second)])
    return Overlap(one.segment, two.segment, len(one), len(two), one.shared(two))
