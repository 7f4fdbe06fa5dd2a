"""Segments made of earlier segments alone: joined on the key, no frame needed, since hashes and keys are kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.ruling import keys_of_segment
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rule_rows import Circumstances, fulfilled
from ci_magics.segmentation.rules import Rule
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def segment_of_segments(workspace: Workspace, name: str, rule: Rule) -> tuple[Segment, pa.Schema]:
    """Return a segment that a rule makes of earlier segments, and the columns of its profiles.

    Raises
    ------
    SegmentError
        The rule uses columns, so that it needs a frame; or the segments have different keys.
    NotFoundError
        A segment does not exist.
    """
    if rule.columns:
        raise SegmentError(
            f"The rule uses the column {rule.columns[0]}, so it needs a frame.",
            "Name the frame behind the segment's name: %ci_segment NAME FRAME --rule TEXT.",
            code="frame_missing",
        )
    records = _records(workspace, rule)
    schema = _schema(workspace, records)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=0,
        email=records[0].definition["email"],
        key=records[0].definition["key"],
        where=None,
        columns=(),
        unused_consent=tuple(dict.fromkeys(column for each in records for column in each.unused_consent)),
        rule=rule.text,
    )
    return segment, schema


def profiles_of_segments(workspace: Workspace, rule: Rule, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Return the profiles that fulfil a rule; one that is in several segments comes from the first of them."""
    records = _records(workspace, rule)
    members = {each.name: keys_of_segment(workspace, each.name, None) for each in records}
    given = Circumstances(key="key", members=members)
    for number, record in enumerate(records):
        earlier = [members[each.name] for each in records[:number]]
        for batch in workspace.snapshots.batches(record.id, workspace.snapshots.columns(record.id)):
            chosen = _chosen(batch, rule, given, earlier)
            yield _shaped(batch.filter(chosen), schema)


def _records(workspace: Workspace, rule: Rule) -> list[SegmentRecord]:
    """Return the segments that a rule uses; all must have the same key."""
    records = [workspace.segments[name] for name in rule.segments]
    for record in records:
        keys_of_segment(workspace, record.name, records[0].definition["key"])
    return records


def _chosen(batch: pa.RecordBatch, rule: Rule, given: Circumstances, earlier: Sequence[Any]) -> pa.Array:
    chosen = fulfilled(batch.select(["key"]), rule, given)
    for keys in earlier:
        chosen = pc.and_(chosen, pc.invert(pc.is_in(batch.column("key"), value_set=keys.combine_chunks())))
    return chosen


def _schema(workspace: Workspace, records: Sequence[SegmentRecord]) -> pa.Schema:
    """Return the columns that the profiles of several segments have together; the keys must be of one type."""
    schemas = [workspace.snapshots.schema(record.id) for record in records]
    for record, schema in zip(records, schemas, strict=True):
        if schema.field("key").type != schemas[0].field("key").type:
            raise SegmentError(
                f"The keys of the segments '{records[0].name}' and '{record.name}' are of different types.",
                "Make both with the same key column.",
                code="rule_other_key",
            )
    fields = {each.name: each for schema in reversed(schemas) for each in schema}
    return pa.schema([fields[name] for name in dict.fromkeys(each.name for schema in schemas for each in schema)])


def _shaped(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch in the columns of all segments; a consent that a segment knows nothing of is not given."""
    names = set(batch.schema.names)
    arrays = [
        batch.column(each.name).cast(each.type) if each.name in names else pa.nulls(batch.num_rows, each.type)
        for each in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
