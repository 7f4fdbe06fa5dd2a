"""What DuckDB refuses, said without its own words: they may quote a value of the data."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from ci_magics.errors import SegmentError, nearest_name
from ci_magics.segmentation.columns import no_column

_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:was )?not found|does not have a column named "([^"]+)"')
_MISSING_NAME = re.compile(r"(Table|Function) with name (\w{1,60})", re.IGNORECASE)


def condition_error(error: duckdb.Error, condition: str, columns: Sequence[str]) -> SegmentError:
    """Return the error for a condition that cannot be evaluated."""
    return _missing_column(error, condition, columns) or SegmentError(
        f"The condition cannot be used: {_kind(error)}.",
        "Write it in SQL, for example --where \"TotalSpend > 500 and Country = 'NL'\".",
        code=type(error).__name__,
    )


def query_error(error: duckdb.Error, sql: str, columns: Sequence[str], frames: Sequence[str]) -> SegmentError:
    """Return the error for a query that cannot be run."""
    return _missing_column(error, sql, columns) or SegmentError(
        f"The query cannot be run: {_kind(error)}.{_table_hint(error, frames)}",
        "Check its names and its grammar.",
        code=type(error).__name__,
    )


def _missing_column(error: duckdb.Error, sql: str, columns: Sequence[str]) -> SegmentError | None:
    found = _MISSING_COLUMN.search(str(error))
    if found is None or not isinstance(error, duckdb.BinderException):
        return None
    name = found.group(1) or found.group(2)
    if f'"{name}"' in sql and nearest_name(name, columns) is None:
        return SegmentError(
            "A text in double quotes is the name of a column in SQL, and there is no such column.",
            "Write a text in single quotes, for example Country = 'NL'.",
            code="no_column",
        )
    return no_column(columns, name)


def _table_hint(error: duckdb.Error, frames: Sequence[str]) -> str:
    found = _MISSING_NAME.search(str(error))
    nearest = nearest_name(found.group(2), frames) if found and found.group(1).lower() == "table" else None
    return f" Did you mean '{nearest}'?" if nearest else ""


def _kind(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.ParserException):
        near = re.search(r'at or near "([^"@]{1,40})"', str(error))
        return f"a mistake in the grammar near '{near.group(1)}'" if near else "a mistake in the grammar"
    if isinstance(error, duckdb.CatalogException):
        found = _MISSING_NAME.search(str(error))
        return f"there is no {found.group(1).lower()} '{found.group(2)}'" if found else "a name does not exist"
    if isinstance(error, duckdb.BinderException):
        return "a name or a type does not fit"
    if isinstance(error, duckdb.ConversionException):
        return "a value cannot be compared with that type"
    if isinstance(error, duckdb.PermissionException):
        return "it may read only the frames of the notebook, no file, database or address"
    return "the database refused it"
