"""Which segments use which: dependents, the order of evaluation, and circular definitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ci_magics.activation.segments.definitions import Definition, segments_used
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import rename_segment
from ci_magics.segmentation.sources.queries import referenced_tables
from ci_magics.segmentation.sources.streams import is_path
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def made_of(workspace: Workspace, name: str) -> tuple[SegmentRecord, ...]:
    """Return the segments whose rule or query uses another segment.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Name of the other segment.
    """
    return tuple(each for each in workspace.segments if _rule_names(each, name) or _query_reads(each, name))


def follow(record: SegmentRecord, name: str, new: str) -> SegmentRecord:
    """Return a segment with another segment renamed in its rule.

    Parameters
    ----------
    record
        Segment whose rule names the other one.
    name, new
        Old and new name of the other segment.

    Raises
    ------
    SegmentError
        The query of the segment reads the other one, and queries cannot be rewritten.
    """
    if _query_reads(record, name):
        raise SegmentError(
            f"The query of the segment '{record.name}' reads '{name}'.",
            f"Make '{record.name}' with another query first, or duplicate '{name}' instead.",
            code="segment_in_query",
        )
    rule = Rule.parse(record.definition["rule"])
    text = Rule(root=rename_segment(rule.root, name, new)).text
    definition = {**record.definition, "rule": text}
    if record.definition["source"]:
        definition["source"] = {**record.definition["source"], "rule": text}
    return replace(record, definition=definition)


def _rule_names(record: SegmentRecord, name: str) -> bool:
    rule = record.definition["rule"]
    return bool(rule) and name in Rule.parse(rule).segments


def _query_reads(record: SegmentRecord, name: str) -> bool:
    source = record.definition["source"]
    return bool(source) and name in segments_used(Definition.model_validate(source))


def parents(record: SegmentRecord) -> set[str]:
    """Return the names of the segments that a segment is made from at each evaluation."""
    rule, source = record.definition["rule"], record.definition["source"]
    named = set(Rule.parse(rule).segments) if rule else set()
    return named | (segments_used(Definition.model_validate(source)) if source else set())


def in_order(workspace: Workspace, names: set[str]) -> list[SegmentRecord]:
    """Return segments and all their dependencies, each after the segments that it depends on.

    Parameters
    ----------
    workspace
        Workspace to use.
    names
        Names of the segments; unknown names are ignored.
    """
    return ancestors({each.name: each for each in workspace.segments}, names)


def ancestors(known: Mapping[str, SegmentRecord], names: Collection[str]) -> list[SegmentRecord]:
    """Do the same as `in_order` for segments that are already loaded.

    Parameters
    ----------
    known
        All segments by name.
    names
        Names of the segments; unknown names are ignored.
    """
    ordered: dict[str, SegmentRecord] = {}

    def place(name: str) -> None:
        if name in ordered or name not in known:
            return
        for parent in sorted(parents(known[name]) - {name}):
            place(parent)
        ordered[name] = known[name]

    for name in sorted(names):
        place(name)
    return list(ordered.values())


def evaluations(workspace: Workspace) -> dict[str, datetime]:
    """Return the time of the last evaluation of each segment, by name, whether or not it changed the segment."""
    counted = {each.segment_name: each.counted_at for each in workspace.counts.last_of_each("segment_name")}
    return {each.name: max(each.created_at, counted.get(each.name, each.created_at)) for each in workspace.segments}


def stale_since(workspace: Workspace, not_refreshed: Collection[str]) -> dict[str, datetime]:
    """Return since when segments are stale: those that a refresh did not update, and those that depend on them.

    Parameters
    ----------
    workspace
        Workspace with the segments.
    not_refreshed
        Names of the segments that the refresh did not evaluate.

    Returns
    -------
    dict
        For each such segment, by name: the earliest last evaluation among its stale dependencies and itself.
    """
    evaluated = evaluations(workspace)
    known = {each.name: each for each in workspace.segments}
    stale: dict[str, datetime] = {}
    for name in known:
        old = [each.name for each in ancestors(known, {name}) if each.name in not_refreshed]
        if old:
            stale[name] = min(evaluated[each] for each in old)
    return stale


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
    _refuse(name, _find_cycle(workspace, name, [name], _used(rule, source, frames)))


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
    _refuse(record.name, _find_cycle(workspace, record.name, [record.name], _used_by(record)))


def _refuse(name: str, path: list[str] | None) -> None:
    if path is None:
        return
    through = "" if len(path) == 2 else f", through {' and '.join(repr(each) for each in path[1:-1])}"
    raise SegmentError(
        f"The segment '{name}' would depend on itself{through}.",
        "Give the new segment another name, or name the segments that it was made from.",
        code="segment_cycle",
    )


def _find_cycle(workspace: Workspace, name: str, so_far: list[str], used: Iterable[str]) -> list[str] | None:
    """Return the cycle from a segment back to itself, as a list of names, or None."""
    for each in used:
        if each == name:
            return [*so_far, name]
        record = workspace.segments.get(each)
        if record is None or each in so_far:
            continue
        path = _find_cycle(workspace, name, [*so_far, each], _used_by(record))
        if path is not None:
            return path
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
