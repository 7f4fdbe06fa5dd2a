"""Who agreed, as a segment knows it: what is chosen for a source, what is remembered, and the state of each profile."""

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
from ci_magics.segmentation.consent.columns import consent_column
from ci_magics.segmentation.consent.document import ConsentChoice, SegmentConsent, StateCounter
from ci_magics.segmentation.consent.joining import name_of_database, table_names
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
    """Return what a stored segment knows of who agreed."""
    return SegmentConsent.model_validate(record.consent)


def sources_of(workspace: Workspace, frame: Any, frames: Mapping[str, Any], database: Source | None) -> tuple[str, ...]:
    """Return what a choice of consent columns is remembered by: files and tables by name, a frame by its columns.

    Parameters
    ----------
    workspace
        Where earlier segments are.
    frame
        What the segment is made of: a frame, a path, a query, or nothing.
    frames
        Frames by the names that a query uses.
    database
        What runs the query.
    """
    if frame is None:
        return ()
    if is_path(frame):
        return (_file(str(frame)),)
    if not isinstance(frame, str):
        return (_frame(frame),)
    if database is not None:
        address = name_of_database(database)
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
    """Return what a choice for an instance of Customer Insights is remembered by."""
    return f"insights {_mark(instance)}"


def choice_for(
    workspace: Workspace, sources: Sequence[str], consent: str | Sequence[str] | None, yes: str | Sequence[str] | None
) -> ConsentChoice:
    """Return which columns say who agreed: those asked for now, else those chosen before, else what the rule finds."""
    columns, values = several(consent), several(yes)
    for each in (*columns, *values):
        refuse_address(each)
    if columns or values:
        return ConsentChoice(columns=columns, yes=values, how="chosen")
    return remembered(workspace, sources) or ConsentChoice()


def remembered(workspace: Workspace, sources: Sequence[str]) -> ConsentChoice | None:
    """Return what was chosen before for one of some sources."""
    for source in sources:
        for record in workspace.consent_choices.where(source=source):
            return ConsentChoice.model_validate({**record.document, "how": "remembered"})
    return None


def remember(workspace: Workspace, sources: Sequence[str], choice: ConsentChoice) -> None:
    """Remember a choice for the next segment of the same sources."""
    document = choice.model_dump(mode="json", exclude={"how"})

    def made(earlier: ConsentChoiceRecord | None, source: str) -> ConsentChoiceRecord:
        identity = earlier.id if earlier else str(uuid.uuid4())
        return ConsentChoiceRecord(identity, source, document, workspace.user, present())

    for source in sources:
        earlier = next(iter(workspace.consent_choices.where(source=source)), None)
        if earlier is None or earlier.document != document:
            workspace.consent_choices.put(made(earlier, source))


def old_reading(workspace: Workspace, record: SegmentRecord) -> ConsentReading | None:
    """Return how the states of an early snapshot are read, which holds the columns themselves; None for a newer one."""
    known = consent_of(record)
    if not known.in_old_form or STATE in workspace.snapshots.schema(record.id).names:
        return None
    return ConsentReading(tuple(map(consent_column, known.columns)), known.yes)


def with_few_words(batch: pa.RecordBatch, states: StateCounter) -> pa.RecordBatch:
    """Count the states of consent; of values that nobody explained, only the first few are kept."""
    if STATE not in batch.schema.names:
        return batch
    column = batch.column(STATE)
    found = pc.value_counts(column)
    replaced = states.counted(found.field("values").to_pylist(), found.field("counts").to_pylist())
    if not replaced:
        return batch
    known = pa.array(list(replaced), column.type)
    kept = pc.if_else(pc.is_in(column, known), pa.scalar(UNREADABLE, column.type), column)
    return batch.set_column(batch.schema.get_field_index(STATE), STATE, kept)


def profile_schema(workspace: Workspace, record: SegmentRecord) -> pa.Schema:
    """Return the columns of a segment's profiles, the state of the consent among them where one is known."""
    schema = workspace.snapshots.schema(record.id)
    reading = old_reading(workspace, record)
    if reading is None:
        return schema
    kept = [each for each in schema if each.name not in reading.needed]
    return pa.schema([*kept, pa.field(STATE, pa.string())])


def profile_batches(workspace: Workspace, record: SegmentRecord, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Return some columns of a segment's profiles; see `state_batches`."""
    return state_batches(workspace.snapshots, record.id, old_reading(workspace, record), columns)


def state_batches(
    files: Files, name: str, reading: ConsentReading | None, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Return some columns of a snapshot; of an early one, the state of the consent is read from its columns."""
    if reading is None or STATE not in columns:
        yield from files.batches(name, columns)
        return
    needed = [each for each in dict.fromkeys([*columns, *reading.needed]) if each != STATE]
    for batch in files.batches(name, needed):
        there = [each for each in columns if each == STATE or each in batch.schema.names]
        arrays = [reading.states(batch) if each == STATE else batch.column(each) for each in there]
        yield pa.RecordBatch.from_arrays(arrays, names=there)


def has_states(workspace: Workspace, record: SegmentRecord) -> bool:
    """Tell whether a segment knows the state of its profiles."""
    return STATE in profile_schema(workspace, record).names


def counted_consent(workspace: Workspace, record: SegmentRecord) -> SegmentConsent:
    """Return what a segment knows of who agreed, counted now where an early version has not counted it."""
    known = consent_of(record)
    if not known.in_old_form:
        return known
    counts: dict[str, int] = {}
    for batch in profile_batches(workspace, record, [STATE]):
        for state, count in pl.Series("state", pl.from_arrow(batch.column(0))).value_counts().iter_rows():
            counts[state] = counts.get(state, 0) + count
    return known.with_counts(counts)


def states_by_key(workspace: Workspace, record: SegmentRecord) -> pl.DataFrame | None:
    """Return ``key`` (text) and ``state`` of a segment's profiles; None where it does not know who agreed."""
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


def several(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one text, several or none as a tuple."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _file(path: str) -> str:
    return f"file {_mark(str(Path(path.strip()).absolute()))}"


def _frame(frame: Any) -> str:
    return f"columns {_mark(chr(10).join(sorted(columns_of(frame))))}"


def _mark(text: str) -> str:
    """Return a short mark of a name, with its last part to be recognized by."""
    shown = re.split(r"[\\/\n ]", text.rstrip("\\/"))[-1][-40:] if "\n" not in text else ""
    return f"{shown} {hashlib.sha256(text.encode()).hexdigest()[:24]}".strip()
