"""Counts of a segment that are stored for users who may not read its keys and hashes.

If the database enforces roles, viewers can't read files with keys and hashes. So the counts of a preview are stored
when a segment is made or refreshed, for each normalization, without keys or hashes. They are valid for the suppression
and the consent decision at that time. For other options there are no counts, and an error says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ci_magics.activation.segments.consent_decision import ConsentOptions, Decision, decide
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_record
from ci_magics.activation.segments.suppression import excluding, suppression_for
from ci_magics.advice import Do, advise
from ci_magics.clock import present
from ci_magics.errors import AccessError
from ci_magics.matching.counting import count_profiles
from ci_magics.matching.coverage import cover_one
from ci_magics.matching.covered_segments import SegmentCoverage
from ci_magics.matching.hash_list import Scratch
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

_NORMALIZATIONS = ("basic", "enhanced", "both")
_NUMBERS = ("rows", "with_email", "valid", "unique", "sendable", "hashes", "prehashed", "differs", "placeholders")
_BY_WORD = ("reasons", "mistyped")


def keep_counts(workspace: Workspace, record: SegmentRecord) -> None:
    """Store the counts of a segment, if there are users who may not read its keys and hashes.

    Parameters
    ----------
    workspace
        The workspace that stores the segment.
    record
        The segment. Its snapshot must exist.
    """
    if not workspace.hides_keys_from_viewers:
        return
    stored = stored_record(workspace, record)
    decision, suppression = decide(workspace, stored, ConsentOptions()), suppression_for(workspace, record)
    numbers: dict[str, dict[str, Any]] = {}
    for normalization in _NORMALIZATIONS:
        scratch = Scratch(workspace.scratch_folders.folder())
        found = count_profiles(stored.matched.profiles, normalization, scratch, suppression, decision.consenting)
        coverage = cover_one(record.name, stored.matched, found, consent=decision.counted)
        numbers[normalization] = {name: getattr(coverage, name) for name in _NUMBERS}
        numbers[normalization] |= {name: dict(getattr(coverage, name)) for name in _BY_WORD}
    document = {
        "at": present().isoformat(),
        "consenting": _terms(decision),
        "excluded": _excluded(workspace, record),
        "numbers": numbers,
    }
    workspace.segments.change(lambda now: replace(now, kept_counts=document), id=record.id)


def keep_all_counts(workspace: Workspace) -> int:
    """Store the counts of all segments that have none; return the number of these segments."""
    lacking = [each for each in workspace.segments if not each.kept_counts and workspace.snapshots.exists(each.id)]
    for each in lacking:
        keep_counts(workspace, each)
    return len(lacking)


def kept_coverage(
    workspace: Workspace, stored: StoredSegment, decision: Decision, normalization: str, exclude: Sequence[str]
) -> SegmentCoverage:
    """Return the stored counts of a segment.

    Parameters
    ----------
    workspace
        The workspace that stores the segment.
    stored
        The segment.
    decision
        The decision about its consents.
    normalization
        The rule that the counts are for.
    exclude
        Names of segments to exclude besides the suppression segment.

    Raises
    ------
    AccessError
        No counts are stored, or not for this decision or exclusion.
    """
    name, kept = stored.record.name, stored.record.kept_counts
    if not kept:
        raise AccessError(
            f"Viewers can see only counts, and those of the segment '{name}' are not stored yet.",
            advise(
                "Ask a contributor to refresh it (",
                Do("segments.refresh", name),
                "), or an administrator to run ",
                Do("roles.enforce"),
                ".",
            ),
            code="not_counted",
        )
    if exclude or kept["consenting"] != _terms(decision):
        what = "other exclusions" if exclude else "another choice of consents"
        raise AccessError(
            f"Viewers can see only counts, and those of the segment '{name}' are not stored for {what}.",
            "Ask a contributor to preview it.",
            code="not_counted",
        )
    at = datetime.fromisoformat(kept["at"])
    remark = f"{name}: counted on {at:%Y-%m-%d %H:%M} UTC."
    if kept["excluded"] != _excluded(workspace, stored.record):
        remark = f"{remark} The suppression list has changed since then; the next refresh counts again."
    counted_consent = decision.counted
    return SegmentCoverage(
        name=name,
        **kept["numbers"][normalization],
        new=None,
        gone=None,
        unchanged=None,
        domains=stored.matched.domains,
        examples=stored.matched.examples,
        remark=remark,
        consent=counted_consent.known,
        consent_question=counted_consent.question,
    )


def _terms(decision: Decision) -> dict[str, Any] | None:
    """Return the states that are sent and refused, so that two decisions can be compared."""
    if decision.consenting is None:
        return None
    return {"sent": sorted(decision.consenting.sent), "refused": sorted(decision.consenting.refused)}


def _excluded(workspace: Workspace, record: SegmentRecord) -> list[str]:
    """Return the ids of the segments whose people are never sent at present."""
    return sorted(each.id for each in excluding(workspace, record, ()))
