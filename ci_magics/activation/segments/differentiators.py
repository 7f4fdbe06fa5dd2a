"""Compare the values of two segments in the columns of a frame."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.segments.key_set import KeySet, key_sets
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.display.numbers import Share, format_count, pluralize
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.errors import SegmentError
from ci_magics.matching.drawing import Picture, as_image
from ci_magics.matching.segment_pictures import draw_pairs
from ci_magics.segmentation.columns import require_column, same_key
from ci_magics.segmentation.quick.lines import Line, LineFinder, usable, would_show_people
from ci_magics.segmentation.rules.kinds import types_of
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import Segment
from ci_magics.segmentation.sources.files import encoded
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows, repetition
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import WorkspaceLike, store_of

#: How many columns are compared by default.
MOST_COLUMNS = 50
#: Values with a lower share in both segments are left out.
LEAST_SHARE = 0.01
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
            parts.append(f"{format_count(len(self.lines) - _SHOWN)} more: see to_frame().")
        if (self.first_found, self.second_found) != (self.first_size, self.second_size):
            found = f"{format_count(self.first_found)} of {pluralize(self.first_size, 'profile')}"
            other = f"{format_count(self.second_found)} of {pluralize(self.second_size, 'profile')}"
            parts.append(f"The frame has {found}, and {other}.")
        if self.left_out:
            parts.append(f"{pluralize(self.left_out, 'other column', 'was')} not compared: use columns=[...].")
        return (" ".join(parts),)

    def _picture(self) -> Picture:
        pairs = [(f"{each.column}: {each.value}", *self._shares(each)) for each in self.lines[:_DRAWN]]
        return draw_pairs(_TITLE, (self.first, self.second), pairs)


def differentiators(
    first: Segment | str,
    second: Segment | str,
    frame: Any,
    *,
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
    workspace: WorkspaceLike | None = None,
) -> Differentiators:
    """Find values and ranges that are more frequent in one segment than in another.

    Compares the ten most frequent values of categories, and ranges between percentiles of numbers, dates, and times,
    among the profiles of either segment. Reads the frame in batches.

    Parameters
    ----------
    first, second
        Segments or their names. Both must have the same key column.
    frame
        Any source that a segment can be made from, with the key column of the segments and the columns to compare.
    columns
        Columns to compare. None compares the first fifty. Columns with addresses are never compared.
    encoding
        Encoding of text files, if detection fails; see `ci_magics.segment`.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    SegmentError
        The key of the segments or the frame does not match, or no profile of a segment is in the frame.
    ArgumentError
        An encoding was given for a source that is not a file.
    """
    frame = encoded(frame, encoding)
    workspace = store_of(workspace)
    require(workspace, Verb.PREVIEW)
    records = [stored_segment(workspace, each).record for each in (first, second)]
    sets = key_sets(workspace, records)
    key = records[0].definition["key"]
    names = columns_of(frame)
    key = next((name for name in names if same_key(name, key)), key)
    require_column(names, key)
    requested = [require_column(names, name) for name in columns or names]
    requested = [
        name for name in dict.fromkeys(requested) if name not in (key, *(each.definition["email"] for each in records))
    ]
    chosen = requested if columns else requested[:MOST_COLUMNS]
    try:
        rows = read_columns(frame, [key, *chosen], None, exact=chosen, written=[key])
    except SegmentError as error:
        if columns or error.code != "mixed_column":
            raise
        chosen = _readable(frame, chosen)
        rows = read_columns(frame, [key, *chosen], None, exact=chosen, written=[key])
    _require_one_row_each(rows, key)
    lines = _lines(rows, key, chosen, sets)
    found, counts = _counts(rows, key, lines, sets)
    one, two = sets
    return Differentiators(
        first=one.segment,
        second=two.segment,
        first_found=found[0],
        second_found=found[1],
        first_size=len(one),
        second_size=len(two),
        lines=_ordered(lines, counts, found),
        left_out=len(requested) - len(chosen),
    )


def _readable(frame: Any, columns: Sequence[str]) -> list[str]:
    """Return the columns that can be read. A column that you did not ask for must not stop the comparison."""
    found = []
    for name in columns:
        try:
            read_columns(frame, [name], None, exact=[name])
        except SegmentError as error:
            if error.code != "mixed_column":
                raise
        else:
            found.append(name)
    return found


def _require_one_row_each(rows: Rows, key: str) -> None:
    _empty, repeated = repetition(rows, key)
    if repeated:
        raise SegmentError(
            f"The key column {key} has {pluralize(repeated, 'repeated value')} in the frame, so profiles would "
            "count twice.",
            "Give a frame with one row for each profile, for example with drop_duplicates() or GROUP BY.",
            code="key_not_unique",
        )


def _members(
    rows: Rows, key: str, columns: Sequence[str], sets: Sequence[KeySet]
) -> Iterator[tuple[pa.RecordBatch, list[pl.Series]]]:
    """Yield the rows that are in either segment, with one mask for each segment."""
    for batch in rows.read([key, *columns]):
        inside = [each.contains(batch.column(0)) for each in sets]
        either = inside[0] | inside[1]
        yield batch.filter(either.to_arrow()), [each.filter(either) for each in inside]


def _lines(rows: Rows, key: str, columns: Sequence[str], sets: Sequence[KeySet]) -> list[tuple[str, Line]]:
    kinds = types_of(rows.schema)
    finders: Mapping[str, LineFinder] = {name: LineFinder(name, kinds[name]) for name in columns if usable(kinds[name])}
    for batch, _inside in _members(rows, key, list(finders), sets):
        for name, column in finders.items():
            column.add(batch.column(name))
    lines = {name: column.lines() for name, column in finders.items()}
    return [
        (name, line)
        for name, found in lines.items()
        if len(found) > 1 and not would_show_people(found)
        for line in found
    ]


def _counts(
    rows: Rows, key: str, lines: Sequence[tuple[str, Line]], sets: Sequence[KeySet]
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Count the profiles of each segment, in total and for each line."""
    evaluation = Evaluation(rows.schema, [line.rule for _name, line in lines], RuleContext()) if lines else None
    columns = list(dict.fromkeys(name for name, _line in lines))
    totals, counts = [0, 0], [[0, 0] for _line in lines]
    with sandbox() as database:
        for batch, inside in _members(rows, key, columns, sets):
            masks = evaluation.masks(database, batch) if evaluation else []
            for side, mask in enumerate(each.to_arrow() for each in inside):
                totals[side] += mask.true_count
                for count, chosen in zip(counts, masks, strict=True):
                    count[side] += pc.and_(chosen, mask).true_count
    for each, total in zip(sets, totals, strict=True):
        if not total:
            raise SegmentError(
                f"No profile of the segment '{each.segment}' is in the frame.",
                f"Pass the frame that it was made from; the key is {key}.",
                code="nobody_in_frame",
            )
    return (totals[0], totals[1]), [(one, two) for one, two in counts]


def _ordered(
    lines: Sequence[tuple[str, Line]], counts: Sequence[tuple[int, int]], found: tuple[int, int]
) -> tuple[Differentiator, ...]:
    made = [
        Differentiator(name, line.value, one, two, one / found[0], two / found[1], line.rule)
        for (name, line), (one, two) in zip(lines, counts, strict=True)
    ]
    kept = [each for each in made if max(each.first_share, each.second_share) >= LEAST_SHARE]
    return tuple(sorted(kept, key=lambda each: -abs(each.difference)))
