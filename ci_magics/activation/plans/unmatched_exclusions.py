"""Find exclusions that exclude nobody, because their keys have another form or another column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci_magics.activation.segments.key_set import first_keys, stored_ids
from ci_magics.activation.segments.suppression import excluding
from ci_magics.activation.segments.unmatched_keys import forms_of_both
from ci_magics.quoting import magic_word
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.key_forms import form_of
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


def unmet_exclusions(
    workspace: Workspace, segment: SegmentRecord, exclude: Sequence[str], *, held_back: int
) -> list[tuple[str, str]]:
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
) -> Iterator[tuple[str, str]]:
    column, other_column = segment.definition["key"], other.definition["key"]
    if ROW_NUMBER in (column, other_column):
        if not held_back:
            keyless = segment if column == ROW_NUMBER else other
            sentence = (
                f"Excluding '{other.name}' leaves out nobody: '{keyless.name}' has no key, so people can be found by "
                "their e-mail address only, and no address is in both."
            )
            yield sentence, "Make it again with a key column: --key COLUMN."
        return
    forms = _forms(workspace, segment, other)
    if not same_key(column, other_column):
        sentence = (
            f"'{other.name}' is excluded by e-mail address only: its key is {other_column}, and the key of "
            f"'{segment.name}' is {column}. {forms}"
        )
        yield (
            sentence,
            f"To exclude by key too, make both with one key column, for example --key {magic_word(column)}.",
        )
    elif not _meet(workspace, segment, other):
        yield (
            f"Excluding '{other.name}' leaves out nobody by key: no key of '{segment.name}' is in it. {forms}",
            "If it should, write the keys of both in the same way.",
        )


def _meet(workspace: Workspace, segment: SegmentRecord, other: SegmentRecord) -> bool:
    ids = stored_ids(workspace, other)
    batches = workspace.snapshots.batches(segment.id, ["key"])
    return any(ids.among(batch.column(0)).true_count for batch in batches)


def _forms(workspace: Workspace, segment: SegmentRecord, other: SegmentRecord) -> str:
    one, two = ((f"'{each.name}'", form_of(first_keys(workspace, each))) for each in (segment, other))
    return forms_of_both(one, two)
