"""The notice for segments that a rule joins and that share nobody: what the keys of both look like."""

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
    """Return a sentence on what the keys of two segments look like, each given by what it is called and its form."""
    (name, form), (other_name, other_form) = one, other
    if form == other_form:
        return f"The keys of both are {form}." if form else ""
    return f"The keys of {name} are {form or 'none'}, the keys of {other_name} are {other_form or 'none'}."


def unmet_in_frame(rule: Rule, given: Circumstances) -> Iterator[str]:
    """Return a sentence for each segment of a rule in which no key of the frame was found, once its rows were read."""
    root = rule.root
    for name in dict.fromkeys(expected_to_meet(root, narrows=isinstance(root, Member))):
        members = given.members.get(name)
        if isinstance(members, Members) and len(members.ids) and len(members.looked_for) and not members.met:
            forms = forms_of_both(("the frame", form_of(members.looked_for)), (f"'{name}'", form_of(members.keys)))
            yield f"No {given.key} of the frame is among the keys of the segment '{name}'. {forms}"


def unmet_among_segments(
    workspace: Workspace, rule: Rule, records: Sequence[SegmentRecord], met: Collection[str]
) -> Iterator[str]:
    """Return a sentence for each segment of a rule that shares nobody with the others, once they were joined.

    Parameters
    ----------
    workspace
        Where they are.
    rule
        A rule over segments alone.
    records
        Its segments.
    met
        Names of those that share somebody with another one.
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
