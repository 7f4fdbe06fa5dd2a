"""Compile a rule's tree to SQL for DuckDB. Values are bound and names are quoted; nothing else enters the SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.rules.case import AMBIGUOUS, NEW, NEW_REPLACEMENTS
from ci_magics.segmentation.rules.meaning import Test, View
from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Condition, Join, Joined, Member, Node, Not, Operator

_COMPARE: Mapping[Operator, str] = {
    Operator.EQUALS: "{} = {}",
    Operator.DIFFERS: "{} <> {}",
    Operator.GREATER: "{} > {}",
    Operator.AT_LEAST: "{} >= {}",
    Operator.LESS: "{} < {}",
    Operator.AT_MOST: "{} <= {}",
    Operator.BETWEEN: "{} BETWEEN {} AND {}",
    Operator.CONTAINS: "contains({}, {})",
    Operator.STARTS: "starts_with({}, {})",
    Operator.ENDS: "ends_with({}, {})",
    Operator.NULL: "{} IS NULL",
    Operator.NOT_NULL: "{} IS NOT NULL",
}
#: Longer lists of values are bound as one list, which DuckDB compiles faster.
_MOST_LISTED = 100
_JOINS = {Join.UNION: "OR", Join.INTERSECT: "AND", Join.EXCEPT: "AND NOT"}


@dataclass(frozen=True)
class RuleSql:
    """A rule as SQL.

    Parameters
    ----------
    condition
        The condition after WHERE, with ``$1``, ``$2``... for values.
    parameters
        The values, in order.
    table
        The table that it reads.
    segments
        Earlier segments by the tables that hold their keys as text (see `key_text`), in a column ``key``.
    """

    condition: str
    parameters: tuple[Any, ...]
    table: str
    segments: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """The rule as one SELECT."""
        return f"SELECT * FROM {identifier(self.table)} WHERE {self.condition}"  # noqa: S608 - both are built here

    def __str__(self) -> str:
        return self.query


class SqlWriter:
    """Write rules as SQL conditions, which are true or false for each row, never null.

    Parameters
    ----------
    test
        Gives the meaning of a condition.
    table
        The table that is read.
    key
        The table's column on which sets are joined; without one, each row is its own profile.
    key_type
        Its type, if known.
    names
        The table's names for columns, if they differ.
    members
        For a segment, the table's column that says whether it has the row's key. Other segments are looked up in
        separate tables.
    """

    def __init__(
        self,
        test: Callable[[Condition], Test],
        table: str,
        key: str | None = None,
        key_type: pa.DataType | None = None,
        *,
        names: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        self._test = test
        self._table = table
        self._key = key
        self._key_type = key_type
        self._names = names or {}
        self._members = members or {}
        self._values: list[Any] = []
        self._segments: dict[str, str] = {}
        #: Whether a condition has a subquery, which can make DuckDB return the rows in a different order.
        self.reorders = False

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of all conditions so far, in order."""
        return tuple(self._values)

    def rule(self, node: Node) -> RuleSql:
        """Return a rule as SQL."""
        condition = self.condition(node)
        tables = {table: segment for segment, table in self._segments.items()}
        return RuleSql(condition, self.values, self._table, tables)

    def condition(self, node: Node) -> str:
        """Return the condition of a rule; the values of several rules are numbered consecutively."""
        return self._write(node)

    def _write(self, node: Node) -> str:
        match node:
            case Condition():
                return self._comparison(self._test(node))
            case Member():
                return self._member(node.segment)
            case Not():
                return f"NOT {self._part(node.rule)}"
            case AllOf():
                return " AND ".join(map(self._part, node.rules))
            case AnyOf():
                return " OR ".join(map(self._part, node.rules))
            case Joined():
                return self._joined(node)

    def _member(self, segment: str) -> str:
        if segment in self._members:
            return identifier(self._members[segment])
        table = self._segments.setdefault(segment, f"segment_{len(self._segments) + 1}")
        keys = f'SELECT CAST("key" AS VARCHAR) FROM {identifier(table)}'  # noqa: S608 - a generated name
        return f"({self._key_text()} IN ({keys}) IS TRUE)"

    def _joined(self, node: Joined) -> str:
        found = self._set(node.first)
        for step in node.steps:
            found = f"({found} {_JOINS[step.join]} {self._set(step.rule)})"
        return found

    def _set(self, node: Node) -> str:
        """Return SQL for whether a row's key is among the keys of the rows that match a rule."""
        if self._key is None:
            return self._part(node)
        key, table = identifier(self._key), identifier(self._table)
        self.reorders = True
        keys = f"SELECT {key} FROM {table} WHERE {key} IS NOT NULL AND {self._part(node)}"  # noqa: S608 - quoted names
        return f"({key} IN ({keys}) IS TRUE)"

    def _key_text(self) -> str:
        """Return SQL for the key in the form of `key_text`, which keys of other types can equal."""
        key = identifier(str(self._key))
        if self._key_type is None or not (pa.types.is_floating(self._key_type) or pa.types.is_decimal(self._key_type)):
            return f"CAST({key} AS VARCHAR)"
        integer = f"CAST(CAST({key} AS HUGEINT) AS VARCHAR)"
        return f"CASE WHEN {key} = trunc({key}) AND abs({key}) < 1e38 THEN {integer} ELSE CAST({key} AS VARCHAR) END"

    def _part(self, node: Node) -> str:
        return f"({self._write(node)})"

    def _comparison(self, test: Test) -> str:
        if test.view is View.NOTHING:
            return "FALSE"
        expression = self._view(test)
        if test.operator is Operator.ANY_OF and len(test.values) > _MOST_LISTED:
            self.reorders = True
            return f"({expression} IN (SELECT unnest({self._bind(list(test.values))}))) IS TRUE"
        values = [self._bind(value) for value in test.values]
        if test.operator is Operator.ANY_OF:
            return f"({expression} IN ({', '.join(values)})) IS TRUE"
        comparison = _COMPARE[test.operator].format(expression, *values)
        return comparison if not values else f"({comparison}) IS TRUE"

    def _bind(self, value: Any) -> str:
        self._values.append(value)
        return f"${len(self._values)}"

    def _view(self, test: Test) -> str:
        """Return SQL for a column in the form that the test compares."""
        raw = identifier(self._names.get(test.column, test.column))
        # Bind the time zone before the values, because parameters are numbered in order of the text.
        wall = f"timezone({self._bind(test.type.zone)}, {raw})" if _needs_zone(test) else raw
        match test.view:
            case View.NUMBER:
                return f"nullif(CAST({raw} AS DOUBLE), CAST('NaN' AS DOUBLE))"
            case View.TEXT:
                return f"CAST({raw} AS VARCHAR)"
            case View.FOLDED:
                return fold_case_in_sql(f"CAST({raw} AS VARCHAR)")
            case View.DAY:
                return _day(wall, test)
            case View.MONTH:
                return f"month({_day(wall, test)})"
            case View.MOMENT:
                return f"CAST({wall} AS TIMESTAMP)"
            case View.NANOSECOND:
                return f"epoch_ns({wall})"
            case _:
                return raw


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def fold_case_in_sql(text: str) -> str:
    """Return SQL that folds a text for comparisons that ignore case."""
    unambiguous = text
    for letter, replacement in AMBIGUOUS.items():
        unambiguous = f"replace({unambiguous}, '{letter}', '{replacement}')"
    # translate() is slow and rarely needed; most texts are ASCII.
    return (
        f"lower(CASE WHEN strlen({text}) = length({text}) THEN {text} "
        f"WHEN regexp_matches({unambiguous}, '[{NEW}]') THEN translate({unambiguous}, '{NEW}', '{NEW_REPLACEMENTS}') "
        f"ELSE {unambiguous} END)"
    )


def _day(time: str, test: Test) -> str:
    """Return SQL for the day of a time."""
    if test.type.fine and test.type.zone is None:  # DuckDB's cast would round the last nanoseconds up to the next day
        time = f"make_timestamp(epoch_us({time}))"
    return f"CAST({time} AS DATE)"


def _needs_zone(test: Test) -> bool:
    return test.type.zone is not None and test.view in (View.DAY, View.MONTH, View.MOMENT, View.NANOSECOND)
