"""Erase one person from stored data: snapshots of segments, and keys of rejected profiles.

Also deletes interrupted readings of Customer Insights; the next attempt starts over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.erasure.person import HASHES, Person
from ci_magics.activation.retention import forget_finished
from ci_magics.activation.segments.kept_counts import keep_counts
from ci_magics.segmentation.key_text import key_text
from ci_magics.workspace.models import SegmentRecord, SegmentVersion
from ci_magics.workspace.orphans import READING, REJECTED, sweep
from ci_magics.workspace.store import Workspace


def erase(workspace: Workspace, person: Person) -> tuple[str, ...]:
    """Erase a person from every segment, its earlier versions, lists of rejected profiles, and leftover files.

    Segments come last, because the key is looked up in them. After an interruption, the next attempt can still find
    what is left.

    Parameters
    ----------
    workspace
        Workspace to use.
    person
        Person to erase.

    Returns
    -------
    tuple of str
        Names of the segments that held the person in any version.
    """
    sweep(workspace, at_all=True)
    forget_finished(workspace)
    # Files of interrupted readings of Customer Insights. The next attempt starts over.
    workspace.spool.remove_all(READING)
    records = {each.id: each for each in (*workspace.segments, *(each.as_record() for each in workspace.versions))}
    keys = {each.id: _keys_in(workspace, each, person) for each in records.values()}
    every = {key for found in keys.values() for key in found} | ({person.key} if person.key is not None else set())
    _erase_refused(workspace, every)
    for version in list(workspace.versions):
        if keys.get(version.id):
            _erase_from_version(workspace, version, person)
    for record in list(workspace.segments):
        if keys.get(record.id):
            _erase_from_segment(workspace, record, person)
    workspace.compact()
    return tuple(dict.fromkeys(records[each].name for each, found in keys.items() if found))


def _erase_from_segment(workspace: Workspace, record: SegmentRecord, person: Person) -> None:
    """Write the snapshot of a segment without a person.

    The record changes first: if an interruption comes before the snapshot is written, the next attempt finds the person
    again.
    """
    rows = sum(len(each) for each in _others(workspace, record, person))
    # A masked example may belong to the person. The next refresh collects new ones.
    workspace.segments.change(lambda now: replace(now, rows=rows, examples={}, kept_counts={}), id=record.id)
    _rewrite(workspace, record, person)
    for left in workspace.segments.where(id=record.id):
        keep_counts(workspace, left)


def _erase_from_version(workspace: Workspace, version: SegmentVersion, person: Person) -> None:
    """Write the snapshot of an earlier version without a person; see `_erase_from_segment`."""
    rows = sum(len(each) for each in _others(workspace, version.as_record(), person))
    counts: dict[str, object] = {"examples": {}, "kept_counts": {}}
    workspace.versions.change(lambda now: replace(now, rows=rows, record={**now.record, **counts}), id=version.id)
    _rewrite(workspace, version.as_record(), person)


def _keys_in(workspace: Workspace, record: SegmentRecord, person: Person) -> set[str]:
    """Return the keys of a person in a snapshot."""
    files, keyed = workspace.snapshots, person.is_keyed(record)
    found: set[str] = set()
    if files.exists(record.id):
        for batch in files.batches(record.id, ["key", *HASHES]):
            mine = batch.filter(person.rows_of(batch, keyed=keyed))
            found |= set(key_text(mine.column("key")).to_pylist())
    return found


def _rewrite(workspace: Workspace, record: SegmentRecord, person: Person) -> None:
    """Write a snapshot without a person."""
    files = workspace.snapshots
    files.write_parts(record.id, files.schema(record.id), _others(workspace, record, person))


def _others(workspace: Workspace, record: SegmentRecord, person: Person) -> Iterator[pa.RecordBatch]:
    """Yield the profiles of a snapshot that do not belong to a person."""
    files, keyed = workspace.snapshots, person.is_keyed(record)
    for batch in files.batches(record.id, files.columns(record.id)):
        yield batch.filter(pc.invert(person.rows_of(batch, keyed=keyed)))


def _erase_refused(workspace: Workspace, keys: set[str]) -> None:
    """Delete keys from the lists of rejected profiles of all segments, including renamed ones."""
    for file_name in workspace.spool.names(REJECTED):
        name = file_name.removesuffix(".parquet")
        table = workspace.spool.read(name)
        gone = [key in keys for key in table["key"].to_pylist()]
        if any(gone):
            workspace.spool.write(name, table.filter(pa.array([not each for each in gone])))
