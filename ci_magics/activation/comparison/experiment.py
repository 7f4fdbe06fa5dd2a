"""Compare two normalizations in an account by filling two audiences from one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ci_magics.activation.comparison.halves import Half, halves_of, keep_half, name_of_half
from ci_magics.activation.comparison.verdict import Comparison, Side
from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.exports.export import export_segments, plan_export
from ci_magics.activation.plans.export_options import ExportKeywords, ExportOptions
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.plans.verdict import finding_of
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.runs.status import status
from ci_magics.activation.segments.consent_decision import decide, only_consenting
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_segment
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.display.output import announce
from ci_magics.errors import ConsentError, ExportRefusedError, SegmentError
from ci_magics.matching.covered_segments import SMALLEST_SERVING
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

#: People needed: if Microsoft matches half of them, each audience reaches the smallest size that it serves.
FEWEST = 4 * SMALLEST_SERVING


def compare_normalizations(
    segment: Segment | str,
    *,
    to: Connection | str,
    dry_run: bool = False,
    consent: str | None = None,
    consent_yes: str | Sequence[str] | None = None,
    ignore_consent: bool = False,
    allow_shrink: bool = False,
    progress: Reporter = silent,
    show: Callable[[str], None] = announce,
    workspace: WorkspaceLike | None = None,
) -> Comparison:
    """Find out which normalization Microsoft matches better in an account.

    The profiles whose hash depends on the normalization are split at random: one half goes to an audience with
    ``basic`` hashes, the other to an audience with ``enhanced`` hashes. Run it again when Microsoft has counted both.
    Then nothing is sent, unless the segment has changed, and the sizes are compared.

    Parameters
    ----------
    segment
        A segment or its name.
    to
        The connection or its name.
    dry_run
        Plan only and send nothing; the verdict shows what would stop the comparison.
    consent, consent_yes, ignore_consent, allow_shrink
        As in `ci_magics.export`.
    progress
        Called with the progress of the run; silent by default.
    show
        Called with each sentence that the user must see.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    SegmentError
        Too few people have a hash that depends on the normalization.
    ExportRefusedError
        A guard stopped one of the two audiences; nothing was sent to either.
    ConsentError
        A consent is missing; nothing was sent.
    """
    workspace = store_of(workspace)
    connection = find_connection(workspace, to)
    require(workspace, Verb.RUN_EXPORT, connection)  # for a dry run too, because it saves the two halves
    stored = stored_segment(workspace, segment)
    values = (consent_yes,) if isinstance(consent_yes, str) else tuple(consent_yes or ())
    order = ExportOptions(consent=consent, consent_yes=values, ignore_consent=ignore_consent)
    given: ExportKeywords = {
        "consent": consent,
        "consent_yes": values,
        "ignore_consent": ignore_consent,
        "allow_shrink": allow_shrink,
    }
    task = _Comparing(workspace, connection, stored, given, progress, show)
    try:
        return _compared(task, order, dry_run=dry_run)
    except (ConsentError, ExportRefusedError, SegmentError) as error:
        if not dry_run:
            raise
        name = stored.record.name
        sides = (Side("basic", name_of_half(name, "basic")), Side("enhanced", name_of_half(name, "enhanced")))
        return Comparison(connection.destination, name, *sides, dry_run, finding_of(error))


@dataclass(frozen=True)
class _Comparing:
    """What both halves of a comparison have in common."""

    workspace: Workspace
    connection: Connection
    stored: StoredSegment
    given: ExportKeywords
    progress: Reporter
    show: Callable[[str], None]

    def options(self, normalization: str) -> ExportKeywords:
        """Return the options of the export of one half."""
        return {**self.given, "normalization": normalization}


def _compared(task: _Comparing, order: ExportOptions, *, dry_run: bool) -> Comparison:
    require_consents(task.connection)
    halves = halves_of(only_consenting(task.stored, decide(task.workspace, task.stored, order.consent_options)))
    _require_enough(task.stored, halves)
    sides = [_planned(task, half) for half in halves]
    if not dry_run:
        for side in sides:
            _require_free(side)
        sides = [_filled(task, side) for side in sides]
    basic, enhanced = _with_sizes(task.workspace, sides, task.show)
    return Comparison(task.connection.destination, task.stored.record.name, basic, enhanced, dry_run)


def _require_enough(stored: StoredSegment, halves: tuple[Half, Half]) -> None:
    people = sum(half.people for half in halves)
    if people < FEWEST:
        raise SegmentError(
            f"Only {pluralize(people, 'person')} of the segment '{stored.record.name}' "
            f"{inflect(people, 'has')} a hash that depends on the "
            f"normalization; at least {format_count(FEWEST)} are needed to tell anything.",
            "Take a bigger segment; with so few, the rule hardly matters.",
            code="too_few_differ",
        )


def _planned(task: _Comparing, half: Half) -> Side:
    kept = keep_half(task.workspace, task.stored, half, task.show)
    plan = plan_export(task.workspace, [kept], task.connection, task.options(half.rule), task.show)
    if not plan.audiences and plan.verdict.reason is not None:  # there is nothing to compare
        raise plan.verdict.reason.refusal()
    return Side(half.rule, half.segment, plan.audiences[0].audience_id or "", half.people, plan)


def _require_free(side: Side) -> None:
    """Raise the error of a guard before anything is sent to the other audience."""
    for each in side.plan.audiences if side.plan else ():
        if each.stopping is not None:
            raise each.stopping.refusal()


def _filled(task: _Comparing, side: Side) -> Side:
    """Bring an audience up to date; send nothing if it is."""
    if not side.changes:
        return side
    given = task.options(side.rule)
    run = export_segments(
        task.workspace, [side.audience], task.connection, given, progress=task.progress, show=task.show
    )
    return replace(side, run=run, audience_id=run.results[0].audience_id)


def _with_sizes(workspace: Workspace, sides: list[Side], show: Callable[[str], None]) -> list[Side]:
    """Ask Microsoft for the sizes of the audiences that exist."""
    filled = {each.audience_id: each for each in workspace.audiences}
    names = [filled[each.audience_id].segment_name for each in sides if each.audience_id in filled]
    if not names:
        return sides
    sizes = {each.audience_id: each.search_size for each in status(*names, workspace=workspace, show=show).audiences}
    return [
        replace(each, size=sizes.get(each.audience_id), filled_at=filled[each.audience_id].updated_at)
        if each.audience_id in filled
        else each
        for each in sides
    ]
