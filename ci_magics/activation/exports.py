"""Export segments: plan, then push."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_magics.activation.connections import require_consents
from ci_magics.activation.order import Order, make_order
from ci_magics.activation.plan import Plan, make_plan, open_order
from ci_magics.activation.previews import find_connection
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs import load_run, resume_run, unfinished_runs
from ci_magics.activation.segments import StoredSegment, stored_segment
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.segmentation.columns import quoted
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace


def export(
    *segments: Segment | str,
    to: Connection | str | None = None,
    email: str | None = None,
    customer_id: str | None = None,
    account_id: str | None = None,
    url: str | None = None,
    mode: str = "mirror",
    audience: str | None = None,
    scope: str = "account",
    dry_run: bool = False,
    normalization: str = "basic",
    membership_days: int | None = None,
    consent: str | None = None,
    ignore_consent: bool = False,
    exclude: Sequence[Segment | str] = (),
    allow_empty: bool = False,
    allow_shrink: bool = False,
    allow_mixed: bool = False,
    resume: str | None = None,
    progress: Reporter = silent,
    show: Callable[[str], None] = print,
    workspace: Workspace | None = None,
) -> Plan | Run:
    """Send segments to Microsoft Advertising, each to the audience of its name.

    A new audience is created and filled; one that was filled from here before is brought into step, which sends
    only what changed. A run on the same audience that was interrupted is finished first.

    Parameters
    ----------
    segments
        Segments or their names.
    to
        The connection or its name.
    email
        The column with the addresses, to make sure: it must be the one that the segment was made with.
    customer_id, account_id, url
        Instead of the connection's ids.
    mode
        ``mirror``: the audience becomes the segment, for audiences that were filled from here. ``add`` and
        ``remove``: only that. ``replace``: the whole list anew, which makes an existing audience ours.
    audience
        Name or number of an existing Customer Match list, for one segment.
    scope
        ``account``, or ``customer`` for an audience that all accounts of the customer share.
    dry_run
        Return the plan and send nothing.
    normalization
        ``basic``, ``enhanced`` or ``both``; it never changes within one audience.
    membership_days
        How long a member stays without being sent again: 1 to 390 days, or -1 for ever. A new audience gets -1
        unless told, an existing one keeps what it has.
    consent
        A column that says whether somebody may be advertised to: only those are sent.
    ignore_consent
        Send although a column looks like a consent and was not used.
    exclude
        Segments whose people are not sent, by key and by hash; those who are in the audience already leave it. The
        workspace's suppression segment is always excluded.
    allow_empty
        Go on with a segment that has nobody to send.
    allow_shrink
        Go on although more than half of the members would leave.
    allow_mixed
        Send a column that mixes plain addresses and hashes.
    resume
        Finish this run instead; nothing else may be asked then.
    progress
        Called while it runs.
    show
        Called with each sentence the person must see: a wait, a sign-in code.
    workspace
        Where segments and connections are; the default one unless given.

    Returns
    -------
    Plan or Run
        The plan with ``dry_run``, else the run.

    Raises
    ------
    ExportRefusedError
        A guard stopped it; nothing was sent.
    ConsentError
        A consent is missing; nothing was sent.
    ExportStoppedError
        The person stopped it; the error says how to finish it.
    ServiceError
        Microsoft refused; the error names code and TrackingId.
    """
    workspace = workspace or open_workspace()
    if resume is not None:
        if segments or to is not None or dry_run:
            raise ArgumentError("A run is resumed as it was planned.", "Write only --resume RUN.", code="resume_alone")
        return resume_run(workspace, resume, report=progress, show=show)
    if to is None:
        names = ", ".join(f"'{name}'" for name in workspace.connections.names())
        raise ArgumentError(
            "Where to is missing.", f"Name a connection with --to; there are: {names or 'none yet'}.", code="no_to"
        )
    order = make_order(
        mode=mode,
        normalization=normalization,
        audience=audience,
        membership_days=membership_days,
        scope=scope,
        url=url,
        customer_id=customer_id,
        account_id=account_id,
        consent=consent,
        ignore_consent=ignore_consent,
        exclude=[stored_segment(workspace, each).record.name for each in exclude],
        allow_empty=allow_empty,
        allow_shrink=allow_shrink,
        allow_mixed=allow_mixed,
    )
    stored = _segments(workspace, segments, email, order)
    connection = find_connection(workspace, to)
    require(workspace, Verb.PLAN_EXPORT if dry_run else Verb.RUN_EXPORT, connection)
    if not dry_run:
        require_consents(connection)
    services = open_order(workspace, connection, order, show)
    plan = make_plan(workspace, services, connection, stored, order, show)
    if dry_run:
        return plan
    if _finished_others(workspace, plan, show, progress):
        plan = make_plan(workspace, services, connection, stored, order, show)
    return plan.apply(progress=progress)


def _finished_others(workspace: Workspace, plan: Plan, show: Callable[[str], None], progress: Reporter) -> bool:
    """Finish the runs that were interrupted on the plan's audiences; tell whether there were any."""
    open_runs = unfinished_runs(workspace, plan.document)
    for record in open_runs:
        show(f"The run {record.name} on this audience was not finished: it is finished first.")
        run = load_run(workspace, record).resume(progress=progress)
        show(repr(run))
    return bool(open_runs)


def _segments(
    workspace: Workspace, segments: Sequence[Segment | str], email: str | None, order: Order
) -> list[StoredSegment]:
    if not segments:
        raise ArgumentError(
            "Nothing to export.", 'Name a segment: %ci_export "Big spenders" --to "Contoso EU".', code="no_segment"
        )
    if order.audience is not None and len(segments) > 1:
        raise ArgumentError(
            "--audience names one list, and there are several segments.",
            "Export them one by one, or join them into one segment first.",
            code="audience_of_several",
        )
    stored = [stored_segment(workspace, wanted) for wanted in segments]
    names = [each.record.name.casefold() for each in stored]
    if len(set(names)) != len(names):
        raise ArgumentError(
            "Two of the segments have the same name, and so the same audience.", "Name each once.", code="segment_twice"
        )
    for each in stored:
        _require_email(each, email)
    return stored


def _require_email(stored: StoredSegment, email: str | None) -> None:
    used = stored.record.definition["email"]
    if email is not None and email != used:
        raise SegmentError(
            f"The segment '{stored.record.name}' was made with the e-mail column {used}, not {email}.",
            f"Make it again: %ci_segment {quoted(stored.record.name)} FRAME --email {quoted(email)}.",
            code="other_email_column",
        )
