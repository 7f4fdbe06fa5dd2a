"""Who must not be sent: the segments excluded by an export, and the workspace's suppression segment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ci_magics.matching.counting import Counted
from ci_magics.matching.hash_list import NOTHING, HashList
from ci_magics.matching.hashes import EMPTY, of_column, unique
from ci_magics.matching.suppression import Suppression
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def suppression_for(workspace: Workspace, segment: SegmentRecord, exclude: Sequence[str] = ()) -> Suppression | None:
    """Return who of a segment must not be sent; None when nobody is excluded. Whoever asked to be forgotten always is.

    People are found by their hashes, and by their key where both segments have the same one.

    Raises
    ------
    NotFoundError
        An excluded segment does not exist.
    """
    records = [workspace.segments[name] for name in exclude]
    records += [each for each in workspace.segments.where(suppresses=True) if each.name not in exclude]
    records = [each for each in records if each.id != segment.id]
    forgotten = workspace.forgotten.all()
    if not records and not forgotten:
        return None
    hashes = [EMPTY, np.frombuffer(b"".join(forgotten), np.uint8).reshape(-1, 32)]
    keys: list[pa.Array] = []
    for record in records:
        same_key = record.definition["key"] == segment.definition["key"] != ROW_NUMBER
        for batch in workspace.snapshots.batches(record.id, ["key", "sha256_basic", "sha256_enhanced"]):
            hashes += [of_column(batch.column(name).drop_null()) for name in ("sha256_basic", "sha256_enhanced")]
            keys += [batch.column("key")] if same_key else []
    kind = workspace.snapshots.schema(segment.id).field("key").type
    fitting = [each for each in keys if each.type == kind]
    return Suppression(unique(np.concatenate(hashes)), pa.concat_arrays(fitting) if fitting else None)


def all_held_back(suppression: Suppression | None, counted: Counted) -> HashList:
    """Return every hash that must not be in the audience: those of the lists, and of profiles found by their key."""
    if suppression is None:
        return NOTHING
    return HashList.of(unique(np.concatenate([suppression.hashes, counted.held_back])))
