"""Steps of every export, saved or not: look up segments, plan, finish interrupted runs, push."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ci_magics.activation.connections.account_check import require_manager
from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.plan import Plan, apply_plan, make_plan, open_services_for
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.progress import Reporter
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import resume_run, unfinished_runs
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_segment
from ci_magics.advice import FRAME, Do, Opt, Placeholder, advise
from ci_magics.clock import Clock
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


def send_export(
    workspace: Workspace,
    connection: Connection,
    stored: list[StoredSegment],
    options: ExportOptions,
    *,
    progress: Reporter,
    show: Show,
    run_id: str | None = None,
    as_of: Mapping[str, datetime] | None = None,
    owner: str = "",
    clock: Clock | None = None,
) -> Run:
    """Plan and push. An interrupted run on the same audience is finished first.

    Parameters
    ----------
    workspace
        Workspace to use.
    connection
        Connection to export to.
    stored
        Segments to export.
    options
        Export options.
    progress
        Called with the progress of the run.
    show
        Called with each message for the user, such as a sign-in code.
    run_id
        Id for the run. None creates one.
    as_of
        For each segment that the refresh did not update, the time of its last evaluation, by segment name.
    owner
        The user who saved the export, for scheduled runs. Empty for a manual run.
    clock
        Source of the current time, and for waits; None means the system clock.

    Raises
    ------
    ExportRefusedError, ConsentError, AccessError
        Nothing was sent.
    CiError
        No audience was completed.
    """
    require(workspace, Verb.RUN_EXPORT, connection)
    require_consents(connection)
    services = open_services_for(workspace, connection, options, show, clock)
    require_manager(services, connection)
    plan = make_plan(workspace, services, connection, stored, options, show)
    if _finished_others(workspace, plan, show, progress, owner, clock):
        plan = make_plan(workspace, services, connection, stored, options, show)
    return apply_plan(plan, progress=progress, run_id=run_id, as_of=as_of, owner=owner)


def chosen_segments(
    workspace: Workspace, segments: Sequence[Segment | str], email: str | None, options: ExportOptions
) -> list[StoredSegment]:
    """Return the stored segments of an export.

    Parameters
    ----------
    workspace
        Workspace to use.
    segments
        Segments or their names.
    email
        Expected address column of every segment; None accepts any.
    options
        Export options.

    Raises
    ------
    ArgumentError
        There is no segment, a segment is named twice, or several segments would go to one list.
    SegmentError
        A segment was made with another e-mail column.
    """
    if not segments:
        raise ArgumentError(
            "Nothing to export.",
            advise("Name a segment: ", Do("export", "Big spenders", to="Contoso EU"), "."),
            code="no_segment",
        )
    if options.audience is not None and len(segments) > 1:
        raise ArgumentError(
            f"{Opt('audience')} names one list, and there are several segments.",
            "Export them one by one, or join them into one segment first.",
            code="audience_of_several",
        )
    stored = [stored_segment(workspace, wanted) for wanted in segments]
    _require_different([each.record.name for each in stored])
    for each in stored:
        _require_email(each, email)
    return stored


def _finished_others(
    workspace: Workspace, plan: Plan, show: Show, progress: Reporter, owner: str, clock: Clock | None
) -> bool:
    """Finish the interrupted runs on the plan's audiences; return whether there were any."""
    open_runs = unfinished_runs(workspace, plan.document)
    for record in open_runs:
        show(f"The run {record.name} on this audience was not finished: it is finished first.")
        show(repr(resume_run(workspace, record.id, progress=progress, show=show, owner=owner, clock=clock)))
    return bool(open_runs)


def _require_different(names: Sequence[str]) -> None:
    """Check that no two segments share an audience: no duplicates, and no names that differ only in case."""
    known: dict[str, str] = {}
    for name in names:
        earlier = known.setdefault(name.casefold(), name)
        if earlier is name and list(names).count(name) == 1:
            continue
        if earlier == name:
            raise ArgumentError(f"The segment '{name}' is named twice.", "Name it once.", code="segment_twice")
        raise ArgumentError(
            f"The names '{earlier}' and '{name}' differ only in capital letters, so both would fill one audience.",
            advise("Give one of them another name: ", Do("segments.rename", name, Placeholder("NEW")), "."),
            code="segment_twice",
        )


def _require_email(stored: StoredSegment, email: str | None) -> None:
    used = stored.record.definition["email"]
    if email is not None and email != used:
        raise SegmentError(
            f"The segment '{stored.record.name}' was made with the e-mail column {used}, not {email}.",
            advise("Make it again: ", Do("segment", stored.record.name, FRAME, email=email), "."),
            code="other_email_column",
        )
