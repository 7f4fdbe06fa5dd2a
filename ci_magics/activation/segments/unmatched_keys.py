"""Notices about segments in a rule that share no profile, with the formats of both keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ci_magics.activation.segments.key_set import first_keys
from ci_magics.segmentation.key_forms import form_of
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.rows import Circumstances
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import Member, expected_to_meet, taken_away
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def forms_of_both(one: tuple[str, str], other: tuple[str, str]) -> str:
    """Return a sentence that compares the key formats of two sources.

    Parameters
    ----------
    one, other
        Name of the source in the sentence, and the format of its keys as `form_of` returns it.
    """
    (name, form), (other_name, other_form) = one, other
    if form == other_form:
        return f"The keys of both are {form}." if form else ""
    return f"The keys of {name} are {form or 'none'}, the keys of {other_name} are {other_form or 'none'}."


def unmet_in_frame(rule: Rule, given: Circumstances) -> Iterator[str]:
    """Yield a message for each segment in a rule without a match in the frame. Call it after the rows were read.

    Parameters
    ----------
    rule
        The rule.
    given
        Context that the rule was evaluated in.
    """
    root = rule.root
    for name in dict.fromkeys(expected_to_meet(root, narrows=isinstance(root, Member))):
        members = given.members.get(name)
        if isinstance(members, Members) and len(members.ids) and len(members.looked_for) and not members.met:
            forms = forms_of_both(("the frame", form_of(members.looked_for)), (f"'{name}'", form_of(members.keys)))
            yield f"No {given.key} of the frame is among the keys of the segment '{name}'. {forms}"


def unmet_among_segments(
    workspace: Workspace, rule: Rule, records: Sequence[SegmentRecord], met: Collection[str]
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
    met
        Names of the segments that share a profile with another one.
    """
    said: set[frozenset[str]] = set()
    by_name = {each.name: each for each in records if each.rows}
    away = taken_away(rule.root)
    for name in sorted(dict.fromkeys(expected_to_meet(rule.root)), key=lambda each: each not in away):
        other = next((each for each in by_name if each != name), None)
        if name in met or name not in by_name or other is None or {name, other} in said:
            continue
        said.add(frozenset({name, other}))
        forms = [(f"'{each}'", form_of(first_keys(workspace, by_name[each]))) for each in (other, name)]
        yield f"No key of the segment '{other}' is among those of '{name}'. {forms_of_both(*forms)}"
