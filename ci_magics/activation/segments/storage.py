"""Store a segment in the workspace: its matched profiles, counts, and definition."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection as SqlConnection

from ci_magics.activation.segments.consents import with_few_words
from ci_magics.activation.segments.definitions import Definition
from ci_magics.activation.segments.history import note_count
from ci_magics.activation.segments.kept_counts import keep_counts
from ci_magics.activation.segments.versions import DELETED, REFRESHED, REPLACED, end_version
from ci_magics.advice import Do, Opt, advise
from ci_magics.clock import present
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.errors import SegmentError, without_people
from ci_magics.matching.streaming import ProfileStream
from ci_magics.segmentation.consent.document import StateCounter
from ci_magics.segmentation.consent.values import SILENT
from ci_magics.segmentation.segment import Segment
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Replacing:
    """When a segment may replace the one of the same name.

    Parameters
    ----------
    refreshing
        Whether the same definition is evaluated again.
    allow_empty, allow_shrink
        Continue even if the segment becomes empty, or loses more than half of its profiles.
    hints
        Returns messages about what may be wrong with its condition. Called only if profiles are lost.
    """

    refreshing: bool = False
    allow_empty: bool = False
    allow_shrink: bool = False
    hints: Callable[[], Sequence[str]] = tuple


def keep_segment(
    workspace: Workspace,
    segment: Segment,
    passing: ProfileStream,
    definition: Definition | str,
    show: Callable[[str], None],
    replacing: Replacing | None = None,
) -> Segment:
    """Match profiles and store the result. Replaces a segment of the same name.

    Parameters
    ----------
    workspace
        Workspace to store it in.
    segment, passing
        The segment and the stream of its profiles.
    definition
        How to evaluate it again, or why that is not possible.
    show
        Called with a message when a segment of the same name is replaced. If both are equal, nothing changes.
    replacing
        When it may replace the segment of the same name; None means the defaults of `Replacing`.

    Raises
    ------
    SegmentError
        A rule, a condition, or a refresh would empty the segment of the same name, or remove more than half of its
        profiles.
    """
    replacing = replacing or Replacing()
    seen = (_Seen if passing.ordered else _UnorderedFingerprint)(segment)
    workspace.snapshots.write_parts(segment.id, passing.schema, map(seen.noted, passing.batches()))
    segment = replace(segment, rows=seen.rows, consent=segment.consent.with_counts(seen.states))
    record = SegmentRecord(
        id=segment.id,
        name=segment.name,
        definition=_written(segment, definition),
        fingerprint=seen.fingerprint,
        rows=segment.rows,
        domains=passing.domains(),
        examples=passing.examples(),
        consent=segment.consent.model_dump(mode="json"),
        created_by=workspace.user,
        created_at=present(),
    )
    # The snapshot is written before the record, so a crash leaves at most an orphaned file.
    there = workspace.segments.get(record.name)
    damaged = {there.id} if there and not workspace.snapshots.is_intact(there.id) else set()
    try:
        earlier, kept, dropped = workspace.change(
            lambda database: _put(workspace, database, record, replacing, damaged)
        )
    except BaseException:
        workspace.snapshots.remove(record.id)
        raise
    note_count(workspace, record)
    keep_counts(workspace, kept)  # for viewers, who cannot read keys and hashes
    if kept.id != record.id:
        workspace.snapshots.remove(record.id)
        return replace(segment, id=kept.id)
    for each in [*dropped, *damaged]:
        workspace.snapshots.remove(each)
    if earlier is not None:
        show(
            f"The segment '{segment.name}' was replaced: {pluralize(earlier.rows, 'profile')} before, "
            f"{format_count(segment.rows)} now."
        )
    elif not segment.rows and (hints := replacing.hints()):
        show(f"No profile is in the segment '{segment.name}'. {' '.join(hints)}")
    workspace.audit.note(
        Verb.MAKE_SEGMENT,
        segment.name,
        profiles=segment.rows,
        replaced=earlier is not None,
        consent=str(segment.consent),
    )
    return segment


def _put(
    workspace: Workspace, database: SqlConnection, made: SegmentRecord, replacing: Replacing, damaged: set[str]
) -> tuple[SegmentRecord | None, SegmentRecord, list[str]]:
    """Replace the segment of the same name.

    Returns
    -------
    tuple
        The replaced segment or None, the stored segment, and the ids of snapshots to remove.
    """
    segments = workspace.segments
    earlier = next(iter(segments.rows_in(database, name=made.name)), None)
    if earlier is None:
        deleted = workspace.versions.rows_in(database, segment_name=made.name, reason=DELETED)
        made = replace(made, previous=deleted[-1].id if deleted else None)
        segments.put_in(database, made)
        return None, made, []
    there = earlier.id not in damaged
    if earlier.fingerprint == made.fingerprint and there:
        kept = replace(earlier, definition=made.definition, consent=made.consent)
        segments.put_in(database, kept)
        return earlier, kept, []
    if earlier.suppresses and not replacing.refreshing:
        require(workspace, Verb.SUPPRESS)  # otherwise any contributor could end the suppression
    _require_not_lost(earlier, made, replacing)
    made = replace(made, active=earlier.active, suppresses=earlier.suppresses, tags=earlier.tags)
    made = replace(made, previous=earlier.id if there else earlier.previous)
    segments.replace_in(database, earlier.id, made)
    reason = REFRESHED if replacing.refreshing else REPLACED
    return earlier, made, end_version(workspace, database, earlier, reason) if there else []


def _require_not_lost(earlier: SegmentRecord, made: SegmentRecord, replacing: Replacing) -> None:
    """Check that a rule, a condition, or a refresh does not remove more than half of the profiles.

    A frame without a condition is accepted as it is. A guard stops the export if its audience would shrink.
    """
    chosen = made.definition["where"] or made.definition["rule"] or replacing.refreshing
    if not chosen or made.rows * 2 >= earlier.rows:
        return
    if made.rows == 0 and not replacing.allow_empty:
        hints = " ".join(replacing.hints())
        raise SegmentError(
            f"No profiles would be left in the segment '{made.name}' of "
            f"{pluralize(earlier.rows, 'profile')}, so it stays as it "
            f"was. {hints}".strip(),
            advise("If it should be empty, run ", *_allowing("allow_empty", made, replacing), "."),
            code="segment_empty",
        )
    if made.rows and not replacing.allow_shrink:
        hints = " ".join(replacing.hints())
        raise SegmentError(
            f"Only {format_count(made.rows)} of {pluralize(earlier.rows, 'profile')} would be left in the segment "
            f"'{made.name}', less than half, so it was not changed. {hints}".strip(),
            advise("If that is right, run ", *_allowing("allow_shrink", made, replacing), "."),
            code="segment_shrinks",
        )


def _allowing(option: str, made: SegmentRecord, replacing: Replacing) -> tuple[str | Do | Opt, ...]:
    """Return how to make the segment again with a guard overridden."""
    if replacing.refreshing:
        return (Do("segments.refresh", made.name, **{option: True}),)
    return "the same again with ", Opt(option, True)


def _written(segment: Segment, definition: Definition | str) -> dict[str, Any]:
    """Return what is stored about how a segment was made."""
    where, rule = (text and without_people(text) for text in (segment.where, segment.rule))
    made = {"email": segment.email, "key": segment.key, "where": where, "rule": rule}
    if isinstance(definition, str):
        return {**made, "source": None, "static_because": definition}
    return {**made, "source": definition.model_dump(mode="json")}


class _Seen:
    """Count the rows that are written to the workspace, and compute a fingerprint that changes with any of them."""

    def __init__(self, segment: Segment) -> None:
        self.rows = 0
        self._states = StateCounter()
        definition = (segment.name, segment.email, segment.key, segment.where, segment.rule)
        self._mark = hashlib.sha256(repr(definition).encode())

    @property
    def fingerprint(self) -> str:
        return self._digest().hexdigest()[:32]  # shortened, so that it cannot be mistaken for the hash of an address

    def _digest(self) -> hashlib._Hash:
        return self._mark

    @property
    def states(self) -> Mapping[str, int]:
        """Number of profiles by consent state; all are unknown if the segment has no states."""
        return self._states.counts or {SILENT: self.rows}

    def noted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count a batch, and return it in the form to store."""
        batch = with_few_words(batch, self._states)
        self.rows += batch.num_rows
        self._marked(batch)
        return batch

    def _marked(self, batch: pa.RecordBatch) -> None:
        self._mark.update(batch.serialize())


class _UnorderedFingerprint(_Seen):
    """The same for a source with no stable row order: the fingerprint is a sum over the rows."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(segment)
        self._sum = 0

    def _digest(self) -> hashlib._Hash:
        mark = self._mark.copy()
        mark.update(str(self._sum).encode())
        return mark

    def _marked(self, batch: pa.RecordBatch) -> None:
        with sandbox() as database:
            database.register("batch", pa.Table.from_batches([batch]))
            added = database.sql("SELECT sum(hash(batch)::HUGEINT)::VARCHAR AS added FROM batch").to_arrow_table()
        self._sum += int(added["added"][0].as_py() or 0)
