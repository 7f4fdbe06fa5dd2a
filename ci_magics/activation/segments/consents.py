"""Consent of a segment: the choice for its source, remembered choices, and the state of each profile."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.clock import present
from ci_magics.errors import refuse_address
from ci_magics.naming import several
from ci_magics.segmentation.consent.columns import consent_column
from ci_magics.segmentation.consent.document import ConsentChoice, SegmentConsent, StateCounter
from ci_magics.segmentation.consent.joining import redacted_database, table_names
from ci_magics.segmentation.consent.reading import STATE, ConsentReading
from ci_magics.segmentation.consent.values import UNREADABLE
from ci_magics.segmentation.key_text import key_text
from ci_magics.segmentation.sources.databases import Source
from ci_magics.segmentation.sources.queries import columns_of, referenced_tables
from ci_magics.segmentation.sources.streams import is_path
from ci_magics.workspace.files import Files
from ci_magics.workspace.models import ConsentChoiceRecord, SegmentRecord
from ci_magics.workspace.store import Workspace


def consent_of(record: SegmentRecord) -> SegmentConsent:
    """Return the consent of a stored segment."""
    return SegmentConsent.model_validate(record.consent)


def sources_of(workspace: Workspace, frame: Any, frames: Mapping[str, Any], database: Source | None) -> tuple[str, ...]:
    """Return the ids under which a choice of consent columns is remembered.

    A file or table is identified by its name, a frame by its column names.

    Parameters
    ----------
    workspace
        Workspace with the stored segments.
    frame
        Source of the segment: a frame, a path, a query, or None.
    frames
        Frames by the names that a query uses.
    database
        Database that runs the query.
    """
    if frame is None:
        return ()
    if is_path(frame):
        return (_file(str(frame)),)
    if not isinstance(frame, str):
        return (_frame(frame),)
    if database is not None:
        address = redacted_database(database)
        return tuple(f"table {_mark(f'{address} {name}')}" for name in table_names(frame, database))
    found: list[str] = []
    for name in sorted(referenced_tables(frame)):
        record = workspace.segments.get(name)
        if name in frames:
            found.append(_frame(frames[name]))
        elif is_path(name):
            found.append(_file(name))
        elif record is not None:
            found += consent_of(record).sources
    return tuple(dict.fromkeys(found))


def insights_source(instance: str) -> str:
    """Return the id under which a choice for a Customer Insights instance is remembered."""
    return f"insights {_mark(instance)}"


def choice_for(
    workspace: Workspace, sources: Sequence[str], consent: str | Sequence[str] | None, yes: str | Sequence[str] | None
) -> ConsentChoice:
    """Return the choice of consent columns: the given one, otherwise the remembered one, otherwise automatic detection.

    Parameters
    ----------
    workspace
        Workspace to use.
    sources
        Ids of the sources; see `sources_of`.
    consent
        Columns that say who agreed; None if not given.
    yes
        Values that mean yes; None if not given.
    """
    columns, values = several(consent), several(yes)
    for each in (*columns, *values):
        refuse_address(each)
    if columns or values:
        return ConsentChoice(columns=columns, yes=values, how="chosen")
    return remembered(workspace, sources) or ConsentChoice()


def remembered(workspace: Workspace, sources: Sequence[str]) -> ConsentChoice | None:
    """Return the remembered choice for the first of the sources that has one, or None.

    Parameters
    ----------
    workspace
        Workspace to use.
    sources
        Ids of the sources; see `sources_of`.
    """
    for source in sources:
        for record in workspace.consent_choices.where(source=source):
            return ConsentChoice.model_validate({**record.document, "how": "remembered"})
    return None


def remember(workspace: Workspace, sources: Sequence[str], choice: ConsentChoice) -> None:
    """Remember a choice for later segments of the same sources.

    Parameters
    ----------
    workspace
        Workspace to use.
    sources
        Ids of the sources; see `sources_of`.
    choice
        Choice to remember.
    """
    document = choice.model_dump(mode="json", exclude={"how"})

    def made(earlier: ConsentChoiceRecord | None, source: str) -> ConsentChoiceRecord:
        identity = earlier.id if earlier else str(uuid.uuid4())
        return ConsentChoiceRecord(identity, source, document, workspace.user, present())

    for source in sources:
        earlier = next(iter(workspace.consent_choices.where(source=source)), None)
        if earlier is None or earlier.document != document:
            workspace.consent_choices.put(made(earlier, source))


def early_consent_reading(workspace: Workspace, record: SegmentRecord) -> ConsentReading | None:
    """Return how to read consent states from an early snapshot, which holds the consent columns; None for a newer one.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    known = consent_of(record)
    if not known.in_old_form or STATE in workspace.snapshots.schema(record.id).names:
        return None
    return ConsentReading(tuple(map(consent_column, known.columns)), known.yes)


def with_few_words(batch: pa.RecordBatch, states: StateCounter) -> pa.RecordBatch:
    """Count the consent states of a batch. Of the unexplained values, keep only the first few and replace the rest.

    Parameters
    ----------
    batch
        Profiles, with or without a state column.
    states
        Counter to update; it decides which values are replaced.
    """
    if STATE not in batch.schema.names:
        return batch
    column = batch.column(STATE)
    found = pc.value_counts(column)
    replaced = states.count(found.field("values").to_pylist(), found.field("counts").to_pylist())
    if not replaced:
        return batch
    known = pa.array(list(replaced), column.type)
    kept = pc.if_else(pc.is_in(column, known), pa.scalar(UNREADABLE, column.type), column)
    return batch.set_column(batch.schema.get_field_index(STATE), STATE, kept)


def profile_schema(workspace: Workspace, record: SegmentRecord) -> pa.Schema:
    """Return the schema of a segment's profiles, including the consent state if there is one.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    schema = workspace.snapshots.schema(record.id)
    reading = early_consent_reading(workspace, record)
    if reading is None:
        return schema
    kept = [each for each in schema if each.name not in reading.needed]
    return pa.schema([*kept, pa.field(STATE, pa.string())])


def profile_batches(workspace: Workspace, record: SegmentRecord, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a segment's profiles; see `state_batches`.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    columns
        Names of the columns.
    """
    return state_batches(workspace.snapshots, record.id, early_consent_reading(workspace, record), columns)


def state_batches(
    files: Files, name: str, reading: ConsentReading | None, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a snapshot. For an early snapshot, compute the consent state from its consent columns.

    Parameters
    ----------
    files
        Store of the snapshots.
    name
        Id of the segment.
    reading
        How to read an early snapshot; None for a newer one.
    columns
        Names of the columns.
    """
    if reading is None or STATE not in columns:
        yield from files.batches(name, columns)
        return
    needed = [each for each in dict.fromkeys([*columns, *reading.needed]) if each != STATE]
    for batch in files.batches(name, needed):
        there = [each for each in columns if each == STATE or each in batch.schema.names]
        arrays = [reading.states(batch) if each == STATE else batch.column(each) for each in there]
        yield pa.RecordBatch.from_arrays(arrays, names=there)


def has_states(workspace: Workspace, record: SegmentRecord) -> bool:
    """Return whether a segment has consent states.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    return STATE in profile_schema(workspace, record).names


def counted_consent(workspace: Workspace, record: SegmentRecord) -> SegmentConsent:
    """Return the consent of a segment with counts. For an early snapshot, count now.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    known = consent_of(record)
    if not known.in_old_form:
        return known
    counts: dict[str, int] = {}
    for batch in profile_batches(workspace, record, [STATE]):
        for state, count in pl.Series("state", pl.from_arrow(batch.column(0))).value_counts().iter_rows():
            counts[state] = counts.get(state, 0) + count
    return known.with_counts(counts)


def states_by_key(workspace: Workspace, record: SegmentRecord) -> pl.DataFrame | None:
    """Return ``key`` (as text) and ``state`` of a segment's profiles; None if it has no states.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    if not has_states(workspace, record):
        return None
    parts = [
        pl.DataFrame(
            {
                "key": pl.Series(pl.from_arrow(key_text(batch.column("key")))),
                "state": pl.Series(pl.from_arrow(batch.column(STATE))),
            }
        )
        for batch in profile_batches(workspace, record, ["key", STATE])
    ]
    return pl.concat(parts) if parts else None


def _file(path: str) -> str:
    return f"file {_mark(str(Path(path.strip()).absolute()))}"


def _frame(frame: Any) -> str:
    return f"columns {_mark(chr(10).join(sorted(columns_of(frame))))}"


def _mark(text: str) -> str:
    """Return a short hash of a name, with its last part in plain text for recognition."""
    shown = re.split(r"[\\/\n ]", text.rstrip("\\/"))[-1][-40:] if "\n" not in text else ""
    return f"{shown} {hashlib.sha256(text.encode()).hexdigest()[:24]}".strip()
