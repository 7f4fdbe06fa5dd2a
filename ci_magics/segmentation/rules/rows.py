"""Which rows of a frame fulfil a rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import key_candidates, require_column
from ci_magics.segmentation.key_text import can_be_key
from ci_magics.segmentation.rules.kinds import Kind, types_of
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import CALENDAR, ORDERING, Condition, walk
from ci_magics.segmentation.sources.exact import TEXT, Need
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows, repetition
from ci_magics.segmentation.sources.streams import text_of


def _as_they_are(keys: pa.Array | pa.ChunkedArray) -> Any:
    return keys


@dataclass(frozen=True)
class Circumstances:
    """What a rule is evaluated with, beside the frame.

    Parameters
    ----------
    key
        The column on which sets of profiles are joined; without one each row stands for itself.
    today
        The day on which the last days end.
    members
        Keys of earlier segments by name.
    as_kept
        How a frame's keys look where those of segments are kept.
    """

    key: str | None = None
    today: dt.date | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    as_kept: Callable[[pa.Array | pa.ChunkedArray], Any] = _as_they_are


def read_rows(frame: Any, columns: Sequence[str], rule: Rule, given: Circumstances) -> Rows:
    """Return some columns of the rows that fulfil a rule, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    columns
        The columns to read.
    rule
        The rule; only the columns that it uses are read beside those.
    given
        The key, the day, and earlier segments.

    Raises
    ------
    SegmentError
        The rule does not fit the frame.
    """
    rows, needed = _source(frame, columns, rule, given)
    for name in rule.columns:
        if pa.types.is_union(kind := rows.schema.field(name).type):
            raise SegmentError(
                f"The column {name} holds {kind} values, which a rule cannot compare.",
                "Convert it to numbers or text first.",
                code="unreadable_column",
            )
    if _needs_all_at_once(rule, rows, given):
        table = pa.Table.from_batches(rows.read(needed), pa.schema([rows.schema.field(name) for name in needed]))
        return Rows.of(table.select(list(columns)).filter(fulfilled(table, rule, given)))
    empty = pa.schema([rows.schema.field(name) for name in needed]).empty_table()
    fulfilled(empty, rule, given)  # a mistake in the rule shows before anything is read

    def read(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in rows.read(needed):
            yield batch.select(list(wanted)).filter(fulfilled(batch, rule, given))

    return Rows(pa.schema([rows.schema.field(name) for name in columns]), read)


def _source(frame: Any, columns: Sequence[str], rule: Rule, given: Circumstances) -> tuple[Rows, list[str]]:
    """Return a frame's rows, and the columns to read of them."""
    names = columns_of(frame)
    for name in rule.columns:
        require_column(names, name)
    needed = list(dict.fromkeys([*columns, *rule.columns, *([given.key] if given.key and rule.needs_key else [])]))
    require_fitting_values(frame, rule)
    return read_columns(frame, needed, None, exact=rule.columns, written=columns), needed


def require_fitting_values(frame: Any, rule: Rule) -> None:
    """Require that a file of text holds what a rule compares: numbers, dates, or true and false.

    Raises
    ------
    SegmentError
        A row does not; the error names it.
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
    """Return what a condition needs the values of its column to be; a whole number may be the name of something."""
    if condition.operator in CALENDAR:
        return Need.MOMENT
    kinds = {type(value) for value in condition.values}
    if bool in kinds:
        return Need.TRUTH
    if kinds & {dt.date, dt.datetime}:
        return Need.MOMENT
    return Need.NUMBER if float in kinds or (int in kinds and condition.operator in ORDERING) else None


def _needs_all_at_once(rule: Rule, rows: Rows, given: Circumstances) -> bool:
    """Tell whether a row's fate hangs on other rows: on those with the same key in a rule that joins sets."""
    return rule.joins_sets and given.key is not None and repetition(rows, given.key) != (0, 0)


def joining_key(frame: Any, asked: str | None) -> str | None:
    """Return the column on which sets of profiles are joined.

    It is the one asked for, else the first that is named like a key and is different for each row, else none.

    Raises
    ------
    SegmentError
        The column asked for does not exist.
    """
    names = columns_of(frame)
    if asked is not None:
        return require_column(names, asked)
    candidates = key_candidates(names)
    if not candidates:
        return None
    rows = read_columns(frame, candidates, None)
    fitting = [name for name in candidates if can_be_key(rows.schema.field(name).type)]
    return next((name for name in fitting if repetition(rows, name) == (0, 0)), None)


def fulfilled(table: pa.Table | pa.RecordBatch, rule: Rule, given: Circumstances) -> pa.Array:
    """Return for each row of a table whether it fulfils a rule; see `read_rows`."""
    read, key = table.select(list(rule.columns)), given.key if rule.needs_key else None
    if key is not None:
        kept = _unused(rule.columns)
        read, key = read.append_column(kept, given.as_kept(table.column(key))), kept
    chosen = rule.to_expression(read.schema, today=given.today, key=key, members=given.members)
    read = _readable(read)
    rows = pl.DataFrame(pl.from_arrow(read)) if read.num_columns else pl.DataFrame({"": range(table.num_rows)})
    return rows.select(chosen.alias("chosen"))["chosen"].to_arrow()


def _readable(table: pa.Table | pa.RecordBatch) -> pa.Table | pa.RecordBatch:
    """Return a table in which Polars can read every column.

    A rule asks of a list, an interval and the like only whether there is one.
    """
    types = types_of(table.schema)
    for place, name in enumerate(table.schema.names):
        if types[name].kind is Kind.OTHER:
            there = table.column(place).is_valid()
            table = table.set_column(place, name, pc.if_else(there, there, pa.scalar(None, pa.bool_())))
    return table


def _unused(columns: Sequence[str]) -> str:
    """Return a name that no column of a rule has: the key may be kept otherwise than it is compared."""
    name = "key"
    while name in columns:
        name += "_"
    return name
