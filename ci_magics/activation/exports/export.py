"""Export segments: plan, push, or save how for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_magics.activation.exports.dry_run import examine, unreadable
from ci_magics.activation.exports.pipeline import chosen_segments, send_export
from ci_magics.activation.exports.saved_runs import run_export
from ci_magics.activation.exports.saving import save_export
from ci_magics.activation.plan import Plan
from ci_magics.activation.plans.consent import remember_choice
from ci_magics.activation.plans.export_options import ExportOptions, make_order
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import resume_run
from ci_magics.activation.segments.segment import stored_segment
from ci_magics.display.output import tell
from ci_magics.errors import ArgumentError, WorkspaceError, quoted_list
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, nothing_shared, require
from ci_magics.workspace.export_models import Export
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
    consent_yes: str | Sequence[str] | None = None,
    ignore_consent: bool = False,
    exclude: Sequence[Segment | str] = (),
    allow_empty: bool = False,
    allow_shrink: bool = False,
    allow_mixed: bool = False,
    resume: str | None = None,
    save: str | None = None,
    run: bool = False,
    progress: Reporter = silent,
    show: Callable[[str], None] = tell,
    workspace: Workspace | None = None,
) -> Plan | Run | Export:
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
        ``remove``: only that. ``replace``: the whole list, which makes an existing audience ours.
    audience
        Name or number of an existing Customer Match list, for one segment.
    scope
        ``account``, or ``customer`` for an audience that all accounts of the customer share.
    dry_run
        Return the plan and send nothing. It makes every check that the export makes, and its ``verdict`` says whether
        the export would go through; without both consents Microsoft is not asked.
    normalization
        ``basic``, ``enhanced`` or ``both``; it never changes within one audience.
    membership_days
        How long a member stays without being sent again: 1 to 390 days, or -1 means forever. A new audience gets -1
        unless told, an existing one keeps what it has.
    consent
        A column of the segment that says who agreed: only those who did are sent, and the choice is remembered for
        the segment's source.
    consent_yes
        Values of it that mean yes although the rule for values does not know them; all others then mean no.
    ignore_consent
        Send everybody, those who refused too; it holds for this export only, and the audit says who did it.
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
    save
        Keep the configuration under this name instead of sending anything; an export of this name is replaced.
    run
        Run what was saved at once.
    progress
        Called while it runs.
    show
        Called with each sentence the person must see: a wait, a sign-in code.
    workspace
        Where segments and connections are; the default one unless given.

    Returns
    -------
    Plan, Export or Run
        The plan with ``dry_run``, the saved export with ``save``, else the run.

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
        if segments or to is not None or dry_run or save is not None:
            raise ArgumentError("A run is resumed as it was planned.", "Write only --resume RUN.", code="resume_alone")
        return resume_run(workspace, resume, report=progress, show=show)
    if save is not None and dry_run:
        raise ArgumentError(
            "Saving sends nothing, so there is nothing to try.", "Leave out --dry-run or --save.", code="save_dry_run"
        )
    if to is None:
        names = quoted_list(workspace.connections.names())
        if not names and len(workspace.all_connections):
            raise nothing_shared()
        advice = f"Name one with --to: {names}." if names else "There is none yet. Make one: %ci_connect NAME."
        raise ArgumentError("The export needs a connection.", advice, code="no_to")
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
        consent_yes=consent_yes,
        ignore_consent=ignore_consent,
        exclude=[stored_segment(workspace, each).record.name for each in exclude],
        allow_empty=allow_empty,
        allow_shrink=allow_shrink,
        allow_mixed=allow_mixed,
    )
    if dry_run:
        return _dry_run(workspace, to, segments, email, order, show)
    stored = chosen_segments(workspace, segments, email, order)
    connection = find_connection(workspace, to)
    for each in stored:
        remember_choice(workspace, each, order)
    if save is not None:
        kept = save_export(workspace, save, connection, stored, email, order, show)
        return run_export(save, progress=progress, show=show, workspace=workspace) if run else kept
    return send_export(workspace, connection, stored, order, progress=progress, show=show)


def _dry_run(
    workspace: Workspace,
    to: Connection | str,
    segments: Sequence[Segment | str],
    email: str | None,
    order: ExportOptions,
    show: Callable[[str], None],
) -> Plan:
    try:
        stored = chosen_segments(workspace, segments, email, order)
    except WorkspaceError as error:  # the profiles were purged or damaged
        names = [each if isinstance(each, str) else each.name for each in segments]
        return unreadable(workspace, find_connection(workspace, to), names, order, show, error)
    connection = find_connection(workspace, to)
    require(workspace, Verb.PLAN_EXPORT, connection)
    return examine(workspace, connection, stored, order, show)
