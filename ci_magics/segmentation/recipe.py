"""How the rows of a distributed frame become profiles: everything that its workers need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from ci_magics.segmentation.key_text import key_text
from ci_magics.segmentation.profile_columns import ProfileColumns


class RowCondition(Protocol):
    """What a row must fulfil: in SQL (`Condition`) or as a rule (`RuleCondition`)."""

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that it may use."""
        ...

    def check(self, schema: pa.Schema, names: Sequence[str]) -> None:
        """Require that it can be evaluated."""
        ...

    def kept(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the rows that fulfil it."""
        ...


@dataclass(frozen=True)
class Counting:
    """Which rows of a frame are used; small, so that it can be sent to the workers.

    Parameters
    ----------
    names
        The columns of the frame, in its order.
    condition
        What a row must fulfil; None for all.
    """

    names: tuple[str, ...]
    condition: RowCondition | None

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the selected rows, all columns."""
        named = (pa.RecordBatch.from_arrays(batch.columns, names=list(self.names)) for batch in batches)
        return named if self.condition is None else self.condition.kept(named)

    def keys(self, column: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the keys of the rows that count, in a column ``value`` of their texts; see `key_text`."""
        for batch in self.rows(batches):
            yield pa.RecordBatch.from_arrays([key_text(batch.column(column)).cast(pa.string())], names=["value"])


@dataclass(frozen=True)
class Recipe:
    """How the rows of a frame are processed; small, so that it can be sent to the workers.

    Parameters
    ----------
    counting
        Which of them count.
    columns
        What of them makes a profile.
    """

    counting: Counting
    columns: ProfileColumns

    def profiles(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return ``key``, ``email`` and the other columns that are kept."""
        return map(self.columns.profiles, self.counting.rows(batches))
