"""Detect segments that would depend on themselves, directly or through other segments."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.sources.queries import referenced_tables
from ci_magics.segmentation.sources.streams import is_path
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def require_no_cycle(
    workspace: Workspace, name: str, rule: Rule | None, source: Any, frames: Collection[str] = ()
) -> None:
    """Check that the rule or query of a segment does not use the segment itself or a segment that depends on it.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Name of the segment.
    rule
        Its rule, if any.
    source
        Its source; a query is searched for names of segments.
    frames
        Names that refer to frames in the query, not to segments.

    Raises
    ------
    SegmentError
        The segment would depend on itself; the error names the segments in the cycle.
    """
    _refuse(name, _way(workspace, name, [name], _used(rule, source, frames)))


def require_no_cycle_of(workspace: Workspace, record: SegmentRecord) -> None:
    """Check that a record would not depend on itself if it were in the workspace now.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.

    Raises
    ------
    SegmentError
        The segment would depend on itself; the error names the segments in the cycle.
    """
    _refuse(record.name, _way(workspace, record.name, [record.name], _used_by(record)))


def _refuse(name: str, way: list[str] | None) -> None:
    if way is None:
        return
    through = "" if len(way) == 2 else f", through {' and '.join(repr(each) for each in way[1:-1])}"
    raise SegmentError(
        f"The segment '{name}' would be made of itself{through}.",
        "Give the new segment another name, or name those that it was made of.",
        code="segment_cycle",
    )


def _way(workspace: Workspace, name: str, so_far: list[str], used: Iterable[str]) -> list[str] | None:
    """Return the cycle from a segment back to itself, as a list of names, or None."""
    for each in used:
        if each == name:
            return [*so_far, name]
        record = workspace.segments.get(each)
        if record is None or each in so_far:
            continue
        way = _way(workspace, name, [*so_far, each], _used_by(record))
        if way is not None:
            return way
    return None


def _used(rule: Rule | None, source: Any, frames: Collection[str]) -> list[str]:
    if rule is not None:
        return list(rule.segments)
    if not isinstance(source, str) or is_path(source):
        return []
    return sorted(referenced_tables(source) - set(frames))


def _used_by(record: SegmentRecord) -> list[str]:
    rule = record.definition["rule"]
    return _used(Rule.parse(rule) if rule else None, record.definition["where"], ())
