"""Filter rows with the same SQL everywhere, batch by batch, for example in Spark's executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ci_magics.segmentation.columns import PROFILES, columns_in_sql
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error

_POSITION = "position in the batch"


@dataclass(frozen=True)
class Condition:
    """A filter on rows; small enough to send to workers.

    Parameters
    ----------
    text
        A condition in DuckDB's SQL that depends on one row at a time.
    time_zone
        The time zone for comparing timestamps.
    """

    text: str
    time_zone: str | None = None

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that the condition may use: those it mentions, or all if it can refer to all."""
        return columns_in_sql(self.text, names)

    def check(self, schema: pa.Schema, names: Sequence[str]) -> None:
        """Require that the condition can be evaluated.

        Parameters
        ----------
        schema
            The columns that it uses.
        names
            All existing columns, for the error message.

        Raises
        ------
        SegmentError
            A name, a type or the syntax is wrong.
        """
        with sandbox(time_zone=self.time_zone) as database:
            try:
                self._positions(database, pa.RecordBatch.from_pylist([], schema))
            except duckdb.Error as error:
                raise condition_error(error, self.text, names) from None

    def filter(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the matching rows in their original order.

        Raises
        ------
        SegmentError
            A value cannot be compared; the message does not show the value.
        """
        with sandbox(time_zone=self.time_zone) as database:
            for batch in batches:
                try:
                    positions = self._positions(database, batch)
                except duckdb.Error as error:
                    raise condition_error(error, self.text, batch.schema.names) from None
                yield batch.take(positions)

    def _positions(self, database: duckdb.DuckDBPyConnection, batch: pa.RecordBatch) -> pa.Array:
        numbers = pa.array(range(batch.num_rows), pa.int64())
        columns = [*batch.columns, numbers]
        database.register(PROFILES, pa.table(columns, names=[*batch.schema.names, _POSITION]))
        kept = database.table(PROFILES).filter(self.text).select(duckdb.ColumnExpression(_POSITION))
        return kept.to_arrow_table().column(0).combine_chunks()
