"""Run saved exports, never two runs of one export at once, and record the results."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from ci_magics.activation.connections.permission import RightEndedError
from ci_magics.activation.exports.pipeline import chosen_segments, send_export
from ci_magics.activation.exports.saving import connection_of, document_of
from ci_magics.activation.notifications.state_changes import notify_of_run
from ci_magics.activation.progress import Progress, Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import load_run, resume_run
from ci_magics.advice import CONNECTION, Do, advise
from ci_magics.clock import Clock
from ci_magics.errors import (
    AccessError,
    CiError,
    ConnectionSetupError,
    ConsentError,
    ExportRefusedError,
    ExportStoppedError,
)
from ci_magics.microsoft.codes import is_transient
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export, ExportRun
from ci_magics.workspace.locks import Holder
from ci_magics.workspace.models import Connection
from ci_magics.workspace.run_repositories import INTERRUPTED
from ci_magics.workspace.statuses import CANCELED, FAILED, QUEUED, RUNNING, SKIPPED
from ci_magics.workspace.store import Workspace

MANUAL, BY_SCHEDULE, BY_SYSTEM = "manual", "schedule", "system"
#: Delays between the retries of a scheduled run after a transient error. After the last retry the run has failed.
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
_NOTHING_WAS_SENT = (AccessError, ConsentError, ConnectionSetupError, ExportRefusedError)
Show = Callable[[str], None]


class ExportRunningError(ExportRefusedError):
    """The export is already running."""


def run_export(workspace: Workspace, name: str, *, progress: Reporter, show: Show, clock: Clock) -> Run:
    """Run a saved export now, even if its schedule is off; see `Exports.run`."""
    export = workspace.exports[name]
    require(workspace, Verb.RUN_EXPORT, require_connection(workspace, export))
    with alone(workspace, export) as seen:
        entry = new_entry(workspace, export, MANUAL, None, clock.now())
        return carry_out(workspace, export, entry, progress=seen(progress), show=show, clock=clock)


def run_one(
    workspace: Workspace,
    export: Export,
    trigger: str,
    due_at: datetime | None = None,
    *,
    progress: Reporter = silent,
    show: Show,
    clock: Clock,
    skip: str = "",
    as_of: Mapping[str, datetime] | None = None,
) -> ExportRun | None:
    """Run one of several exports. An error is recorded and ends only this run.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        Export to run.
    trigger
        ``manual``, ``schedule``, or ``system``.
    due_at
        Scheduled time that the run is for; an export never runs twice for the same time, regardless of who starts it.
        None for a manual run.
    progress
        Called with the progress of the run; silent by default.
    show
        Called with each message for the user, such as a sign-in code.
    clock
        Source of the current time, and for waits; stopping it stops the run.
    skip
        Why the export cannot run, if that is already known. The run is recorded as skipped.
    as_of
        For each segment that the refresh did not update, the time of its last evaluation, by segment name.

    Returns
    -------
    ExportRun or None
        The recorded run; None if the export is running elsewhere.

    Raises
    ------
    ExportStoppedError
        The user stopped the export.
    """
    try:
        with alone(workspace, export) as seen:
            entry = _begun(workspace, export, due_at) or new_entry(workspace, export, trigger, due_at, clock.now())
            if entry.finished_at is None and skip:
                entry = replace(entry, status=SKIPPED, reason=skip, retry_at=None, finished_at=clock.now())
                _close(workspace, entry, show)
                (entry,) = workspace.export_runs.where(id=entry.id)  # an earlier attempt may have changed it
            elif entry.finished_at is None:
                entry = _tried(workspace, export, entry, seen(progress), show, clock, as_of)
            return entry
    except ExportRunningError:
        return None


def _begun(workspace: Workspace, export: Export, due_at: datetime | None) -> ExportRun | None:
    """Return the run that already started for a scheduled time. Call it while holding the lock of the export."""
    if due_at is None:
        return None
    return next(iter(workspace.export_runs.where(export_id=export.id, due_at=due_at)), None)


def _tried(
    workspace: Workspace,
    export: Export,
    entry: ExportRun,
    progress: Reporter,
    show: Show,
    clock: Clock,
    as_of: Mapping[str, datetime] | None,
) -> ExportRun:
    try:
        carry_out(workspace, export, entry, progress=progress, show=show, clock=clock, as_of=as_of)
    except ExportStoppedError:
        raise
    except Exception:  # noqa: BLE001, S110 - `carry_out` recorded it; continue with the other exports
        pass
    return workspace.export_runs.where(id=entry.id)[0]


def require_connection(workspace: Workspace, export: Export) -> Connection:
    """Return the connection of an export.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        The export.

    Raises
    ------
    ExportRefusedError
        The export is detached, or its connection was removed.
    """
    connection = connection_of(workspace, export)
    if connection is None:
        raise ExportRefusedError(
            f"The export '{export.name}' has no connection, so it does not run.",
            advise("Give it one: ", Do("exports.edit", export.name, to=CONNECTION), "."),
            code="no_connection",
        )
    return connection


@contextmanager
def alone(workspace: Workspace, export: Export) -> Iterator[Callable[[Reporter], Reporter]]:
    """Hold the lock of an export while the block runs.

    Yields a function that wraps a reporter so that each report also renews the lock.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        Export to lock.

    Raises
    ------
    ExportRunningError
        The export is already running.
    """

    def busy(holder: Holder) -> ExportRunningError:
        return ExportRunningError(
            f"The export '{export.name}' is running already, started by {holder.holder} on {holder.host}.",
            "Wait until it is done.",
            code="export_running",
        )

    def seen(report: Reporter) -> Reporter:
        def tell(progress: Progress) -> None:
            held.send_heartbeat()
            report(progress)

        return tell

    with workspace.locks.holding() as held:
        held.require(f"export:{export.id}", busy)
        _close_interrupted(workspace, export)
        yield seen


def _close_interrupted(workspace: Workspace, export: Export) -> None:
    """Mark runs of an export that a crash interrupted as failed. The caller holds the lock, so no such run is alive."""
    workspace.export_runs.change(
        lambda entry: replace(entry, status=FAILED, reason=INTERRUPTED), export_id=export.id, status=RUNNING
    )


def new_entry(workspace: Workspace, export: Export, trigger: str, due_at: datetime | None, now: datetime) -> ExportRun:
    """Return the history entry of a new run, not stored yet.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        Export that runs.
    trigger
        ``manual``, ``schedule``, or ``system``.
    due_at
        Scheduled time that the run is for; None for a manual run.
    now
        Current time, in UTC.
    """
    return ExportRun(
        id=str(uuid.uuid4()),
        export_id=export.id,
        export_name=export.name,
        connection_name=export.connection_name,
        trigger=trigger,
        due_at=due_at,
        status=RUNNING,
        reason="",
        attempts=0,
        retry_at=None,
        accepted=0,
        rejected=0,
        members=0,
        started_by=workspace.user,
        started_at=now,
    )


def carry_out(
    workspace: Workspace,
    export: Export,
    entry: ExportRun,
    *,
    progress: Reporter,
    show: Show,
    clock: Clock,
    as_of: Mapping[str, datetime] | None = None,
) -> Run:
    """Run an export and record the result, including errors.

    If the run of the entry was already started, resume it.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        Export to run.
    entry
        History entry of the run.
    progress
        Called with the progress of the run.
    show
        Called with each message for the user, such as a sign-in code.
    clock
        Source of the current time, and for waits; stopping it stops the run.
    as_of
        For each segment that the refresh did not update, the time of its last evaluation, by segment name.
    """
    entry = replace(entry, status=RUNNING, attempts=entry.attempts + 1, retry_at=None)
    workspace.export_runs.put(entry)
    try:
        run = _begun_or_new(workspace, export, entry, progress, show, clock, as_of)
    except BaseException as error:
        _close_badly(workspace, _ended_badly(entry, error, clock.now()), error, show)
        raise
    _close(workspace, _ended(workspace, entry, run, clock.now()), show)
    return run


def _close_badly(workspace: Workspace, entry: ExportRun, why: BaseException, show: Show) -> None:
    """Record a failed run. If the user's access has ended, the database may hide the entry; skip it then."""
    try:
        _close(workspace, entry, show)
    except AccessError:
        if not isinstance(why, RightEndedError):
            raise


def _close(workspace: Workspace, entry: ExportRun, show: Show) -> None:
    """Record the result of a run, and send a notification if the state of the export changed."""
    workspace.export_runs.put(entry)
    (as_it_stands,) = workspace.export_runs.where(id=entry.id)
    notify_of_run(workspace, with_members(workspace, as_it_stands), show)


def with_members(workspace: Workspace, entry: ExportRun) -> ExportRun:
    """Return a history entry with the current member count of its audiences, if its run is unfinished.

    Parameters
    ----------
    workspace
        Workspace to use.
    entry
        History entry of a run.
    """
    record = next(iter(workspace.runs.where(id=entry.id)), None)
    if record is None or record.finished_at is not None:
        return entry
    return replace(entry, members=sum(each.members for each in load_run(workspace, record).results))


def _begun_or_new(
    workspace: Workspace,
    export: Export,
    entry: ExportRun,
    progress: Reporter,
    show: Show,
    clock: Clock,
    as_of: Mapping[str, datetime] | None,
) -> Run:
    begun = workspace.runs.where(id=entry.id)
    owner = "" if entry.trigger == MANUAL else export.saved_by
    if begun:
        if begun[0].finished_at:
            return load_run(workspace, begun[0])
        return resume_run(workspace, entry.id, progress=silent, show=show, owner=owner, clock=clock)
    connection = require_connection(workspace, export)
    document = document_of(export)
    stored = chosen_segments(workspace, document.segments, document.email, document.order)
    return send_export(
        workspace,
        connection,
        stored,
        document.order,
        progress=progress,
        show=show,
        run_id=entry.id,
        as_of=as_of,
        owner=owner,
        clock=clock,
    )


def _ended(workspace: Workspace, entry: ExportRun, run: Run, now: datetime) -> ExportRun:
    (record,) = workspace.runs.where(id=run.id)
    return replace(
        entry,
        status=run.status,
        reason=" ".join(each["message"] for each in record.results if each["message"]),
        accepted=run.accepted,
        rejected=run.rejected,
        members=sum(each.members for each in run.results),
        finished_at=now,
    )


def _ended_badly(entry: ExportRun, error: BaseException, now: datetime) -> ExportRun:
    """Return the entry of a run that raised an error; schedules a retry if the error is transient."""
    tries = entry.attempts - 1
    if entry.due_at is None or not is_transient(error) or tries >= len(RETRY_AFTER):
        return replace(entry, status=status_after(error), reason=_reason(error), finished_at=now)
    again = now + RETRY_AFTER[tries]
    reason = f"It is tried again at {again:%H:%M} UTC. {_reason(error)}"
    return replace(entry, status=QUEUED, reason=reason, retry_at=again)


def status_after(error: BaseException) -> str:
    """Return the status of a run that raised this error."""
    if isinstance(error, ExportStoppedError | KeyboardInterrupt):
        return CANCELED
    return SKIPPED if isinstance(error, _NOTHING_WAS_SENT) else FAILED


def _reason(error: BaseException) -> str:
    """Return the reason to record. Messages of other libraries are left out because they can quote customer data."""
    return error.stored() if isinstance(error, CiError) else f"It failed unexpectedly ({type(error).__name__})."
