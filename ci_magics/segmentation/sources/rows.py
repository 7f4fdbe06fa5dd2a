"""Rows of a source: in memory, or streamed with at most one batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ci_magics.segmentation.key_text import marks_in_column

#: Rows per batch: enough to keep the CPU busy with little memory.
BATCH = 131_072

Reader = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Rows:
    """Columns that can be read repeatedly, always in the same order.

    Parameters
    ----------
    schema
        The columns.
    read
        Yields some of the columns, batch by batch.
    """

    schema: pa.Schema
    read: Reader = field(repr=False)

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        """Return the rows of a table."""

        def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            yield from table.select(list(columns)).to_batches(max_chunksize=BATCH)

        return cls(table.schema, read)

    def table(self) -> pa.Table:
        """Return all rows at once; for sources that fit in memory."""
        return pa.Table.from_batches(self.read(self.schema.names), self.schema)


def repetition(rows: Rows, column: str) -> tuple[int, int]:
    """Return the number of keys in a column that are empty, and that repeat an earlier one; see `key_text`.

    Keys are compared by 64-bit hashes. With fifty million keys, the chance of any collision is one in ten thousand.

    Parameters
    ----------
    rows
        The source.
    column
        The key column.
    """
    empty, marks = 0, [np.empty(0, np.uint64)]
    for batch in rows.read([column]):
        keys = batch.column(0)
        missing = np.asarray(keys.is_null(nan_is_null=pa.types.is_floating(keys.type)))
        empty += int(missing.sum())
        marks.append(marks_in_column(keys)[~missing])
    joined = np.concatenate(marks)
    joined.sort()
    return empty, int((joined[1:] == joined[:-1]).sum())
