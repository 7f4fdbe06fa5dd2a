"""From the tree of a rule to a Polars expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import polars.selectors as cs

from ci_magics.segmentation.rules.case import REPLACED, REPLACEMENTS
from ci_magics.segmentation.rules.meaning import GREATEST_SIGNED, Test, View
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Condition, Join, Joined, Member, Node, Not, Operator
from ci_magics.segmentation.rules.values import SMALLEST

_TYPES: Mapping[View, Any] = {
    View.NUMBER: pl.Float64,
    View.TEXT: pl.String,
    View.FOLDED: pl.String,
    View.TRUTH: pl.Boolean,
    View.DAY: pl.Date,
    View.MONTH: pl.Int8,
    View.MOMENT: pl.Datetime("us"),
    View.NANOSECOND: pl.Int64,
}
_COMPARE: Mapping[Operator, Callable[..., pl.Expr]] = {
    Operator.EQUALS: lambda left, right: left == right,
    Operator.DIFFERS: lambda left, right: left != right,
    Operator.GREATER: lambda left, right: left > right,
    Operator.AT_LEAST: lambda left, right: left >= right,
    Operator.LESS: lambda left, right: left < right,
    Operator.AT_MOST: lambda left, right: left <= right,
    Operator.BETWEEN: lambda left, low, high: (left >= low) & (left <= high),
    Operator.CONTAINS: lambda left, right: left.str.contains(right, literal=True),
    Operator.STARTS: lambda left, right: left.str.starts_with(right),
    Operator.ENDS: lambda left, right: left.str.ends_with(right),
}


@dataclass(frozen=True)
class ExpressionWriter:
    """Writes rules as Polars expressions, which are true or false for each row and never null.

    Parameters
    ----------
    test
        Gives the meaning of a condition.
    key
        The column on which sets are joined; without one, each row is its own profile.
    members
        The keys of earlier segments, by name.
    """

    test: Callable[[Condition], Test]
    key: str | None = None
    members: Mapping[str, Members] = field(default_factory=dict)

    def write(self, node: Node) -> pl.Expr:
        """Return a rule's expression."""
        match node:
            case Condition():
                return _tested(self.test(node))
            case Member():
                among = self.members[node.segment].among
                return column(str(self.key)).map_batches(among, return_dtype=pl.Boolean, is_elementwise=True)
            case Not():
                return ~self.write(node.rule)
            case AllOf():
                return pl.all_horizontal([self.write(rule) for rule in node.rules])
            case AnyOf():
                return pl.any_horizontal([self.write(rule) for rule in node.rules])
            case Joined():
                return self._joined(node)

    def _joined(self, node: Joined) -> pl.Expr:
        found = self._set(node.first)
        for step in node.steps:
            other = self._set(step.rule)
            if step.join is Join.UNION:
                found = found | other
            else:
                found = found & (other if step.join is Join.INTERSECT else ~other)
        return found

    def _set(self, node: Node) -> pl.Expr:
        """Return whether a row's key is among the keys of the rows that fulfil a rule."""
        chosen = self.write(node)
        return chosen if self.key is None else self._among(column(self.key).filter(chosen).implode())

    def _among(self, keys: pl.Expr | pl.Series) -> pl.Expr:
        return column(str(self.key)).is_in(keys).fill_null(value=False)


def column(name: str) -> pl.Expr:
    """Return the column of exactly this name: to `polars.col` some names are patterns."""
    return cs.by_name(name).as_expr()


def caseless(texts: pl.Expr) -> pl.Expr:
    """Return texts as they are compared when case is ignored."""
    return texts.str.replace_many(list(REPLACED), list(REPLACEMENTS)).str.to_lowercase()


def _tested(test: Test) -> pl.Expr:
    if test.view is View.NOTHING:
        return column(test.column).is_not_null() & pl.lit(value=False)
    seen = _seen(test)
    if test.operator is Operator.NULL:
        return seen.is_null()
    if test.operator is Operator.NOT_NULL:
        return seen.is_not_null()
    dtype = _type(test)
    if test.operator is Operator.ANY_OF:
        return seen.is_in(pl.Series(test.values, dtype=dtype).implode()).fill_null(value=False)
    values = [pl.lit(value, dtype=dtype) for value in test.values]
    return _COMPARE[test.operator](seen, *values).fill_null(value=False)


def _type(test: Test) -> Any:
    if test.view is not View.WHOLE:
        return _TYPES[test.view]
    signed = all(SMALLEST <= value <= GREATEST_SIGNED for value in test.values)
    return pl.Int64 if signed and not test.type.wide else pl.Int128


def _seen(test: Test) -> pl.Expr:
    """Return a column in the form that the test compares."""
    raw = column(test.column)
    wall = raw.dt.replace_time_zone(None) if test.type.zone else raw
    match test.view:
        case View.RAW:
            return raw
        case View.NUMBER:
            return raw.cast(pl.Float64).fill_nan(None)
        case View.FOLDED:
            return caseless(raw.cast(pl.String))
        case View.MONTH:
            return wall.cast(pl.Date).dt.month()
        case View.NANOSECOND:
            return wall.cast(pl.Datetime("ns")).cast(pl.Int64)
        case _:
            return wall.cast(_type(test))
