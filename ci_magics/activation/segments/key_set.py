"""Keys of segments as compact sets that are fast to compare: eight bytes for each key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from ci_magics.activation.segments.rule_context import require_key
from ci_magics.forking import require_threads
from ci_magics.matching.matched import storable_keys
from ci_magics.segmentation.id_set import IdSet
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class KeySet:
    """The keys of a segment. Keys match by value, regardless of type.

    Parameters
    ----------
    segment
        Segment name.
    ids
        Its keys.
    """

    segment: str
    ids: IdSet = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def shared(self, other: KeySet) -> int:
        """Return how many keys are in both sets."""
        return self.ids.count_shared(other.ids)

    def contains(self, keys: pa.Array) -> pl.Series:
        """Return which keys of a frame are in the set, as a Boolean mask."""
        return self.contains_stored(storable_keys(keys))

    def contains_stored(self, keys: pa.Array) -> pl.Series:
        """Return which keys of a stored segment are in the set, as a Boolean mask."""
        return pl.Series(pl.from_arrow(self.ids.contains(keys)), dtype=pl.Boolean)


def key_sets(workspace: Workspace, records: Sequence[SegmentRecord]) -> list[KeySet]:
    """Return the keys of segments, which must have the same key column.

    Parameters
    ----------
    workspace
        Workspace to use.
    records
        The segments.

    Raises
    ------
    SegmentError
        A segment has no key column, or not the same as the first one.
    """
    require_threads()
    for record in records:
        require_key(record, records[0].definition["key"])
    return [KeySet(record.name, stored_ids(workspace, record)) for record in records]


def stored_ids(workspace: Workspace, record: SegmentRecord) -> IdSet:
    """Return the keys of a stored segment.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    return IdSet(batch.column(0) for batch in workspace.snapshots.batches(record.id, ["key"]))


def first_keys(workspace: Workspace, record: SegmentRecord) -> pa.Array:
    """Return the keys in the first batch of a stored segment.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    batch = next(iter(workspace.snapshots.batches(record.id, ["key"])), None)
    return pa.nulls(0) if batch is None else batch.column(0)
