"""Which rows of a frame fulfil a rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.segmentation.columns import key_candidates, no_column, require_column
from ci_magics.segmentation.frames import as_table, column_names
from ci_magics.segmentation.rules import Rule


def _as_they_are(keys: pa.ChunkedArray) -> Any:
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
    as_kept: Callable[[pa.ChunkedArray], Any] = _as_they_are


def read_rows(frame: Any, columns: Sequence[str], rule: Rule, given: Circumstances) -> pa.Table:
    """Return some columns of the rows that fulfil a rule, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow or a DuckDB relation.
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
    names = column_names(frame)
    for name in rule.columns:
        if name not in names:
            raise no_column(names, name)
    needed = [*columns, *rule.columns, *([given.key] if given.key and rule.needs_key else [])]
    table = as_table(frame, list(dict.fromkeys(needed)))
    return table.filter(fulfilled(table, rule, given)).select(columns)


def joining_key(frame: Any, asked: str | None) -> str | None:
    """Return the column on which sets of profiles are joined.

    It is the one asked for, else the first that is named like a key and is different for each row, else none.

    Raises
    ------
    SegmentError
        The column asked for does not exist.
    """
    names = column_names(frame)
    if asked is not None:
        return require_column(names, asked)
    return next((name for name in key_candidates(names) if _is_unique(as_table(frame, [name])[name])), None)


def _is_unique(values: pa.ChunkedArray) -> bool:
    try:
        return bool(values.null_count == 0 and pc.count_distinct(values).as_py() == len(values))
    except pa.ArrowException:
        return False  # lists, say, identify nobody


def fulfilled(table: pa.Table, rule: Rule, given: Circumstances) -> pa.Array:
    """Return for each row of a table whether it fulfils a rule; see `read_rows`."""
    read, key = table.select(list(rule.columns)), given.key if rule.needs_key else None
    if key is not None:
        kept = _unused(rule.columns)
        read, key = read.append_column(kept, _column(given.as_kept(table[key]))), kept
    chosen = rule.to_expression(read.schema, today=given.today, key=key, members=given.members)
    rows = pl.DataFrame(read) if read.num_columns else pl.DataFrame({"": range(table.num_rows)})
    return rows.select(chosen.alias("chosen"))["chosen"].to_arrow()


def _column(values: Any) -> pa.Array | pa.ChunkedArray:
    return values.to_arrow(compat_level=pl.CompatLevel.oldest()) if isinstance(values, pl.Series) else values


def _unused(columns: Sequence[str]) -> str:
    """Return a name that no column of a rule has: the key may be kept otherwise than it is compared."""
    name = "key"
    while name in columns:
        name += "_"
    return name
