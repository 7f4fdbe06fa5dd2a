"""Run saved exports, one at a time each, and write down what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from ci_magics.activation.connections.permission import RightEndedError
from ci_magics.activation.exports.document import document_of
from ci_magics.activation.exports.pipeline import chosen_segments, send_export
from ci_magics.activation.exports.saving import connection_of
from ci_magics.activation.notifications.state_changes import tell_of_run
from ci_magics.activation.progress import Progress, Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.fatal_errors import is_final
from ci_magics.activation.runs.resume import load_run, resume_run
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import tell
from ci_magics.errors import (
    AccessError,
    CiError,
    ConnectionSetupError,
    ConsentError,
    ExportRefusedError,
    ExportStoppedError,
    ServiceError,
)
from ci_magics.quoting import magic_word
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export, ExportRun
from ci_magics.workspace.models import Connection
from ci_magics.workspace.run_repositories import INTERRUPTED
from ci_magics.workspace.statuses import CANCELED, FAILED, QUEUED, RUNNING, SKIPPED
from ci_magics.workspace.store import Workspace, open_workspace

MANUAL, BY_SCHEDULE, BY_SYSTEM = "manual", "schedule", "system"
#: How long a scheduled run waits before it is tried again, when what stopped it may pass; then it has failed for good.
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
_NOTHING_WAS_SENT = (AccessError, ConsentError, ConnectionSetupError, ExportRefusedError)
Show = Callable[[str], None]


class ExportRunningError(ExportRefusedError):
    """The export is running somewhere."""


def run_export(
    name: str,
    *,
    progress: Reporter = silent,
    show: Show = tell,
    workspace: Workspace | None = None,
    clock: Clock | None = None,
) -> Run:
    """Run a saved export now, whether its schedule is on or off.

    Raises
    ------
    NotFoundError
        There is no such export.
    ExportRefusedError
        It has no connection, is running already, or a guard stopped it; nothing was sent.
    CiError
        See `ci_magics.export`.
    """
    workspace = workspace or open_workspace()
    clock = clock or SystemClock()
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
    """Run an export as one of several: an error ends only this one, and is written down.

    Parameters
    ----------
    due_at
        The moment of its schedule for which it runs; it never runs twice for one moment, no matter who starts it.
    skip
        Why it cannot run, if that is known already.
    as_of
        Since when segments are as they are that a refresh left alone, by name.

    Returns
    -------
    ExportRun or None
        What came of it; None when it is running elsewhere.

    Raises
    ------
    ExportStoppedError
        The person stopped it.
    """
    try:
        with alone(workspace, export) as seen:
            entry = _begun(workspace, export, due_at) or new_entry(workspace, export, trigger, due_at, clock.now())
            if entry.finished_at is None and skip:
                entry = replace(entry, status=SKIPPED, reason=skip, retry_at=None, finished_at=clock.now())
                _close(workspace, entry, show)
                (entry,) = workspace.export_runs.where(id=entry.id)  # a run that was begun earlier has a say
            elif entry.finished_at is None:
                entry = _tried(workspace, export, entry, seen(progress), show, clock, as_of)
            return entry
    except ExportRunningError:
        return None


def _begun(workspace: Workspace, export: Export, due_at: datetime | None) -> ExportRun | None:
    """Return the line in the history of what is due, if somebody began it; looked up while nobody else can."""
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
    except Exception:  # noqa: BLE001, S110 - `carry_out` has written it down; the other exports go on
        pass
    return workspace.export_runs.where(id=entry.id)[0]


def require_connection(workspace: Workspace, export: Export) -> Connection:
    """Return where an export goes.

    Raises
    ------
    ExportRefusedError
        It has no connection, or that was removed.
    """
    connection = connection_of(workspace, export)
    if connection is None:
        raise ExportRefusedError(
            f"The export '{export.name}' has no connection, so it does not run.",
            f"Give it one: %ci_exports edit {magic_word(export.name)} --to CONNECTION.",
            code="no_connection",
        )
    return connection


@contextmanager
def alone(workspace: Workspace, export: Export) -> Iterator[Callable[[Reporter], Reporter]]:
    """Keep others from running an export; gives a reporter that tells them that this one still lives.

    Raises
    ------
    ExportRunningError
        It is running somewhere.
    """
    mine = str(uuid.uuid4())
    holder = workspace.locks.take(f"export:{export.id}", mine)
    if holder is not None:
        raise ExportRunningError(
            f"The export '{export.name}' is running already, started by {holder.holder} on {holder.host}.",
            "Wait until it is done.",
            code="export_running",
        )

    def seen(report: Reporter) -> Reporter:
        def tell(progress: Progress) -> None:
            workspace.locks.seen(mine)
            report(progress)

        return tell

    try:
        _close_interrupted(workspace, export)
        yield seen
    finally:
        workspace.locks.release(mine)


def _close_interrupted(workspace: Workspace, export: Export) -> None:
    """Write down which runs of an export do not run any more: nobody else runs it, so their processes have ended."""
    workspace.export_runs.change(
        lambda entry: replace(entry, status=FAILED, reason=INTERRUPTED), export_id=export.id, status=RUNNING
    )


def new_entry(workspace: Workspace, export: Export, trigger: str, due_at: datetime | None, now: datetime) -> ExportRun:
    """Return the line of the history that a run begins with; not written down yet."""
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
    """Run an export and write down how it ended, whatever happened.

    An entry whose run was begun before is finished instead.
    """
    entry = replace(entry, status=RUNNING, attempts=entry.attempts + 1, retry_at=None)
    workspace.export_runs.put(entry)
    try:
        run = _begun_or_new(workspace, export, entry, progress, show, as_of)
    except BaseException as error:
        _close_badly(workspace, _ended_badly(entry, error, clock.now()), error, show)
        raise
    _close(workspace, _ended(entry, run, clock.now()), show)
    return run


def _close_badly(workspace: Workspace, entry: ExportRun, why: BaseException, show: Show) -> None:
    """Write down what an error left; the line of a run that the database hides by now says what the run says."""
    try:
        _close(workspace, entry, show)
    except AccessError:
        if not isinstance(why, RightEndedError):
            raise


def _close(workspace: Workspace, entry: ExportRun, show: Show) -> None:
    """Write down how a run ended, and notify about it if the state of the export changed."""
    workspace.export_runs.put(entry)
    (as_it_stands,) = workspace.export_runs.where(id=entry.id)
    tell_of_run(workspace, with_members(workspace, as_it_stands), show)


def with_members(workspace: Workspace, entry: ExportRun) -> ExportRun:
    """Return a line of the history with what its audiences hold, as far as it is known while its run is unfinished."""
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
    as_of: Mapping[str, datetime] | None,
) -> Run:
    begun = workspace.runs.where(id=entry.id)
    owner = "" if entry.trigger == MANUAL else export.saved_by
    if begun:
        if begun[0].finished_at:
            return load_run(workspace, begun[0])
        return resume_run(workspace, entry.id, show=show, owner=owner)
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
    )


def _ended(entry: ExportRun, run: Run, now: datetime) -> ExportRun:
    return replace(
        entry,
        status=run.status,
        reason=" ".join(each.message for each in run.results if each.message),
        accepted=run.accepted,
        rejected=run.rejected,
        members=sum(each.members for each in run.results),
        finished_at=now,
    )


def _ended_badly(entry: ExportRun, error: BaseException, now: datetime) -> ExportRun:
    """Return what is written down of a run that an error ended; a scheduled one is tried again if that may help."""
    tries = entry.attempts - 1
    if entry.due_at is None or not may_pass(error) or tries >= len(RETRY_AFTER):
        return replace(entry, status=status_after(error), reason=_reason(error), finished_at=now)
    again = now + RETRY_AFTER[tries]
    reason = f"It is tried again at {again:%H:%M} UTC. {_reason(error)}"
    return replace(entry, status=QUEUED, reason=reason, retry_at=again)


def may_pass(error: BaseException) -> bool:
    """Tell whether the same run may succeed later without anybody doing something."""
    return isinstance(error, ServiceError) and not is_final(error)


def status_after(error: BaseException) -> str:
    """Return the status of a run that an error ended."""
    if isinstance(error, ExportStoppedError | KeyboardInterrupt):
        return CANCELED
    return SKIPPED if isinstance(error, _NOTHING_WAS_SENT) else FAILED


def _reason(error: BaseException) -> str:
    """Return why, in our own words: those of another library may quote a value of the data."""
    return str(error) if isinstance(error, CiError) else f"It failed unexpectedly ({type(error).__name__})."
