"""Find the values of a column that a user can choose from."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.rules.kinds import Kind, types_of
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows

#: As in Customer Insights: offer values if the first rows have at most this many.
MOST_VALUES = 200
FIRST_ROWS = 10_000
_OFFERED = (Kind.WHOLE, Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIME, Kind.TRUTH)


def value_choices(frame: Any, column: str) -> list[Any]:
    """Return the sorted values of a column with few values; empty if it has many.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files; the first 10,000 rows are read.
    column
        The column.

    Raises
    ------
    SegmentError
        The column does not exist.
    """
    name = require_column(columns_of(frame), column)
    first = _first_rows(read_columns(_head(frame), [name], None, exact=[name]), name)
    if types_of(first.schema)[name].kind not in _OFFERED:
        return []
    values = pl.Series(pl.from_arrow(first[name])).drop_nulls()
    values = values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values
    distinct = values.drop_nans().unique() if values.dtype.is_float() else values.unique()
    return distinct.sort().to_list() if len(distinct) < MOST_VALUES else []


def _head(frame: Any) -> Any:
    """Return the first rows of a frame in memory; other sources are read lazily anyway."""
    return frame.head(FIRST_ROWS) if type(frame).__module__.startswith("pandas") else frame


def _first_rows(rows: Rows, column: str) -> pa.Table:
    batches, count = [], 0
    for batch in rows.read([column]):
        batches.append(batch)
        count += batch.num_rows
        if count >= FIRST_ROWS:
            break
    return pa.Table.from_batches(batches, pa.schema([rows.schema.field(column)])).slice(0, FIRST_ROWS)
