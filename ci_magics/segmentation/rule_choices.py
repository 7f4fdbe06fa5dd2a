"""Which values a person can choose from for a column."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.frames import as_table, column_names
from ci_magics.segmentation.rule_types import Kind, types_of

#: As in Customer Insights: values are offered when there are fewer of them than this among the first rows.
MOST_VALUES = 200
FIRST_ROWS = 10_000
_OFFERED = (Kind.WHOLE, Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIME, Kind.TRUTH)


def value_choices(frame: Any, column: str) -> list[Any]:
    """Return the values of a column that has only a few, in order; none when it has many.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow or a DuckDB relation; its first 10,000 rows are looked at.
    column
        The column.

    Raises
    ------
    SegmentError
        The column does not exist.
    """
    name = require_column(column_names(frame), column)
    first = as_table(_first_rows(frame), [name]).slice(0, FIRST_ROWS)
    if types_of(first.schema)[name].kind not in _OFFERED:
        return []
    values = pl.Series(pl.from_arrow(first[name])).drop_nulls()
    values = values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values
    distinct = values.drop_nans().unique() if values.dtype.is_float() else values.unique()
    return distinct.sort().to_list() if len(distinct) < MOST_VALUES else []


def _first_rows(frame: Any) -> Any:
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return frame.slice(0, FIRST_ROWS)
    return frame.limit(FIRST_ROWS) if not hasattr(frame, "head") else frame.head(FIRST_ROWS)
