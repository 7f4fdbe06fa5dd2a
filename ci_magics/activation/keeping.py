"""Keep matched profiles in the workspace, as a segment that is found again by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from ci_magics.matching.tally import Tally
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def keep_matched(
    workspace: Workspace,
    segment: Segment,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    tally: Tally,
    show: Callable[[str], None],
) -> Segment:
    """Keep matched profiles as a segment, instead of the segment of the same name.

    Parameters
    ----------
    workspace
        Where to keep them.
    segment
        What they belong to; its number of rows need not be known.
    schema, batches
        The profiles.
    tally
        What is remembered of their addresses once the last batch is through; an empty one where nothing is known.
    show
        Called with a sentence when a segment of this name is replaced.

    Returns
    -------
    Segment
        As it is kept: with its rows, and with the id of the earlier one if that is the same.
    """
    seen = _Seen(segment)
    workspace.snapshots.write_parts(segment.id, schema, map(seen.noted, batches))
    segment = replace(segment, rows=seen.rows)
    record = SegmentRecord(
        id=segment.id,
        name=segment.name,
        definition={"email": segment.email, "key": segment.key, "where": segment.where},
        fingerprint=seen.fingerprint,
        rows=segment.rows,
        domains=tally.domains(),
        examples=tally.examples(),
        unused_consent=segment.unused_consent,
        created_by=workspace.user,
        created_at=datetime.now(UTC),
    )
    earlier = workspace.segments.get(segment.name)
    if earlier and earlier.fingerprint == record.fingerprint and workspace.snapshots.exists(earlier.id):
        workspace.snapshots.remove(segment.id)
        return replace(segment, id=earlier.id)
    if earlier:
        workspace.segments.remove(earlier.id)
        workspace.snapshots.remove(earlier.id)
        show(f"The segment '{segment.name}' was replaced: {earlier.rows:,} profiles before, {segment.rows:,} now.")
    workspace.segments.put(record)
    return segment


class _Seen:
    """What passes by on the way into the workspace: how many rows, and a mark that changes with any of them."""

    def __init__(self, segment: Segment) -> None:
        self.rows = 0
        # Processors have instructions for SHA-256, which make it the quickest for so many bytes.
        self._mark = hashlib.sha256(repr((segment.name, segment.email, segment.key, segment.where)).encode())

    @property
    def fingerprint(self) -> str:
        return self._mark.hexdigest()

    def noted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.rows += batch.num_rows
        for column in batch.columns:
            for buffer in column.buffers():
                if buffer is not None:
                    self._mark.update(buffer)
        return batch
