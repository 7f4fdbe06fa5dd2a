"""The keys of segments as sets that are quick to compare and small: eight bytes a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from ci_magics.activation.segments.rule_context import require_key
from ci_magics.forking import require_threads
from ci_magics.matching.matched import kept_keys
from ci_magics.segmentation.id_set import IdSet
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class KeySet:
    """The keys of a segment; they meet others by value, whatever the types.

    Parameters
    ----------
    segment
        Its name.
    ids
        Its keys.
    """

    segment: str
    ids: IdSet = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def shared(self, other: KeySet) -> int:
        """Return how many keys are in both."""
        return self.ids.shared(other.ids)

    def among(self, keys: pa.Array) -> pl.Series:
        """Tell for each key of a frame whether it is in the set."""
        return self.among_kept(kept_keys(keys))

    def among_kept(self, keys: pa.Array) -> pl.Series:
        """Tell for each key of a stored segment whether it is in the set."""
        return pl.Series(pl.from_arrow(self.ids.among(keys)), dtype=pl.Boolean)


def key_sets(workspace: Workspace, records: Sequence[SegmentRecord]) -> list[KeySet]:
    """Return the keys of segments, which must have the same key column.

    Raises
    ------
    SegmentError
        One has no key, or another one than the first.
    """
    require_threads()
    for record in records:
        require_key(record, records[0].definition["key"])
    return [KeySet(record.name, stored_ids(workspace, record)) for record in records]


def stored_ids(workspace: Workspace, record: SegmentRecord) -> IdSet:
    """Return the keys of a stored segment."""
    return IdSet(batch.column(0) for batch in workspace.snapshots.batches(record.id, ["key"]))


def first_keys(workspace: Workspace, record: SegmentRecord) -> pa.Array:
    """Return the keys of the first profiles of a stored segment."""
    batch = next(iter(workspace.snapshots.batches(record.id, ["key"])), None)
    return pa.nulls(0) if batch is None else batch.column(0)
