"""Build a segment and its profiles from a request, for any source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ci_magics.activation.segments.algebra import profiles_of_segments, records_of, segment_of_segments
from ci_magics.activation.segments.consents import states_by_key
from ci_magics.activation.segments.definitions import SegmentRequest
from ci_magics.activation.segments.rule_context import context_for, not_with_a_query, require_only_a_rule, today
from ci_magics.activation.segments.unmatched_keys import unmet_among_segments, unmet_in_frame
from ci_magics.errors import ArgumentError
from ci_magics.matching.spark import matched_on_spark
from ci_magics.matching.streaming import AlreadyMatched, LocalStream, ProfileStream
from ci_magics.segmentation.rules.condition import RuleCondition
from ci_magics.segmentation.rules.rows import RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import (
    ROW_NUMBER,
    Profiles,
    Segment,
    build_segment,
    build_segment_from_rule,
    build_segment_from_sql,
)
from ci_magics.segmentation.sources.frames import is_spark
from ci_magics.segmentation.sources.queries import files_in, referenced_tables
from ci_magics.segmentation.sources.streams import is_path, text_of
from ci_magics.segmentation.sources.text_source import TextSource
from ci_magics.segmentation.spark import SparkProfiles, build_spark_segment
from ci_magics.workspace.store import Workspace


@contextmanager
def build_from_request(
    workspace: Workspace, name: str, frame: Any, wanted: SegmentRequest, show: Callable[[str], None]
) -> Iterator[tuple[Segment, ProfileStream]]:
    """Build a segment and its profiles. The profiles can be read until the block ends.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Name of the segment.
    frame
        Source of the segment; see `ci_magics.segment`. None for a rule over stored segments.
    wanted
        Further options of the segment.
    show
        Called with each message about the files that were read, or about keys that match nothing.

    Raises
    ------
    SegmentError
        The frame, a column, the condition, or the query is not usable.
    ArgumentError
        Two options exclude each other.
    """
    if frame is None:
        rule = _require_rule(wanted.rule)
        met: set[str] = set()
        yield _of_segments(workspace, name, rule, met)
        for sentence in unmet_among_segments(workspace, rule, records_of(workspace, rule), met):
            show(sentence)
    elif is_spark(frame):
        on_spark = _on_spark(name, frame, wanted)
        with matched_on_spark(on_spark) as passing:
            yield on_spark.segment, passing
    else:
        given = _rule_context(workspace, frame, wanted)
        profiles = _build_locally(workspace, name, frame, wanted, given)
        for sentence in _notices(frame, wanted):
            show(sentence)
        if profiles.notice:
            show(profiles.notice)
        yield profiles.segment, LocalStream(profiles.rows)
        if wanted.rule is not None and given is not None:
            for sentence in unmet_in_frame(wanted.rule, given):
                show(sentence)


def _require_rule(rule: Rule | None) -> Rule:
    if rule is None:
        raise ArgumentError(
            "A segment needs a frame, or a rule over earlier segments.",
            "Name a frame, files or a query, or give a rule.",
            code="frame_missing",
        )
    return rule


def _of_segments(workspace: Workspace, name: str, rule: Rule, met: set[str]) -> tuple[Segment, ProfileStream]:
    segment, schema = segment_of_segments(workspace, name, rule)
    return segment, AlreadyMatched(schema, profiles_of_segments(workspace, rule, schema, met))


def _on_spark(name: str, frame: Any, wanted: SegmentRequest) -> SparkProfiles:
    rule = None
    if wanted.rule is not None:
        require_only_a_rule(frame, wanted.where)
        rule = RuleCondition(wanted.rule, today())
    return build_spark_segment(
        name, frame, email=wanted.email, key=wanted.key, where=wanted.where, rule=rule, consent=wanted.consent
    )


def _rule_context(workspace: Workspace, frame: Any, wanted: SegmentRequest) -> RuleContext | None:
    if wanted.rule is None:
        return None
    return context_for(workspace, frame, wanted.where, wanted.rule, wanted.key)


def _build_locally(
    workspace: Workspace, name: str, frame: Any, wanted: SegmentRequest, given: RuleContext | None
) -> Profiles:
    email, key = wanted.email, wanted.key
    if wanted.rule is not None and given is not None:
        return build_segment_from_rule(name, frame, wanted.rule, given, email=email, key=key, consent=wanted.consent)
    if not isinstance(frame, str) or is_path(frame):
        return build_segment(name, frame, email=email, key=key, where=wanted.where, consent=wanted.consent)
    if wanted.where is not None:
        raise not_with_a_query(frame, "A query has its own WHERE")
    return build_segment_from_sql(
        name,
        frame,
        frames={} if wanted.database else wanted.frames,
        earlier={} if wanted.database else _earlier_segments(workspace, frame, wanted.frames),
        parameters=wanted.parameters,
        database=wanted.database,
        email=email,
        key=key,
        encoding=wanted.encoding,
        consent=wanted.consent,
        states=() if wanted.database else _states_of_earlier(workspace, frame, wanted.frames),
    )


def _states_of_earlier(workspace: Workspace, sql: str, frames: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield key column, keys, and states of the stored segments in a query that have consent states."""
    for name in referenced_tables(sql) - frames.keys():
        record = workspace.segments.get(name)
        known = states_by_key(workspace, record) if record is not None else None
        if record is not None and known is not None:
            yield record.definition["key"], known["key"].to_arrow(), known["state"]


def _notices(frame: Any, wanted: SegmentRequest) -> list[str]:
    """Return messages about the files that were read."""
    if is_path(frame):
        text = text_of(frame)
        return text.notices if text else []
    if not isinstance(frame, str) or wanted.database is not None:
        return []
    files = files_in(frame, wanted.encoding).values()
    return [sentence for each in files if isinstance(each, TextSource) for sentence in each.notices]


def _earlier_segments(workspace: Workspace, sql: str, frames: Mapping[str, Any]) -> dict[str, pa.Table]:
    """Return the stored segments that a query reads, each as a table of its keys. Frames of that name come first."""
    tables: dict[str, pa.Table] = {}
    for name in referenced_tables(sql) - frames.keys():
        record = workspace.segments.get(name)
        if record is not None and record.definition["key"] != ROW_NUMBER:
            keys = pa.Table.from_batches(workspace.snapshots.batches(record.id, ["key"]))
            tables[name] = keys.rename_columns([record.definition["key"]])
    return tables
