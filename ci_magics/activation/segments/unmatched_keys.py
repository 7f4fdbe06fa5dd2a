"""Notices about segments in a rule that share no profile, with the formats of both keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ci_magics.activation.segments.key_set import first_keys, stored_ids
from ci_magics.activation.segments.suppression import excluding
from ci_magics.advice import COLUMN, Advice, Opt, advise
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.key_formats import format_of_keys
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.rows import RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import Member, segments_expected_to_match, subtracted_segments
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def compare_formats(one: tuple[str, str | Advice], other: tuple[str, str | Advice]) -> str:
    """Return a sentence that compares the key formats of two sources.

    Parameters
    ----------
    one, other
        Name of the source in the sentence, and the format of its keys as `format_of_keys` returns it.
    """
    (name, key_format), (other_name, other_format) = one, other
    if key_format == other_format:
        return f"The keys of both are {key_format}." if key_format else ""
    return f"The keys of {name} are {key_format or 'none'}, the keys of {other_name} are {other_format or 'none'}."


def unmet_in_frame(rule: Rule, context: RuleContext) -> Iterator[str]:
    """Yield a message for each segment in a rule without a match in the frame. Call it after the rows were read.

    Parameters
    ----------
    rule
        The rule.
    context
        Context that the rule was evaluated in.
    """
    root = rule.root
    for name in dict.fromkeys(segments_expected_to_match(root, narrows=isinstance(root, Member))):
        members = context.members.get(name)
        if isinstance(members, Members) and len(members.ids) and len(members.frame_keys) and not members.found_any:
            comparison = compare_formats(
                ("the frame", format_of_keys(members.frame_keys)), (f"'{name}'", format_of_keys(members.keys))
            )
            yield f"No {context.key} of the frame is among the keys of the segment '{name}'. {comparison}"


def unmet_among_segments(
    workspace: Workspace, rule: Rule, records: Sequence[SegmentRecord], matched: Collection[str]
) -> Iterator[str]:
    """Yield a message for each segment in a rule that shares no profile with the others. Call it after joining them.

    Parameters
    ----------
    workspace
        Workspace with the segments.
    rule
        Rule over segments only.
    records
        The segments in the rule.
    found_any
        Names of the segments that share a profile with another one.
    """
    reported: set[frozenset[str]] = set()
    by_name = {each.name: each for each in records if each.rows}
    subtracted = subtracted_segments(rule.root)
    for name in sorted(dict.fromkeys(segments_expected_to_match(rule.root)), key=lambda each: each not in subtracted):
        other = next((each for each in by_name if each != name), None)
        if name in matched or name not in by_name or other is None or {name, other} in reported:
            continue
        reported.add(frozenset({name, other}))
        comparison = [(f"'{each}'", format_of_keys(first_keys(workspace, by_name[each]))) for each in (other, name)]
        yield f"No key of the segment '{other}' is among those of '{name}'. {compare_formats(*comparison)}"


def unmet_exclusions(
    workspace: Workspace, segment: SegmentRecord, exclude: Sequence[str], *, held_back: int
) -> list[tuple[str, str | Advice]]:
    """Return a sentence and a next step for each excluded segment whose keys match nobody.

    Parameters
    ----------
    workspace
        The workspace that stores the segments.
    segment
        The segment to send.
    exclude
        Names of the segments that an export excludes; the suppression segment is added.
    held_back
        How many profiles these exclusions hold back in total.
    """
    records = [each for each in excluding(workspace, segment, exclude) if each.rows]
    return [found for each in records for found in _unmet(workspace, segment, each, held_back)]


def _unmet(
    workspace: Workspace, segment: SegmentRecord, other: SegmentRecord, held_back: int
) -> Iterator[tuple[str, str | Advice]]:
    column, other_column = segment.definition["key"], other.definition["key"]
    if ROW_NUMBER in (column, other_column):
        if not held_back:
            keyless = segment if column == ROW_NUMBER else other
            sentence = (
                f"Excluding '{other.name}' excludes nobody: '{keyless.name}' has no key, so people can be found by "
                "their e-mail address only, and no address is in both."
            )
            yield sentence, advise("Make it again with a key column: ", Opt("key", COLUMN), ".")
        return
    comparison = _compare_keys(workspace, segment, other)
    if not same_key(column, other_column):
        sentence = (
            f"'{other.name}' is excluded by e-mail address only: its key is {other_column}, and the key of "
            f"'{segment.name}' is {column}. {comparison}"
        )
        yield (
            sentence,
            advise("To exclude by key too, make both with one key column, for example ", Opt("key", column), "."),
        )
    elif not _share_a_key(workspace, segment, other):
        yield (
            f"Excluding '{other.name}' excludes nobody by key: no key of '{segment.name}' is in it. {comparison}",
            "If it should, write the keys of both in the same way.",
        )


def _share_a_key(workspace: Workspace, segment: SegmentRecord, other: SegmentRecord) -> bool:
    ids = stored_ids(workspace, other)
    batches = workspace.snapshots.batches(segment.id, ["key"])
    return any(ids.contains(batch.column(0)).true_count for batch in batches)


def _compare_keys(workspace: Workspace, segment: SegmentRecord, other: SegmentRecord) -> str:
    one, two = ((f"'{each.name}'", format_of_keys(first_keys(workspace, each))) for each in (segment, other))
    return compare_formats(one, two)
