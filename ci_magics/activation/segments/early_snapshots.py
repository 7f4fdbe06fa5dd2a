"""Rewrite early snapshots, which hold the consent columns, with one consent state for each profile.

The snapshot is replaced before the record. After a crash in between, the snapshot already has states, and the next
attempt only counts them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import pyarrow as pa

from ci_magics.activation.segments.consents import (
    consent_of,
    early_consent_reading,
    profile_batches,
    profile_schema,
    with_few_words,
)
from ci_magics.errors import WorkspaceError
from ci_magics.matching.hashes import as_series, of_column
from ci_magics.segmentation.consent.document import StateCounter
from ci_magics.workspace.access import Verb, may
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

_HASHES = ("sha256_basic", "sha256_enhanced")


def rewrite_early_snapshots(workspace: Workspace) -> int:
    """Remove the consent columns from all early snapshots, including those of earlier versions of segments.

    Returns
    -------
    int
        Number of rewritten snapshots; 0 if the current user may not make segments.
    """
    if not may(workspace, Verb.MAKE_SEGMENT):
        return 0
    records = [*workspace.segments, *(each.as_record() for each in workspace.versions)]
    early = [each for each in records if consent_of(each).in_old_form and workspace.snapshots.exists(each.id)]
    return sum(not consent_of(without_raw_consents(workspace, each)).in_old_form for each in early)


def without_raw_consents(workspace: Workspace, record: SegmentRecord) -> SegmentRecord:
    """Return a segment whose snapshot holds no consent columns.

    Rewrites an early snapshot. Returns the segment unchanged if another process is rewriting it, or if the current user
    may not or cannot.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    if not consent_of(record).in_old_form or not may(workspace, Verb.MAKE_SEGMENT):
        return record
    with workspace.locks.holding() as held:
        if held.take(f"consents of {record.id}") is not None:
            return record
        try:
            return _rewritten(workspace, record)
        except WorkspaceError:  # disk full, or no right to change this segment: keep the early form
            return record


def _rewritten(workspace: Workspace, record: SegmentRecord) -> SegmentRecord:
    known = consent_of(record)
    states = _write_states(workspace, record)
    _shorten_spools(workspace, record, known.columns)
    consent = known.model_copy(update={"in_old_form": False}).with_counts(states.counts).model_dump(mode="json")
    rows = workspace.snapshots.rows(record.id)

    def changed(now: SegmentRecord) -> SegmentRecord:
        return replace(now, consent=consent, rows=rows)

    if not workspace.segments.change(changed, id=record.id):
        workspace.versions.change(
            lambda now: replace(now, rows=rows, record={**now.record, "consent": consent}), id=record.id
        )
    workspace.audit.note(Verb.CHANGE_SEGMENT, record.name, consent_values_removed=True)
    return changed(record)


def _write_states(workspace: Workspace, record: SegmentRecord) -> StateCounter:
    """Replace the consent columns by states, unless that is done already, and return the counts of the states."""
    files, schema = workspace.snapshots, profile_schema(workspace, record)
    forgotten = workspace.forgotten.marks()
    is_written = early_consent_reading(workspace, record) is None
    states = StateCounter()
    batches = (with_few_words(batch, states) for batch in profile_batches(workspace, record, schema.names))
    if is_written:
        for _batch in batches:
            pass
        return states
    files.write_parts(record.id, schema, batches)
    later = workspace.forgotten.marks() - forgotten
    if not later:
        return states
    # Race condition: a person who was forgotten in the meantime may be in the rows that were read before.
    states = StateCounter()
    kept = (with_few_words(batch, states) for batch in _without(workspace, record.id, schema.names, later))
    files.write_parts(record.id, schema, kept)
    return states


def _without(workspace: Workspace, name: str, columns: list[str], marks: set[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield a snapshot without the profiles of some people."""
    for batch in workspace.snapshots.batches(name, columns):
        listed = workspace.forgotten.find((of_column(batch.column(each).drop_null()) for each in _HASHES), marks)
        gone = as_series(listed).implode()
        theirs = [pl.Series(pl.from_arrow(batch.column(each).cast(pa.binary()))).is_in(gone) for each in _HASHES]
        stays = ~(theirs[0].fill_null(value=False) | theirs[1].fill_null(value=False))
        yield batch.filter(stays.to_arrow())


def _shorten_spools(workspace: Workspace, record: SegmentRecord, columns: tuple[str, ...]) -> None:
    """Remove the consent columns from the spools of unfinished runs too, which need only keys and hashes."""
    spool: Any = workspace.spool
    for push in workspace.pushes.where(segment_name=record.name, finished=False):
        name = f"{push.id}-profiles"
        if not spool.exists(name):
            continue
        schema = spool.schema(name)
        kept = [each for each in schema if each.name not in columns]
        if len(kept) < len(schema):
            names = [each.name for each in kept]
            spool.write_parts(name, pa.schema(kept), spool.batches(name, names))
