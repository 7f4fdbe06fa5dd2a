"""Dependencies between segments, and how they follow a rename."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ci_magics.activation.segments.definitions import Definition, segments_used
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import renamed
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
    text = Rule(root=renamed(rule.root, name, new)).text
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
