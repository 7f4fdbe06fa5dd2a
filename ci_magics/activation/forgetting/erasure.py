"""Delete one person from what is stored here: snapshots of segments, and keys of profiles that were refused.

Readings of Customer Insights that were interrupted go altogether: the next attempt starts over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.forgetting.person import HASHES, Person
from ci_magics.segmentation.key_text import key_text
from ci_magics.workspace.models import SegmentRecord, SegmentVersion
from ci_magics.workspace.store import Workspace


def erase(workspace: Workspace, person: Person) -> tuple[str, ...]:
    """Delete a person from every segment, its earlier versions and every list of refused profiles.

    Returns
    -------
    tuple of str
        The segments of which some version held the person.
    """
    keys: dict[str, set[str]] = {}
    for record in list(workspace.segments):
        found = _erase_from_segment(workspace, record, person)
        if found:
            keys.setdefault(record.name, set()).update(found)
    for version in list(workspace.versions):
        found = _erase_from_version(workspace, version, person)
        if found:
            keys.setdefault(version.segment_name, set()).update(found)
    _erase_refused(workspace, keys)
    # What an interrupted reading of Customer Insights has put aside; it starts over, and leaves out nobody else.
    workspace.spool.remove_all("reading-")
    return tuple(keys)


def _erase_from_segment(workspace: Workspace, record: SegmentRecord, person: Person) -> set[str]:
    """Write a segment's snapshot without a person; returns the keys that went."""
    found, rows = _rewritten(workspace, record, person)
    if found:
        # An example is masked, but it may be the person's; the next refresh finds others.
        workspace.segments.change(lambda now: replace(now, rows=rows, examples={}), id=record.id)
    return found


def _erase_from_version(workspace: Workspace, version: SegmentVersion, person: Person) -> set[str]:
    """Write the snapshot of an earlier version without a person; returns the keys that went."""
    found, rows = _rewritten(workspace, version.as_record(), person)
    if found:
        workspace.versions.change(
            lambda now: replace(now, rows=rows, record={**now.record, "examples": {}}), id=version.id
        )
    return found


def _rewritten(workspace: Workspace, record: SegmentRecord, person: Person) -> tuple[set[str], int]:
    """Write a snapshot without a person; returns the keys that went and how many profiles are left."""
    files = workspace.snapshots
    if not files.exists(record.id):
        return set(), record.rows
    keyed = person.is_keyed(record)
    found: set[str] = set()
    for batch in files.batches(record.id, ["key", *HASHES]):
        gone = batch.filter(person.rows_of(batch, keyed=keyed))
        found |= set(key_text(gone.column("key")).to_pylist())
    if not found:
        return found, record.rows
    rows = 0

    def others() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in files.batches(record.id, files.columns(record.id)):
            kept = batch.filter(pc.invert(person.rows_of(batch, keyed=keyed)))
            rows += kept.num_rows
            yield kept

    files.write_parts(record.id, files.schema(record.id), others())
    return found, rows


def _erase_refused(workspace: Workspace, keys: dict[str, set[str]]) -> None:
    for file_name in workspace.spool.names("rejected-"):
        name = file_name.removesuffix(".parquet")
        table = workspace.spool.read(name)
        gone = [
            key in keys.get(segment, set())
            for segment, key in zip(table["segment"].to_pylist(), table["key"].to_pylist(), strict=True)
        ]
        if any(gone):
            workspace.spool.write(name, table.filter(pa.array([not each for each in gone])))
