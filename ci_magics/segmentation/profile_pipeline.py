"""What workers need to turn the rows of a distributed frame into profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from ci_magics.segmentation.key_text import key_text
from ci_magics.segmentation.profile_columns import ProfileColumns


class RowCondition(Protocol):
    """A condition on rows: in SQL (`Condition`) or as a rule (`RuleCondition`)."""

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that the condition may use."""
        ...

    def check(self, schema: pa.Schema, names: Sequence[str]) -> None:
        """Require that the condition can be evaluated."""
        ...

    def filter(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that match the condition."""
        ...


@dataclass(frozen=True)
class RowFilter:
    """Select the rows of a frame; small enough to send to workers.

    Parameters
    ----------
    names
        The columns of the frame, in its order.
    condition
        The condition on rows; None for all rows.
    """

    names: tuple[str, ...]
    condition: RowCondition | None

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the selected rows, all columns."""
        named = (pa.RecordBatch.from_arrays(batch.columns, names=list(self.names)) for batch in batches)
        return named if self.condition is None else self.condition.filter(named)

    def keys(self, column: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the keys of the selected rows as text, in a column ``value``; see `key_text`."""
        for batch in self.rows(batches):
            yield pa.RecordBatch.from_arrays([key_text(batch.column(column)).cast(pa.string())], names=["value"])


@dataclass(frozen=True)
class ProfilePipeline:
    """Turn rows of a frame into profiles; small enough to send to workers.

    Parameters
    ----------
    row_filter
        Selects the rows.
    columns
        Selects the columns of a profile.
    """

    row_filter: RowFilter
    columns: ProfileColumns

    def profiles(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield ``key``, ``email`` and the other columns of a profile."""
        return map(self.columns.profiles, self.row_filter.rows(batches))
