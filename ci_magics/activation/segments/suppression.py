"""People who must not be sent: those in excluded or suppression segments, and those who asked to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ci_magics.matching.counting import Counted
from ci_magics.matching.hash_list import NOTHING, HashList
from ci_magics.matching.hashes import EMPTY, Hashes, of_column, unique
from ci_magics.matching.suppression import Suppression
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

_COLUMNS = ("sha256_basic", "sha256_enhanced")


def suppression_for(workspace: Workspace, segment: SegmentRecord, exclude: Sequence[str] = ()) -> Suppression | None:
    """Return the people who must not be sent; None if nobody is excluded. Forgotten people are always excluded.

    People are matched by hash, and also by key if both segments have the same key column.

    Parameters
    ----------
    workspace
        The workspace that stores the segments.
    segment
        The segment to send.
    exclude
        Names of the segments to exclude.

    Raises
    ------
    NotFoundError
        An excluded segment does not exist.
    """
    records = excluding(workspace, segment, exclude)
    forgotten = workspace.forgotten.find(_hashes_of(workspace, segment))
    if not records and not len(forgotten):
        return None
    hashes = [EMPTY, forgotten]
    keys: list[pa.Array] = []
    for record in records:
        column = record.definition["key"]
        by_key = column != ROW_NUMBER and same_key(column, segment.definition["key"])
        for batch in workspace.snapshots.batches(record.id, ["key", *_COLUMNS]):
            hashes += _hashes_in(batch)
            keys += [batch.column("key")] if by_key else []
    return Suppression(unique(np.concatenate(hashes)), IdSet(keys) if keys else None)


def _hashes_of(workspace: Workspace, segment: SegmentRecord) -> Iterator[Hashes]:
    for batch in workspace.snapshots.batches(segment.id, _COLUMNS):
        yield from _hashes_in(batch)


def _hashes_in(batch: pa.RecordBatch) -> list[Hashes]:
    return [of_column(batch.column(name).drop_null()) for name in _COLUMNS]


def excluding(workspace: Workspace, segment: SegmentRecord, exclude: Sequence[str]) -> list[SegmentRecord]:
    """Return the segments whose people are not sent: the named ones and those that suppress in every export.

    Parameters
    ----------
    workspace
        The workspace that stores the segments.
    segment
        The segment to send; it never excludes itself.
    exclude
        Names of the segments to exclude.

    Raises
    ------
    NotFoundError
        An excluded segment does not exist.
    """
    records = [workspace.segments[name] for name in exclude]
    records += [each for each in workspace.segments.where(suppresses=True) if each.name not in exclude]
    return [each for each in records if each.id != segment.id]


def all_held_back(workspace: Workspace, suppression: Suppression | None, counted: Counted, known: HashList) -> HashList:
    """Return every hash that must not be in the audience.

    These are the suppressed hashes, the hashes of profiles that were excluded by key or refused consent, and the hashes
    in the audience of people who asked to be forgotten.

    Parameters
    ----------
    workspace
        The workspace that stores the hashes of forgotten people.
    suppression
        The people who must not be sent; None if there are none.
    count
        The counts of the segment, with the hashes that were held back.
    known
        All hashes that may be in the audience.
    """
    listed = EMPTY if suppression is None else suppression.hashes
    found = np.concatenate([listed, counted.held_back, workspace.forgotten.find(known.parts())])
    return HashList.of(unique(found)) if len(found) else NOTHING
