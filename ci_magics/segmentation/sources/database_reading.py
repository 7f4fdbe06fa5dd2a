"""Shared code for reading databases: translate errors, and build batches of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pyarrow as pa
from sqlalchemy import URL

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_errors import FailedQuery, connection_error, database_error
from ci_magics.segmentation.sources.database_sql import is_drivers
from ci_magics.segmentation.sources.database_values import ColumnTypeSurvey, to_array
from ci_magics.segmentation.sources.rows import Rows

_Connection = TypeVar("_Connection")
#: Column names, and rows; the first item has no rows.
Stream = Iterator[tuple[list[str], Sequence[Any]]]


@contextmanager
def connected(url: URL, connect: Callable[[], AbstractContextManager[_Connection]]) -> Iterator[_Connection]:
    """Open a connection, and close it at the end.

    Parameters
    ----------
    url
        The database's address, for error messages.
    connect
        Opens the connection.

    Raises
    ------
    SegmentError
        The database cannot be reached.
    """
    try:
        connection = connect()
    except Exception as error:
        if not is_drivers(error):
            raise
        raise connection_error(error, url) from None
    with connection as opened:
        yield opened


@contextmanager
def translated_errors(failed_query: Callable[[], FailedQuery]) -> Iterator[None]:
    """Translate errors of a query into ours, because a driver's messages quote data.

    Parameters
    ----------
    failed_query
        Returns the query and its database; called only after an error.
    """
    try:
        yield
    except SegmentError:
        raise
    except Exception as error:
        if not is_drivers(error):
            raise
        raise database_error(error, failed_query()) from None


def batch_of(
    rows: Sequence[Any],
    names: Sequence[str],
    schema: pa.Schema,
    array: Callable[[list[Any], pa.DataType], pa.Array] = to_array,
) -> pa.RecordBatch:
    """Return some columns of rows as a batch.

    Parameters
    ----------
    rows
        Rows from the driver.
    names
        The columns to return.
    schema
        All columns of the rows, in order.
    array
        Converts values to a column of a type.
    """
    places = [schema.names.index(name) for name in names]
    fields = [schema.field(place) for place in places]
    columns = [array([row[place] for row in rows], field.type) for place, field in zip(places, fields, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def rows_by_value(stream: Callable[[], Stream]) -> Rows:
    """Return the rows of a query, with column types inferred from all values in a first pass.

    Parameters
    ----------
    stream
        Runs the query; called once per pass.
    """
    first = stream()
    names, _none = next(first)
    seen = [ColumnTypeSurvey() for _name in names]
    for _names, rows in first:
        for column, each in zip(zip(*rows, strict=True), seen, strict=True):
            each.add(column)
    schema = pa.schema([(name, each.kind) for name, each in zip(names, seen, strict=True)])

    def read(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        again = stream()
        next(again)
        for _names, rows in again:
            yield batch_of(rows, wanted, schema)

    return Rows(schema, read)
