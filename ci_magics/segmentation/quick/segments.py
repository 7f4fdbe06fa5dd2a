"""Quick segments: the top values of a category or the percentiles of a number, one line for each segment."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.result_table import Column, ResultTable
from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.quick.lines import PERCENTILES, Line, LineFinder, usable, would_show_people
from ci_magics.segmentation.rules.kinds import ColumnType, types_of
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import Condition, Operator
from ci_magics.segmentation.sources.files import encoded
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows
from ci_magics.segmentation.sources.sandbox import sandbox


@dataclass(frozen=True)
class QuickSegment:
    """One value or range of a column.

    Parameters
    ----------
    value
        In words.
    profiles
        How many have it.
    share
        Of all profiles, from 0 to 1.
    rule
        The rule that selects it, to make a segment.
    """

    value: str
    profiles: int
    share: float
    rule: Rule


@dataclass(frozen=True, repr=False)
class QuickSegments(ResultTable[QuickSegment]):
    """The values or ranges of a column, each with its size and its rule; ``quick[0]`` is the rule of the first.

    Parameters
    ----------
    column
        The column.
    profiles
        How many profiles there are.
    empty
        How many of them have no value.
    lines
        The most frequent value or the lowest range first.
    """

    column: str
    profiles: int
    empty: int
    lines: tuple[QuickSegment, ...]

    def rule(self, number: int) -> Rule:
        """Return the rule of a line, for ``ci.segment(name, frame, rule=...)``.

        Raises
        ------
        SegmentError
            There is no such line.
        """
        try:
            return self.lines[number].rule
        except IndexError:
            raise SegmentError(
                f"There is no line {number}.", f"The lines are 0 to {len(self.lines) - 1}.", code="no_line"
            ) from None

    def __getitem__(self, number: int) -> Rule:
        return self.rule(number)

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Rule]:
        return (each.rule for each in self.lines)

    @property
    def _columns(self) -> tuple[Column[QuickSegment], ...]:
        return (
            Column("", self.lines.index),
            Column("Value", "value"),
            Column("Profiles", "profiles"),
            Column("Share", "share", lambda share: f"{share:.1%}"),
            Column("Rule", lambda each: each.rule.text, frame_name="rule"),
        )

    @property
    def _rows(self) -> tuple[QuickSegment, ...]:
        return self.lines

    @property
    def _title(self) -> str:
        counts = f"{pluralize(self.profiles, 'profile')}, {format_count(self.empty)} without a value"
        return f"Quick segments of {self.column}: {counts}"

    @property
    def _title_html(self) -> str:
        return f"<b>{html.escape(self._title)}</b>"


def quick_segments(
    frame: Any, column: str, *, percentiles: Sequence[float] = PERCENTILES, encoding: str | None = None
) -> QuickSegments:
    """Return the ten most frequent values of a category, or the ranges between percentiles of a number, date or time.

    The sizes are those of segments made of the same frame. It is read twice, batch by batch. For more than 262,144
    numbers, the percentiles come from a random sample. Among more than 50,000 distinct values, two values may be
    swapped if their counts differ by less than one in 50,000 of the profiles.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    column
        The column.
    percentiles
        The limits between the ranges of a number, in percent.
    encoding
        The encoding of text files, if it is not detected; as in `ci_magics.segment`.

    Raises
    ------
    SegmentError
        The column does not exist, holds addresses, or has no values or ranges to choose from.
    ArgumentError
        An encoding is given, and the source is not a file.
    """
    frame = encoded(frame, encoding)
    name = require_column(columns_of(frame), column)
    rows = read_columns(frame, [name], None, exact=[name])
    kind = types_of(rows.schema)[name]
    if not usable(kind):
        raise SegmentError(
            f"The column {name} holds {rows.schema.field(name).type} values. Quick segments cannot be made of them.",
            "Choose a column of texts, numbers, dates, or true and false.",
            code="quick_type",
        )
    lines = _lines(rows, name, kind, percentiles)
    if would_show_people(lines):
        raise SegmentError(
            f"The column {name} holds e-mail addresses or hashes, which identify people.",
            "Choose a column with values that many people share, such as a country.",
            code="quick_addresses",
        )
    return _counted(rows, name, lines)


def _lines(rows: Rows, column: str, kind: ColumnType, percentiles: Sequence[float]) -> list[Line]:
    seen = LineFinder(column, kind)
    for batch in rows.read([column]):
        seen.add(batch.column(0))
    return seen.lines(sorted(percentiles))


def _counted(rows: Rows, column: str, lines: Sequence[Line]) -> QuickSegments:
    """Count the profiles of each rule, as a segment of it would."""
    empty = Rule(root=Condition(column=column, operator=Operator.NULL))
    evaluation = Evaluation(rows.schema, [empty, *(line.rule for line in lines)], RuleContext())
    counts, total = [0] * (len(lines) + 1), 0
    with sandbox() as database:
        for batch in rows.read([column]):
            masks = evaluation.masks(database, batch)
            counts = [count + mask.true_count for count, mask in zip(counts, masks, strict=True)]
            total += batch.num_rows
    sized = [
        QuickSegment(line.value, count, count / max(total, 1), line.rule)
        for line, count in zip(lines, counts[1:], strict=True)
        if count
    ]
    if lines and isinstance(lines[0].rule.root, Condition) and lines[0].rule.root.operator is Operator.EQUALS:
        sized.sort(key=lambda each: -each.profiles)
    return QuickSegments(column, total, counts[0], tuple(sized))
