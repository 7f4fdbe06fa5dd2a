"""Make segments, keep them in the workspace, and find them again by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ci_magics.activation.ruling import circumstances, require_only_a_rule
from ci_magics.errors import ArgumentError, NotFoundError
from ci_magics.matching.matched import Matched, match_profiles
from ci_magics.segmentation.columns import quoted
from ci_magics.segmentation.rules import Rule, as_rule
from ci_magics.segmentation.segment import (
    Profiles,
    Segment,
    build_segment,
    build_segment_from_rule,
    build_segment_from_sql,
)
from ci_magics.segmentation.sources import is_frame
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace


@dataclass(frozen=True)
class StoredSegment:
    """A segment as the workspace keeps it, with its matched profiles."""

    record: SegmentRecord
    matched: Matched


def segment(
    name: str,
    frame: Any,
    *,
    email: str | None = None,
    key: str | None = None,
    where: str | None = None,
    rule: Rule | str | None = None,
    frames: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
    show: Callable[[str], None] = print,
) -> Segment:
    """Make a segment: a named set of profiles. What is kept are keys and hashes, never an address.

    Parameters
    ----------
    name
        What to call it; its audience gets the same name.
    frame
        pandas, polars, pyarrow, a DuckDB relation, or one SELECT in SQL over ``frames``.
    email
        The column with the addresses; found by its name when it is the only one named like one.
    key
        The column that identifies a profile; otherwise a unique column with a usual name, else the row number.
    where
        A condition in SQL over the frame's columns.
    rule
        Instead of that a rule, for example ``Country is any of NL, BE and 'Big spenders'``; see `Rule`.
    frames
        Frames by the names that the SQL uses.
    parameters
        Values for ``$name`` in the SQL; bound, never pasted.
    workspace
        Where to keep it; the default one unless given.
    show
        Called with a sentence when a segment of this name is replaced.

    Raises
    ------
    SegmentError
        The frame, a column, the condition or the query cannot be used.
    """
    workspace = workspace or open_workspace()
    if rule is not None:
        require_only_a_rule(frame, where)
        ruled = as_rule(rule)
        given = circumstances(workspace, frame, ruled, key)
        profiles = build_segment_from_rule(name, frame, ruled, given, email=email, key=key)
    elif isinstance(frame, str):
        if where is not None:
            raise ArgumentError("A query has its own WHERE.", "Write the condition into the query.", code="where_twice")
        profiles = build_segment_from_sql(name, frame, frames=frames or {}, parameters=parameters, email=email, key=key)
    else:
        profiles = build_segment(name, frame, email=email, key=key, where=where)
    return _keep(workspace, profiles, show)


def stored_segment(workspace: Workspace, wanted: Segment | str) -> StoredSegment:
    """Return a segment by its name, or the one that a value stands for.

    Raises
    ------
    ArgumentError
        It is a frame: only segments can be exported.
    NotFoundError
        There is none of this name, or it was replaced since.
    """
    if isinstance(wanted, str):
        record = workspace.segments[wanted]
    elif isinstance(wanted, Segment):
        record = _same(workspace, wanted)
    else:
        what = "a DataFrame" if is_frame(wanted) else f"a {type(wanted).__name__}"
        raise ArgumentError(
            f"Only segments can be exported, and this is {what}.",
            "Make it a segment first: %ci_segment NAME df.",
            code="not_a_segment",
        )
    return StoredSegment(record, Matched(workspace.snapshots.read(record.id), record.domains, record.examples))


def _same(workspace: Workspace, wanted: Segment) -> SegmentRecord:
    record = workspace.segments.get(wanted.name)
    if record is None or record.id != wanted.id:
        raise NotFoundError(
            f"The segment '{wanted.name}' was replaced or deleted since.",
            f"Use it by its name: {quoted(wanted.name)}, or make it again.",
            code="segment_replaced",
        )
    return record


def _keep(workspace: Workspace, profiles: Profiles, show: Callable[[str], None]) -> Segment:
    segment = profiles.segment
    matched = match_profiles(profiles.table)
    record = SegmentRecord(
        id=segment.id,
        name=segment.name,
        definition={"email": segment.email, "key": segment.key, "where": segment.where, "rule": segment.rule},
        fingerprint=_fingerprint(segment, matched.table),
        rows=segment.rows,
        domains=dict(matched.domains),
        examples=dict(matched.examples),
        unused_consent=segment.unused_consent,
        created_by=workspace.user,
        created_at=datetime.now(UTC),
    )
    earlier = workspace.segments.get(segment.name)
    if earlier and earlier.fingerprint == record.fingerprint:
        workspace.snapshots.write(earlier.id, matched.table)
        return _with_id(segment, earlier.id)
    workspace.snapshots.write(segment.id, matched.table)
    if earlier:
        workspace.segments.remove(earlier.id)
        workspace.snapshots.remove(earlier.id)
        show(f"The segment '{segment.name}' was replaced: {earlier.rows:,} profiles before, {segment.rows:,} now.")
    workspace.segments.put(record)
    return segment


def _with_id(segment: Segment, identity: str) -> Segment:
    return Segment(**{**segment.__dict__, "id": identity})


def _fingerprint(segment: Segment, table: pa.Table) -> str:
    """Return a hash of the definition and of every profile, to see whether anything changed."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((segment.name, segment.email, segment.key, segment.where, segment.rule)).encode())
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    digest.update(buffer)
    return digest.hexdigest()
