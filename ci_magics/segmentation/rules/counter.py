"""Count rules over one source repeatedly, while a person edits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.rules.rows import Circumstances, fulfilled, require_fitting_values
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.sources.queries import columns_of, read_columns


class RuleCounter:
    """Counts what rules choose; each column of the source is read once.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._names = columns_of(frame)
        self._read: dict[str, pa.ChunkedArray] = {}

    def total(self, key: str | None = None) -> int:
        """Return how many profiles there are: different keys, or rows without a key."""
        return _profiles(self._table([key or self._names[0]]), key)

    def count(self, rule: Rule, given: Circumstances) -> int:
        """Return how many profiles fulfil a rule.

        Raises
        ------
        SegmentError
            The rule does not fit the source.
        """
        require_fitting_values(self._frame, rule)
        table = self._table([*rule.columns, *([given.key] if given.key else [])] or self._names[:1])
        rule.check(table.schema, today=given.today)
        return _profiles(table.filter(fulfilled(table, rule, given)), given.key)

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


def _profiles(table: pa.Table, key: str | None) -> int:
    return table.num_rows if key is None else len(IdSet(table[key].chunks))
