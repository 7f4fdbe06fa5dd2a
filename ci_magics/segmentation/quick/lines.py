"""Propose segments from a column's values or ranges, each with its rule."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from ci_magics.display.numbers import shortened
from ci_magics.errors import without_addresses
from ci_magics.segmentation.quick.frequent_values import FrequentValues
from ci_magics.segmentation.quick.percentiles import Percentiles
from ci_magics.segmentation.rules.kinds import MOMENTS, NUMBERS, ColumnType, Kind
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import AllOf, Condition, Operator
from ci_magics.segmentation.rules.writer import write_value

MOST_VALUES = 10  # as in the quick segments of Customer Insights
PERCENTILES = (10, 25, 50, 75, 90)
_CATEGORIES = (Kind.TEXT, Kind.TRUTH)
_WORDS = {False: ("less than", "more", "to less than"), True: ("before", "later", "to before")}
_HASH = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Line:
    """A value or a range in words, and the rule that selects it."""

    value: str
    rule: Rule


class LineFinder:
    """Read a column batch by batch, then return its lines."""

    def __init__(self, column: str, kind: ColumnType) -> None:
        self._column = column
        self._sketch: FrequentValues | Percentiles = FrequentValues() if kind.kind in _CATEGORIES else Percentiles()

    def add(self, values: pa.Array) -> None:
        """Add values."""
        series = pl.Series(pl.from_arrow(values))
        self._sketch.add(series.cast(pl.String) if series.dtype in (pl.Categorical, pl.Enum) else series)

    def lines(self, percentiles: Sequence[float] = PERCENTILES) -> list[Line]:
        """Return the most frequent values, or the ranges between percentiles."""
        if isinstance(self._sketch, FrequentValues):
            return [self._equal(value) for value in self._sketch.top(MOST_VALUES)]
        bounds = self._sketch.bounds(percentiles)
        return [self._between(low, high) for low, high in zip([None, *bounds], [*bounds, None], strict=True)]

    def _equal(self, value: Any) -> Line:
        text = shortened(value) if isinstance(value, str) else write_value(value)
        return Line(text, Rule(root=Condition(column=self._column, operator=Operator.EQUALS, values=(value,))))

    def _between(self, low: Any, high: Any) -> Line:
        at_least = (
            Condition(column=self._column, operator=Operator.AT_LEAST, values=(low,)) if low is not None else None
        )
        less = Condition(column=self._column, operator=Operator.LESS, values=(high,)) if high is not None else None
        before, later, until = _WORDS[isinstance(low or high, dt.date)]
        if at_least and less:
            words = f"{write_value(low)} {until} {write_value(high)}"
            return Line(words, Rule(root=AllOf(rules=(at_least, less))))
        if at_least:
            return Line(f"{write_value(low)} or {later}", Rule(root=at_least))
        if less:
            return Line(f"{before} {write_value(high)}", Rule(root=less))
        return Line("any value", Rule(root=Condition(column=self._column, operator=Operator.NOT_NULL)))


def usable(kind: ColumnType) -> bool:
    """Return whether a column of this type has values or ranges to choose from."""
    return kind.kind in _CATEGORIES or kind.kind in NUMBERS or kind.kind in MOMENTS


def would_show_people(lines: Sequence[Line]) -> bool:
    """Return whether lines would show addresses or hashes."""
    return any(
        isinstance(value, str) and (without_addresses(value) != value or _HASH.fullmatch(value.strip()))
        for line in lines
        if isinstance(line.rule.root, Condition)
        for value in line.rule.root.values
    )
