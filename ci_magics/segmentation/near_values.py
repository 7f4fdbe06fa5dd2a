"""Hints for a condition that no profile matches: values that do not occur, and similar values that do."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from ci_magics.errors import CiError, names_somebody
from ci_magics.segmentation.columns import key_candidates
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import ORDERING, Condition, Not, Operator
from ci_magics.segmentation.sources.files import encoded, is_path
from ci_magics.segmentation.sources.frames import is_spark
from ci_magics.segmentation.sources.queries import columns_of, read_columns

#: A column with more values than this is not searched: it identifies people rather than describing them.
MOST_VALUES = 1_000
#: A value is suggested if at least this many profiles have it: a value of one profile may name a person.
FEWEST_PROFILES = 2
MOST_HINTS = 3
_MAX_LISTED = 8
_PERSONAL = re.compile("mail|phone|mobile|birth|passport|iban|tax|social", re.IGNORECASE)
#: A part of a parsed query; the name of its class differs between versions of sqlglot.
_Tree = Any
_RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass(frozen=True)
class Comparison:
    """A comparison in a condition: a column, and the values that it is compared with.

    Parameters
    ----------
    column
        Its name as written.
    values
        Texts and numbers.
    equal
        Whether the column must equal one of the values; otherwise they are limits.
    loose
        Whether the condition itself ignores case or spaces.
    """

    column: str
    values: tuple[str | float, ...]
    equal: bool
    loose: bool = False


def hints_on_condition(frame: Any, where: str) -> list[str]:
    """Return sentences about values in a SQL condition that a frame does not have."""
    return _hints(frame, _comparisons_in_sql(f"SELECT 1 FROM profiles WHERE {where}"))  # noqa: S608 - parsed, never run


def hints_on_query(sql: str, frames: Mapping[str, Any], encoding: str | None = None) -> list[str]:
    """Return the same for a query that reads a single frame or file; an empty list for any other query."""
    parsed = _parsed(sql)
    tables = [] if parsed is None else list(parsed.find_all(exp.Table))
    if len(tables) != 1:
        return []
    name = tables[0].name
    frame = frames.get(name, encoded(name, encoding) if is_path(name) else None)
    return [] if frame is None else _hints(frame, _comparisons_in_sql(sql))


def hints_on_rule(frame: Any, rule: Rule) -> list[str]:
    """Return the same for a rule."""
    return _hints(frame, _comparisons_in_rule(rule.root))


def _parsed(sql: str) -> _Tree | None:
    try:
        return sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:  # DuckDB parses it; the error is raised without hints
        return None


def _comparisons_in_sql(sql: str) -> Iterator[Comparison]:
    parsed = _parsed(sql)
    if parsed is None:
        return
    for node in parsed.find_all(exp.EQ, exp.In, exp.Like, exp.ILike, exp.Between, *_RANGES):
        if node.find_ancestor(exp.Not) is None:
            yield from _comparisons_of(node)


def _comparisons_of(node: _Tree) -> Iterator[Comparison]:
    sides = [_unwrap(node.this), *(_unwrap(each) for each in _operands(node))]
    columns = [each.name for each in sides if isinstance(each, exp.Column)]
    values = tuple(value for each in sides if (value := _value(each)) is not None)
    if isinstance(node, exp.Like | exp.ILike) and any("%" in str(each) or "_" in str(each) for each in values):
        return
    if len(columns) == 1 and len(values) == len(sides) - 1:
        equal = not isinstance(node, (exp.Between, *_RANGES))
        loose = isinstance(node, exp.ILike) or node.find(exp.Lower, exp.Upper, exp.Trim) is not None
        yield Comparison(columns[0], values, equal=equal, loose=loose)


def _operands(node: _Tree) -> list[_Tree]:
    if isinstance(node, exp.In):
        return list(node.expressions)
    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    return [node.expression]


def _unwrap(node: _Tree) -> _Tree:
    """Return the expression inside parentheses, casts, and functions that only change the spelling of a text."""
    while isinstance(node, exp.Lower | exp.Upper | exp.Trim | exp.Paren | exp.Cast):
        node = node.this
    return node


def _value(node: _Tree) -> str | float | None:
    if isinstance(node, exp.Neg):
        inner = _value(node.this)
        return -inner if isinstance(inner, float) else None
    if not isinstance(node, exp.Literal):
        return None
    return str(node.this) if node.is_string else float(node.this)


def _comparisons_in_rule(node: Any) -> Iterator[Comparison]:
    if isinstance(node, Condition):
        values = tuple(each if isinstance(each, str) else _number(each) for each in node.values)
        if node.operator in (Operator.EQUALS, Operator.ANY_OF):
            yield Comparison(node.column, values, equal=True, loose=node.ignore_case)
        elif node.operator in ORDERING:
            yield Comparison(node.column, values, equal=False)
    elif not isinstance(node, Not):
        steps = [each.rule for each in getattr(node, "steps", ())]
        for each in (*getattr(node, "rules", ()), *([node.first] if steps else []), *steps):
            yield from _comparisons_in_rule(each)


def _number(value: Any) -> str | float:
    return float(value) if isinstance(value, int | float) else str(value)


def _hints(frame: Any, comparisons: Iterator[Comparison]) -> list[str]:
    if is_spark(frame):  # another job on the cluster
        return []
    found: list[str] = []
    try:
        names = {each.casefold(): each for each in columns_of(frame)}
        keys = set(key_candidates(list(names.values())))
        for each in comparisons:
            column = names.get(each.column.casefold())
            if column is not None and column not in keys and len(found) < MOST_HINTS:
                found += _hints_on(frame, column, each)
    except CiError:  # a source that can be read only once: raise the error without hints
        return found
    return list(dict.fromkeys(found))


def _hints_on(frame: Any, column: str, comparison: Comparison) -> list[str]:
    counts: Counter[Any] = Counter()
    low: Any = None
    high: Any = None
    kind: pl.DataType = pl.Null()
    for batch in read_columns(frame, [column], None).read([column]):
        values = pl.Series(pl.from_arrow(batch.column(0))).drop_nulls()
        kind = values.dtype
        if kind.is_numeric() or kind.is_temporal():
            low = min((each for each in (low, values.min()) if each is not None), default=None)
            high = max((each for each in (high, values.max()) if each is not None), default=None)
        elif kind in (pl.String, pl.Categorical, pl.Enum) and comparison.equal:
            counts.update(dict(values.cast(pl.String).value_counts().iter_rows()))
            if len(counts) > MOST_VALUES:
                return []
        else:
            return []
    if low is not None:
        return _out_of_range(column, comparison, low, high)
    return _similar_values(column, comparison, counts)


def _out_of_range(column: str, comparison: Comparison, low: Any, high: Any) -> list[str]:
    if _PERSONAL.search(column):
        return []
    outside: list[str | float]
    if isinstance(low, int | float):
        outside = [each for each in comparison.values if isinstance(each, float) and not low <= each <= high]
        hint = f"{column} runs from {low:g} to {high:g}."
    else:
        outside = [each for each in comparison.values if isinstance(each, str) and not str(low) <= each <= str(high)]
        hint = f"{column} runs from {str(low)[:10]} to {str(high)[:10]}."
    return [hint] if outside else []


def _similar_values(column: str, comparison: Comparison, counts: Counter[str]) -> list[str]:
    offered = [value for value, count in counts.items() if count >= FEWEST_PROFILES and not _is_personal(value)]
    folded = {_fold(each) for each in counts} if comparison.loose else set()
    hints = []
    for value in comparison.values:
        if not isinstance(value, str) or value in counts or _fold(value) in folded or _is_personal(value):
            continue
        similar = _nearest(value, offered)
        if similar:
            hints.append(
                f"No profile has {column} '{value}': did you mean {' or '.join(repr(each) for each in similar)}?"
            )
        elif 0 < len(offered) <= _MAX_LISTED and not _PERSONAL.search(column):
            known = ", ".join(repr(each) for each in sorted(offered))
            hints.append(f"No profile has {column} '{value}'; its values are {known}.")
    return hints


def _nearest(value: str, offered: list[str]) -> list[str]:
    """Return similar values: if possible those that differ only in case, spaces and accents."""
    folded: dict[str, list[str]] = {}
    for each in offered:
        folded.setdefault(_fold(each), []).append(each)
    same = folded.get(_fold(value))
    if same:
        return same[:2]
    close = difflib.get_close_matches(_fold(value), folded, n=2, cutoff=0.7)
    return [each for match in close for each in folded[match]][:2]


def _fold(text: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return "".join(bare.casefold().split())


def _is_personal(value: str) -> bool:
    return "@" in value or names_somebody(value)
