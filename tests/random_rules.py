"""Random rules and frames, and the meaning of a rule, row by row in plain Python on pandas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from ci_magics.segmentation.rules.tree import (
    FRAGMENTS,
    NULL_TESTS,
    TEXTUAL,
    AllOf,
    AnyOf,
    Condition,
    Join,
    Joined,
    Member,
    Node,
    Not,
    Operator,
    Step,
    walk,
)

TODAY = dt.date(2026, 3, 1)
ZONE = ZoneInfo("Europe/Amsterdam")
KEYS = "abcdefgh"
MEMBERS = {"Big spenders": ["a", "b", "zz"], "O'Neil": ["b", "h"], "Nobody": []}

_DOTLESS, _SIGMA, _FINAL_SIGMA = "\u0131", "\u03c3", "\u03c2"
_LETTERS = f"aAbiI{_DOTLESS}İßẞsS{_SIGMA}{_FINAL_SIGMA}ΣK\u212akéÉ .%_*^$'\"\\\n\U00010d50\U00010d70\ua7cbɤ"
texts = st.text(_LETTERS, max_size=4)
numbers = st.sampled_from([0, 1, -1, 2, 3, 2**53, 2**53 + 1, -(2**62)])
floats = st.sampled_from([0.0, 0.1, 1.0, -1.5, 2.0, 19.99, 1e300])
days = st.dates(TODAY - dt.timedelta(days=4), TODAY + dt.timedelta(days=2)) | st.dates()
times = st.builds(
    dt.datetime.combine,
    st.dates(TODAY - dt.timedelta(days=3), TODAY + dt.timedelta(days=1)),
    st.sampled_from([dt.time(), dt.time(12, 30), dt.time(22, 30), dt.time(23, 59, 59, 999_999)]),
)

#: For each column: its type, its values, and the values it is compared with.
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "n": (pa.int64(), numbers, numbers | floats),
    "small": (pa.int8(), st.integers(-128, 127), st.integers(-300, 300) | floats),
    "un signed": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1]), numbers | st.just(2**64 - 1)),
    "x": (pa.float64(), floats | st.just(float("nan")), numbers | floats),
    "single": (pa.float32(), st.sampled_from([0.5, 0.1, float("nan")]), numbers | floats),
    "price": (pa.decimal128(12, 2), st.decimals(0, 30, places=2) | st.just(Decimal("19.99")), numbers | floats),
    "^text.*$": (pa.string(), texts, texts | st.integers(0, 9)),
    'c"{0}': (pa.dictionary(pa.int8(), pa.string()), texts, texts),
    "day": (pa.date32(), days, days),
    "at": (pa.timestamp("us"), times, times | days),
    "fine": (pa.timestamp("ns"), times, times | days),
    "zoned": (pa.timestamp("us", "Europe/Amsterdam"), times.map(lambda time: time.replace(tzinfo=ZONE)), times | days),
    "*": (pa.bool_(), st.booleans(), st.booleans()),
    "empty": (pa.null(), st.none(), numbers | texts),
}
_NUMBERS = ("n", "small", "un signed", "x", "single", "price")
_TEXTS = ("^text.*$", 'c"{0}')
_MOMENTS = ("day", "at", "fine", "zoned")
_COMPARISONS = [
    *(Operator.EQUALS, Operator.DIFFERS, Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST),
    *(Operator.BETWEEN, Operator.ANY_OF),
]


@st.composite
def tables(draw: st.DrawFn, columns: Collection[str]) -> pa.Table:
    """Draw a table with some of the columns, all with nulls, and a key that can repeat or be missing."""
    count = draw(st.integers(0, 6))
    rows = {name: _array(COLUMNS[name][0], draw(_column(COLUMNS[name][1], count))) for name in columns}
    return pa.table({**rows, "key": pa.array(draw(_column(st.sampled_from(KEYS), count)), pa.string())})


def _array(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


def used(node: Node) -> list[str]:
    """Return the columns that a rule uses, each once."""
    return sorted({each.column for each in walk(node) if isinstance(each, Condition)})


def with_tables(nodes: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, pa.Table]]:
    """Draw rules, each with a table that has its columns."""
    return nodes.flatmap(lambda node: st.tuples(st.just(node), tables(used(node))))


def _column(values: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=count, max_size=count)


@st.composite
def fitting_conditions(draw: st.DrawFn) -> Condition:
    """Draw a condition that fits a column of `tables`."""
    column = draw(st.sampled_from(sorted(COLUMNS)))
    values = COLUMNS[column][2]
    operators = [*NULL_TESTS, Operator.EQUALS, Operator.DIFFERS, Operator.ANY_OF]
    if column in _TEXTS:
        operators += FRAGMENTS
    if column in _NUMBERS + _MOMENTS:
        operators += _COMPARISONS
    if column in _MOMENTS:
        operators += [Operator.WITHIN_LAST, Operator.MONTH]
    operator = draw(st.sampled_from(sorted(operators)))
    ignore_case = column in _TEXTS and operator in TEXTUAL and draw(st.booleans())
    return Condition(column=column, operator=operator, values=draw(_values(operator, values)), ignore_case=ignore_case)


def _values(operator: Operator, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    if operator in NULL_TESTS:
        return st.just(())
    if operator is Operator.WITHIN_LAST:
        return st.tuples(st.integers(1, 3) | st.integers(1, 36_500))
    if operator is Operator.MONTH:
        return st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple)
    if operator in FRAGMENTS:
        return st.tuples(texts)
    if operator is Operator.ANY_OF:
        return st.lists(values, min_size=1, max_size=3).map(tuple)
    return st.tuples(values, values) if operator is Operator.BETWEEN else st.tuples(values)


@st.composite
def trees(draw: st.DrawFn, leaves: st.SearchStrategy[Any], deep: int = 3) -> Node:
    """Draw any tree over some leaves."""
    kind = draw(st.sampled_from(["leaf", "all", "any", "not", "joined"])) if deep else "leaf"
    if kind == "leaf":
        leaf: Node = draw(leaves)
        return leaf
    count = 1 if kind == "not" else draw(st.integers(2, 3))
    rules = tuple(draw(trees(leaves, deep - 1)) for _each in range(count))
    if kind == "joined":
        steps = tuple(Step(join=draw(st.sampled_from(Join)), rule=rule) for rule in rules[1:])
        return Joined(first=rules[0], steps=steps)
    return {"all": AllOf, "any": AnyOf}[kind](rules=rules) if count > 1 else Not(rule=rules[0])


members = st.sampled_from(sorted(MEMBERS)).map(lambda name: Member(segment=name))


def expected(node: Node, frame: pd.DataFrame) -> pd.Series[bool]:
    """Return for each row whether it matches a rule, following the documentation."""
    match node:
        case Condition():
            return frame[node.column].map(lambda value: _holds(node, value)).astype(bool)
        case Member():
            return frame["key"].isin(MEMBERS[node.segment])
        case Not():
            return ~expected(node.rule, frame)
        case AllOf():
            return pd.concat([expected(rule, frame) for rule in node.rules], axis=1).all(axis=1)
        case AnyOf():
            return pd.concat([expected(rule, frame) for rule in node.rules], axis=1).any(axis=1)
        case Joined():
            keys = _keys(node.first, frame)
            for step in node.steps:
                keys = _JOINED[step.join](keys, _keys(step.rule, frame))
            return frame["key"].isin(keys)


_JOINED: Mapping[Join, Callable[[set[str], set[str]], set[str]]] = {
    Join.UNION: set.union,
    Join.INTERSECT: set.intersection,
    Join.EXCEPT: set.difference,
}


def _keys(node: Node, frame: pd.DataFrame) -> set[str]:
    return set(frame.loc[expected(node, frame), "key"].dropna())


def as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame of Python objects."""
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in table.column_names})


def _holds(condition: Condition, value: Any) -> bool:
    missing = value is None or value is pd.NaT or (isinstance(value, float) and value != value)
    operator, given = condition.operator, condition.values
    if missing or operator in NULL_TESTS:
        return missing is (operator is Operator.NULL)
    if operator is Operator.WITHIN_LAST:
        return bool(TODAY - dt.timedelta(days=int(str(given[0]))) <= _day(value) <= TODAY)
    if operator is Operator.MONTH:
        return _day(value).month in given
    seen, wanted = _comparable(condition, value)
    return _OPERATIONS[operator](seen, *wanted)


_OPERATIONS: dict[Operator, Callable[..., bool]] = {
    Operator.EQUALS: lambda value, other: value == other,
    Operator.DIFFERS: lambda value, other: value != other,
    Operator.GREATER: lambda value, other: value > other,
    Operator.AT_LEAST: lambda value, other: value >= other,
    Operator.LESS: lambda value, other: value < other,
    Operator.AT_MOST: lambda value, other: value <= other,
    Operator.BETWEEN: lambda value, low, high: low <= value <= high,
    Operator.CONTAINS: lambda value, part: part in value,
    Operator.STARTS: str.startswith,
    Operator.ENDS: str.endswith,
    Operator.ANY_OF: lambda value, *others: value in others,
}


def _comparable(condition: Condition, value: Any) -> tuple[Any, list[Any]]:
    given: list[Any] = list(condition.values)
    if condition.column in _TEXTS:
        fold = _caseless if condition.ignore_case else str
        return fold(value), [fold(str(each)) for each in given]
    if condition.column in _MOMENTS:
        return _moment(value, given)
    if condition.column == "single":
        return value, [pa.scalar(float(each), pa.float32()).as_py() for each in given]
    whole = isinstance(value, int) and all(isinstance(each, int) for each in given)
    return (value, given) if whole or condition.column == "*" else (float(value), [float(each) for each in given])


def _moment(value: Any, given: list[Any]) -> tuple[Any, list[Any]]:
    if not any(isinstance(each, dt.datetime) for each in given):
        return _day(value), given
    wall = pd.Timestamp(value).to_pydatetime().replace(tzinfo=None)
    return wall, [each if isinstance(each, dt.datetime) else dt.datetime.combine(each, dt.time()) for each in given]


def _day(value: Any) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _caseless(text: str) -> str:
    """Fold a text as documented, without the tables of the package."""
    letters = {"İ": "i", "Σ": _SIGMA, _FINAL_SIGMA: _SIGMA, "\U00010d50": "\U00010d70", "\ua7cb": "ɤ"}
    return "".join(letters.get(letter, letter.lower()) for letter in text)
