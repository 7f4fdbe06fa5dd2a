"""Count rules over one source repeatedly, while a person edits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext, require_fitting_values
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.sandbox import open_sandbox


class RuleCounter:
    """Count the profiles that rules select, reading each column of the source once.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._names = columns_of(frame)
        self._read: dict[str, pa.ChunkedArray] = {}
        #: Kept between counts, since opening one takes longer than a count.
        self._database: duckdb.DuckDBPyConnection | None = None

    def total(self, key: str | None = None) -> int:
        """Return the number of profiles: distinct keys, or rows if there is no key."""
        table = self._table([key or self._names[0]])
        return count_profiles(table, None, key)

    def count(self, rule: Rule, context: RuleContext) -> int:
        """Return how many profiles match a rule.

        Raises
        ------
        SegmentError
            The rule does not fit the source.
        """
        require_fitting_values(self._frame, rule)
        table = self._table([*rule.columns, *([context.key] if context.key else [])] or self._names[:1])
        evaluation = Evaluation(table.schema, [rule], context)
        database, self._database = self._database or open_sandbox(), None
        (chosen,) = evaluation.masks(database, table)
        self._database = database  # not after an error, because DuckDB may be unusable
        return count_profiles(table, chosen, context.key)

    def schema(self, columns: Sequence[str]) -> pa.Schema:
        """Return the types of some columns."""
        return self._table(columns or self._names[:1]).schema

    def _table(self, columns: Sequence[str]) -> pa.Table:
        wanted = list(dict.fromkeys(require_column(self._names, name) for name in columns))
        missing = [name for name in wanted if name not in self._read]
        if missing:
            rows = read_columns(self._frame, missing, None, exact=missing)
            schema = pa.schema([rows.schema.field(name) for name in missing])
            table = pa.Table.from_batches(rows.read(missing), schema)
            self._read |= {name: table[name] for name in missing}
        return pa.table({name: self._read[name] for name in wanted})


def count_profiles(table: pa.Table, chosen: pa.BooleanArray | None, key: str | None) -> int:
    """Return the number of profiles in the selected rows: distinct keys, or rows if there is no key.

    Parameters
    ----------
    table
        The rows.
    chosen
        The selected rows; None for all.
    key
        The key column, if there is one.
    """
    if key is None:
        return table.num_rows if chosen is None else int(chosen.true_count)
    keys = table[key] if chosen is None else table[key].filter(chosen)
    return len(IdSet(keys.chunks))
