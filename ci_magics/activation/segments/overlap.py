"""Count the profiles that two segments share, by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ci_magics.activation.segments.key_set import key_sets
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.display.html_table import table
from ci_magics.display.numbers import Share, format_count
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.grammar.operation import operation
from ci_magics.grammar.shared import SEGMENT
from ci_magics.matching.drawing import Picture, as_image
from ci_magics.matching.segment_pictures import draw_parts
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import WorkspaceLike, store_of


@dataclass(frozen=True)
class OverlapPart:
    """A part of two segments.

    Parameters
    ----------
    part
        Which part, in words.
    profiles
        Number of its profiles.
    either
        Number of profiles in at least one segment.
    """

    part: str
    profiles: int
    either: int

    @property
    def share(self) -> float:
        """Share of all profiles in either segment, from 0 to 1."""
        return self.profiles / max(self.either, 1)


@dataclass(frozen=True, repr=False)
class Overlap(ResultTable[OverlapPart]):
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

    _columns = (
        Column("Part", "part"),
        *frame_only("profiles", "share"),
        Column("Profiles of either", lambda each: Share(each.profiles, each.either)),
    )

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

    def __repr__(self) -> str:
        parts = ", ".join(f"{format_count(each.profiles)} {each.part}" for each in self._rows)
        return f"Overlap of '{self.first}' and '{self.second}': {parts}; Jaccard {self.jaccard:.3f}"

    @property
    def _rows(self) -> tuple[OverlapPart, ...]:
        parts = (
            (f"only in {self.first}", self.only_first),
            ("in both", self.shared),
            (f"only in {self.second}", self.only_second),
        )
        return tuple(OverlapPart(part, profiles, self.either) for part, profiles in parts)

    @property
    def _title_html(self) -> str:
        sizes = [(self.first, self.first_size), (self.second, self.second_size)]
        return f"{as_image(self._picture())}{table(('Segment', 'Profiles'), sizes)}"

    @property
    def _notes(self) -> tuple[str]:
        return (f"Jaccard index (shared part of all in either): {self.jaccard:.3f}",)

    def _picture(self) -> Picture:
        parts = [(each.part, each.profiles) for each in self._rows]
        return draw_parts(f"{self.first} and {self.second}", parts)


@operation(Verb.PREVIEW, example='"Big spenders" Lapsed', changes=False)
def overlap(
    first: Annotated[Segment | str, SEGMENT],
    second: Annotated[Segment | str, SEGMENT],
    *,
    workspace: WorkspaceLike | None = None,
) -> Overlap:
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
