"""Make segments from stored segments by joining their keys. No frame is needed, because keys and hashes are stored."""

from __future__ import annotations

import functools
import operator
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import polars as pl
import pyarrow as pa

from ci_magics.activation.segments.consents import consent_of, profile_batches, profile_schema, states_by_key
from ci_magics.activation.segments.key_set import key_sets
from ci_magics.activation.segments.rule_context import require_key
from ci_magics.advice import FRAME, NAME, Do, Placeholder, advise
from ci_magics.errors import SegmentError
from ci_magics.segmentation.consent.document import SegmentConsent
from ci_magics.segmentation.consent.joining import strictest_states
from ci_magics.segmentation.consent.reading import STATE
from ci_magics.segmentation.consent.values import SILENT
from ci_magics.segmentation.key_text import key_text
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Join, Joined, Member, Node, Not
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def segment_of_segments(workspace: Workspace, name: str, rule: Rule) -> tuple[Segment, pa.Schema]:
    """Return the segment that a rule makes from stored segments, and the schema of its profiles.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Name of the new segment.
    rule
        Rule over segments only.

    Raises
    ------
    SegmentError
        The rule uses columns and so needs a frame, or the segments have different key columns.
    NotFoundError
        A segment does not exist.
    """
    if rule.columns:
        raise SegmentError(
            f"The rule uses the column {rule.columns[0]}, so it needs a frame.",
            advise(
                "Name the frame behind the segment's name: ", Do("segment", NAME, FRAME, rule=Placeholder("TEXT")), "."
            ),
            code="frame_missing",
        )
    records = records_of(workspace, rule)
    schema = _schema(workspace, records)
    rule.check(schema)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=0,
        email=records[0].definition["email"],
        key=records[0].definition["key"],
        where=None,
        columns=(),
        consent=_consent(records),
        rule=rule.text,
    )
    return segment, schema


def profiles_of_segments(
    workspace: Workspace, rule: Rule, schema: pa.Schema, met: set[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the profiles that match a rule. A profile in several segments comes from the first of them.

    Parameters
    ----------
    workspace
        Workspace with the segments.
    rule
        Rule over segments only.
    schema
        Schema of the profiles.
    met
        Output: names of the segments that share a profile with another one are added to it.
    """
    records = records_of(workspace, rule)
    sets = {each.segment: each for each in key_sets(workspace, records)}
    known = _states(workspace, records)
    for number, record in enumerate(records):
        for batch in profile_batches(workspace, record, profile_schema(workspace, record).names):
            inside = {name: each.contains_stored(batch.column("key")) for name, each in sets.items()}
            met |= {name for name, found in inside.items() if name != record.name and name not in met and found.any()}
            chosen = _fulfilled(rule.root, inside)
            for earlier in records[:number]:  # leave out profiles that came from an earlier segment
                chosen &= ~inside[earlier.name]
            yield _shaped(_with_state(batch.filter(chosen.to_arrow()), known), schema)


def records_of(workspace: Workspace, rule: Rule) -> list[SegmentRecord]:
    """Return the segments that a rule uses; all must have the same key column.

    Parameters
    ----------
    workspace
        Workspace to use.
    rule
        Rule over segments only.
    """
    records = [workspace.segments[name] for name in rule.segments]
    for record in records:
        require_key(record, records[0].definition["key"])
    return records


def _fulfilled(node: Node, inside: Mapping[str, pl.Series]) -> pl.Series:
    """Return which profiles match a rule, given the profiles in each segment."""
    match node:
        case Member():
            return inside[node.segment]
        case Not():
            return ~_fulfilled(node.rule, inside)
        case AllOf() | AnyOf():
            join = operator.and_ if isinstance(node, AllOf) else operator.or_
            return functools.reduce(join, (_fulfilled(rule, inside) for rule in node.rules))
        case Joined():
            found = _fulfilled(node.first, inside)
            for step in node.steps:
                found = _JOINS[step.join](found, _fulfilled(step.rule, inside))
            return found
        case _:
            raise TypeError("a rule over segments has no conditions")


_JOINS: Mapping[Join, Callable[[pl.Series, pl.Series], pl.Series]] = {
    Join.UNION: operator.or_,
    Join.INTERSECT: operator.and_,
    Join.EXCEPT: lambda found, other: found & ~other,
}


def _schema(workspace: Workspace, records: Sequence[SegmentRecord]) -> pa.Schema:
    """Return the union of the profile columns of several segments. Keys of different types become text."""
    schemas = [profile_schema(workspace, record) for record in records]
    fields = {each.name: each for schema in reversed(schemas) for each in schema}
    kinds = {schema.field("key").type for schema in schemas}
    fields["key"] = pa.field("key", kinds.pop() if len(kinds) == 1 else pa.string())
    return pa.schema([fields[name] for name in dict.fromkeys(each.name for schema in schemas for each in schema)])


def _consent(records: Sequence[SegmentRecord]) -> SegmentConsent:
    """Return the combined consent of several segments, before counting."""
    parts = [consent_of(each) for each in records]
    known = [each for each in parts if each.known]
    return SegmentConsent(
        columns=_each_once(each.columns for each in known),
        refusals=_each_once(each.refusals for each in known),
        how="chosen" if known and all(each.decided for each in known) else "found",
        yes=_each_once(each.yes for each in known),
        lost=bool(known) and not any(each.columns for each in known),
        sources=_each_once(each.sources for each in known),
    )


def _each_once(parts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))


def _states(workspace: Workspace, records: Sequence[SegmentRecord]) -> pl.DataFrame | None:
    """Return the combined consent state of each key, where one refusal overrides the rest; None if there is none."""
    if len(records) == 1:
        return None
    parts = [known for each in records if (known := states_by_key(workspace, each)) is not None]
    return strictest_states(pl.concat(parts)) if parts else None


def _with_state(batch: pa.RecordBatch, known: pl.DataFrame | None) -> pa.RecordBatch:
    """Return profiles with the combined consent state of all segments."""
    if known is None:
        return batch
    keys = pl.Series("key", pl.from_arrow(key_text(batch.column("key")))).to_frame()
    found = keys.join(known, on="key", how="left", maintain_order="left")["state"].fill_null(SILENT)
    states = found.to_arrow().cast(pa.string())
    place = batch.schema.get_field_index(STATE)
    return batch.append_column(STATE, states) if place < 0 else batch.set_column(place, STATE, states)


def _shaped(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the given schema. Columns that an older segment lacks are null."""
    names = set(batch.schema.names)
    arrays = [_column(batch, each) if each.name in names else pa.nulls(batch.num_rows, each.type) for each in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(batch: pa.RecordBatch, wanted: pa.Field) -> pa.Array:
    column = batch.column(wanted.name)
    if column.type == wanted.type:
        return column
    return (key_text(column) if wanted.name == "key" else column).cast(wanted.type)
