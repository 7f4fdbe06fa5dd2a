"""Which rows of a frame fulfil a rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import PROFILES, key_candidates, require_column
from ci_magics.segmentation.key_text import can_be_key
from ci_magics.segmentation.rules.kinds import ColumnType, Kind, types_of
from ci_magics.segmentation.rules.meaning import Test, meaning
from ci_magics.segmentation.rules.members import require_members
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.sql import SqlWriter, identifier
from ci_magics.segmentation.rules.tree import CALENDAR, ORDERING, Condition, walk
from ci_magics.segmentation.sources.exact import TEXT, Need
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows, repetition
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import lacks_memory, out_of_memory
from ci_magics.segmentation.sources.streams import text_of
from ci_magics.segmentation.values import is_text, readable


def _unchanged(keys: pa.Array | pa.ChunkedArray) -> Any:
    return keys


@dataclass(frozen=True)
class RuleContext:
    """What a rule needs in addition to the frame.

    Parameters
    ----------
    key
        The column on which sets of profiles are joined; without one, each row is its own profile.
    today
        The day on which the last days end.
    members
        Keys of earlier segments by name.
    as_stored
        Converts a frame's keys to the form of stored keys.
    """

    key: str | None = None
    today: dt.date | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    as_stored: Callable[[pa.Array | pa.ChunkedArray], Any] = _unchanged


def read_rows(frame: Any, columns: Sequence[str], rule: Rule, context: RuleContext) -> Rows:
    """Return some columns of the rows that match a rule, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    columns
        The columns to read.
    rule
        The rule; the columns that it uses are read too.
    context
        The key, the day, and earlier segments.

    Raises
    ------
    SegmentError
        The rule does not fit the frame.
    """
    rows, needed = _source(frame, columns, rule, context)
    for name in rule.columns:
        if pa.types.is_union(kind := rows.schema.field(name).type):
            raise SegmentError(
                f"The column {name} holds {kind} values, which a rule cannot compare.",
                "Convert it to numbers or text first.",
                code="unreadable_column",
            )
    if _needs_all_at_once(rule, rows, context):
        table = pa.Table.from_batches(rows.read(needed), pa.schema([rows.schema.field(name) for name in needed]))
        with sandbox() as database:
            (chosen,) = Evaluation(table.schema, [rule], context).masks(database, table)
        return Rows.of(table.select(list(columns)).filter(chosen))
    schema = pa.schema([rows.schema.field(name) for name in needed])
    evaluation = Evaluation(schema, [rule], context, by_row=True)  # raises errors before anything is read

    def read(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with sandbox() as database:
            for batch in rows.read(needed):
                (chosen,) = evaluation.masks(database, batch)
                yield batch.select(list(wanted)).filter(chosen)

    return Rows(pa.schema([rows.schema.field(name) for name in columns]), read)


def _source(frame: Any, columns: Sequence[str], rule: Rule, context: RuleContext) -> tuple[Rows, list[str]]:
    """Return a frame's rows, and the columns to read of them."""
    names = columns_of(frame)
    for name in rule.columns:
        require_column(names, name)
    needed = list(dict.fromkeys([*columns, *rule.columns, *([context.key] if context.key and rule.needs_key else [])]))
    require_fitting_values(frame, rule)
    return read_columns(frame, needed, None, exact=rule.columns, written=columns), needed


def require_fitting_values(frame: Any, rule: Rule) -> None:
    """Require that the values of a text file have the types that a rule compares: numbers, dates or Booleans.

    Raises
    ------
    SegmentError
        A row has another value; the error names the row.
    """
    text = text_of(frame)
    if text is None:
        return
    for each in walk(rule.root):
        if not isinstance(each, Condition) or each.column not in text.names:
            continue
        need = _need(each)
        if need is not None and text.types([each.column])[each.column] == TEXT:
            found = text.misfit(each.column, need)
            if found is not None:
                raise found.error()


def _need(condition: Condition) -> Need | None:
    """Return the type that a condition needs; None for a whole number, because it may be a code."""
    if condition.operator in CALENDAR:
        return Need.MOMENT
    kinds = {type(value) for value in condition.values}
    if bool in kinds:
        return Need.TRUTH
    if kinds & {dt.date, dt.datetime}:
        return Need.MOMENT
    return Need.NUMBER if float in kinds or (int in kinds and condition.operator in ORDERING) else None


def _needs_all_at_once(rule: Rule, rows: Rows, context: RuleContext) -> bool:
    """Return whether the result for a row depends on other rows: those with the same key, in a rule that joins sets."""
    return rule.joins_sets and context.key is not None and repetition(rows, context.key) != (0, 0)


def joining_key(frame: Any, wanted: str | None) -> str | None:
    """Return the column on which sets of profiles are joined.

    It is the requested column, else the first one that is named like a key and has unique values, else None.

    Raises
    ------
    SegmentError
        The requested column does not exist.
    """
    names = columns_of(frame)
    if wanted is not None:
        return require_column(names, wanted)
    candidates = key_candidates(names)
    if not candidates:
        return None
    rows = read_columns(frame, candidates, None)
    possible = [name for name in candidates if can_be_key(rows.schema.field(name).type)]
    return next((name for name in possible if repetition(rows, name) == (0, 0)), None)


class Evaluation:
    """Rules over tables of one schema, as one DuckDB query.

    The query has generated column names, because SQL names ignore case.

    Parameters
    ----------
    schema
        The columns that the rules use, and the key if one is given.
    rules
        The rules.
    context
        The key, the day, and earlier segments.
    by_row
        Whether sets are joined row by row, because each row is a different profile.

    Raises
    ------
    SegmentError
        A rule does not fit the columns, can never be true, or needs a key that is not given.
    NotFoundError
        A segment does not exist.
    """

    def __init__(self, schema: pa.Schema, rules: Sequence[Rule], context: RuleContext, *, by_row: bool = False) -> None:
        for rule in rules:
            rule.check(schema, today=context.today)
        columns = list(dict.fromkeys(name for rule in rules for name in rule.columns))
        segments = list(dict.fromkeys(name for rule in rules for name in rule.segments))
        self._key = context.key if any(rule.needs_key for rule in rules) else None
        self._as_stored = context.as_stored
        folded = {
            each.column
            for rule in rules
            for each in walk(rule.root)
            if isinstance(each, Condition) and each.ignore_case
        }
        self._types = {name: _compared(kind, name in folded) for name, kind in types_of(schema, columns).items()}
        self._names = {name: f"column_{number}" for number, name in enumerate(columns)}
        self._members = require_members(segments, context.members, schema, self._key)
        self._flags = {name: f"in_segment_{number}" for number, name in enumerate(segments)}
        self._joins = self._key is not None and not by_row and any(rule.joins_sets for rule in rules)

        def test(condition: Condition) -> Test:
            return meaning(condition, self._types[condition.column][1], context.today)

        writer = SqlWriter(test, PROFILES, "key" if self._joins else None, names=self._names, members=self._flags)
        conditions = [f"({writer.condition(rule.root)}) AS {identifier(str(n))}" for n, rule in enumerate(rules)]
        order = "ORDER BY position" if writer.reorders else ""
        self._query = f"SELECT {', '.join(conditions)} FROM {PROFILES} {order}"  # noqa: S608 - generated names and parameters
        self._values = list(writer.values)
        self._ordered = writer.reorders

    def masks(self, database: duckdb.DuckDBPyConnection, table: pa.Table | pa.RecordBatch) -> list[pa.BooleanArray]:
        """Return for each rule which rows of a table match.

        Parameters
        ----------
        database
            A `sandbox`.
        table
            The rows.

        Raises
        ------
        SegmentError
            A value cannot be compared; the message does not show the value.
        """
        read: dict[str, Any] = {
            self._names[name]: convert(table.column(name)) for name, (convert, _kind) in self._types.items()
        }
        if self._key is not None:
            keys = self._as_stored(_one_array(table.column(self._key)))
            read |= {self._flags[name]: members.contains(keys) for name, members in self._members.items()}
            read |= {"key": keys} if self._joins else {}
        if self._ordered:
            read["position"] = pa.array(range(table.num_rows), pa.int64())
        try:
            database.register(PROFILES, pa.table(read))
            found = database.sql(self._query, params=self._values or None).to_arrow_table()
        except duckdb.Error as error:
            raise _not_evaluated(error) from None
        return [_one_array(column) for column in found.columns]


_Convert = Callable[[pa.Array | pa.ChunkedArray], Any]


def _compared(kind: ColumnType, folded: bool) -> tuple[_Convert, ColumnType]:
    """Return a conversion that lets DuckDB read a column exactly, and the resulting type."""
    if folded:  # to ignore case, DuckDB needs complete characters
        return _complete_characters, kind
    if kind.kind is Kind.OTHER:  # of a list, an interval and so on, a rule asks only for null
        return _presence, kind
    if kind.fine and kind.zone is not None:  # DuckDB has no nanoseconds in a zone
        return _wall_time, replace(kind, zone=None)
    return _unchanged, kind


def _presence(column: pa.Array | pa.ChunkedArray) -> Any:
    is_valid = column.is_valid()
    return pc.if_else(is_valid, is_valid, pa.scalar(None, pa.bool_()))


def _complete_characters(column: pa.Array | pa.ChunkedArray) -> Any:
    return readable(_one_array(column)) if is_text(column.type) else column


def _wall_time(column: pa.Array | pa.ChunkedArray) -> Any:
    return pl.Series(pl.from_arrow(column)).dt.replace_time_zone(None).to_arrow()


def _one_array(column: pa.Array | pa.ChunkedArray) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _not_evaluated(error: duckdb.Error) -> SegmentError:
    if lacks_memory(error):
        return out_of_memory()
    return SegmentError(
        f"The rule cannot be evaluated ({type(error).__name__}).",
        "A column that it uses holds a value out of range, broken text or an unknown time zone: correct the "
        "column, or leave it out of the rule.",
        code=type(error).__name__,
    )
