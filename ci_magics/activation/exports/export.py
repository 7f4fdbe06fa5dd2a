"""Export segments: plan, push, or save the configuration for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_magics.activation.exports.dry_run import examine, unreadable
from ci_magics.activation.exports.pipeline import chosen_segments, send_export
from ci_magics.activation.exports.saved_runs import run_export
from ci_magics.activation.exports.saving import save_export
from ci_magics.activation.plan import Plan
from ci_magics.activation.plans.export_options import ExportOptions, make_order
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import resume_run
from ci_magics.activation.segments.consent_decision import remember_choice
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.display.output import tell
from ci_magics.errors import ArgumentError, WorkspaceError, quoted_list
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, nothing_shared, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Opened, Workspace, store_of


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
    workspace: Opened | None = None,
) -> Plan | Run | Export:
    """Send segments to Microsoft Advertising, each to the audience of the same name.

    A new audience is created and filled. For an audience that was filled from this workspace before, only the changes
    are sent. An interrupted run on the same audience is finished first.

    Parameters
    ----------
    segments
        Segments or their names.
    to
        Connection or its name.
    email
        Expected address column, as a safety check: it must be the column that the segment was made with.
    customer_id, account_id, url
        Account to use instead of the connection's ids.
    mode
        ``mirror``: make the audience equal to the segment; only for audiences that were filled from this workspace.
        ``add`` and ``remove``: only add or only remove members. ``replace``: replace the whole list; after that you can
        mirror an existing audience.
    audience
        Name or id of an existing Customer Match list, for a single segment.
    scope
        ``account``, or ``customer`` for an audience that all accounts of the customer share.
    dry_run
        Return the plan and send nothing. A dry run makes every check of the export, and its ``verdict`` says whether
        the export would succeed. Without both consents it sends no request to Microsoft.
    normalization
        ``basic``, ``enhanced``, or ``both``. It cannot change within one audience.
    membership_days
        How long members stay without being sent again: 1 to 390 days, or -1 for no limit. Default: -1 for a new
        audience, no change for an existing one.
    consent
        Column of the segment that says who agreed. Only those who agreed are sent, and the choice is remembered for the
        segment's source.
    consent_yes
        Values of that column that mean yes and that ci-magics does not recognize; all others then mean no.
    ignore_consent
        Send everyone, including those who refused. Applies to this export only; the audit log records who did it.
    exclude
        Segments whose profiles are not sent, matched by key and by hash. Excluded profiles that are already in the
        audience are removed from it. The suppression segment of the workspace is always excluded.
    allow_empty
        Continue with a segment that has no profile to send.
    allow_shrink
        Continue even if more than half of the members would be removed.
    allow_mixed
        Send a column that mixes plain addresses and hashes.
    resume
        Id of a run to finish instead. Cannot be combined with segments, ``to``, ``dry_run``, or ``save``.
    save
        Save the configuration under this name and send nothing. Replaces an export of the same name.
    run
        Together with ``save``: run the saved export immediately.
    progress
        Called with the progress of the run; silent by default.
    show
        Called with each message for the user, such as a sign-in code.
    workspace
        Workspace to use; None opens the default one.

    Returns
    -------
    Plan, Export, or Run
        The plan if ``dry_run`` is set, the saved export if ``save`` is set, otherwise the run.

    Raises
    ------
    ExportRefusedError
        A guard stopped the export; nothing was sent.
    ConsentError
        A consent is missing; nothing was sent.
    ExportStoppedError
        The user stopped the export; the error says how to finish it.
    ServiceError
        Microsoft returned an error; the message has the code and the TrackingId.
    """
    workspace = store_of(workspace)
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
        remember_choice(workspace, each, order.consent_options)
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
    except WorkspaceError as error:  # the profiles are purged or damaged
        names = [each if isinstance(each, str) else each.name for each in segments]
        return unreadable(workspace, find_connection(workspace, to), names, order, show, error)
    connection = find_connection(workspace, to)
    require(workspace, Verb.PLAN_EXPORT, connection)
    return examine(workspace, connection, stored, order, show)
