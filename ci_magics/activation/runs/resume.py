"""Find runs, resume them, or give up what they have left to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.connections.permission import RightEndedError
from ci_magics.activation.connections.services import open_services
from ci_magics.activation.plans.guards import Guard
from ci_magics.activation.plans.plan_document import PlanDocument
from ci_magics.activation.plans.target import audience_key
from ci_magics.activation.progress import Reporter
from ci_magics.activation.run import AudienceResult, Run, rejected_table
from ci_magics.activation.runs.completion import rejected_so_far
from ci_magics.activation.runs.push import RunContext, members_so_far, push_audience, state_of
from ci_magics.activation.runs.spool import Spool, read_rejected
from ci_magics.advice import Do, advise, joined
from ci_magics.clock import Clock, WaitStoppedError
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.display.output import announce
from ci_magics.errors import CiError, ExportRefusedError, ExportStoppedError, not_found
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.locks import HeldLocks, Holder, LockLostError
from ci_magics.workspace.models import Connection, PushRecord, RunRecord
from ci_magics.workspace.statuses import CANCELED, FAILED, overall
from ci_magics.workspace.store import Workspace

CONCURRENT = "concurrent_run"


def resume_run(
    workspace: Workspace,
    run: str,
    *,
    progress: Reporter,
    show: Callable[[str], None],
    clock: Clock | None = None,
    owner: str = "",
) -> Run:
    """Finish an interrupted run; see `Runs.resume`.

    Parameters
    ----------
    workspace, run, progress, show
        As in `Runs.resume`.
    clock
        Source of the current time, and for waits; stopping it stops the run. None means the system clock.
    owner
        The user who saved a scheduled export; empty if the current user resumes the run.
    """
    record = find_run(workspace, run)
    if record.finished_at is not None:
        return load_run(workspace, record)
    connection = _connection_of(workspace, record)
    require(workspace, Verb.RESUME_RUN, connection)
    require_consents(connection)
    pushes = workspace.pushes.where(run_id=record.id)
    _require_same_environment(connection, pushes)
    with workspace.locks.holding(record.id) as held:
        for push in pushes:
            _take_lock_again(held, push)
        record = find_run(workspace, record.id)
        if record.finished_at is not None:  # race: another process finished it before we had the locks
            return load_run(workspace, record)
        services = open_services(
            workspace,
            connection,
            show=show,
            clock=clock,
            account_id=pushes[0].account_id,
            customer_id=pushes[0].customer_id,
        )
        workspace.audit.note(Verb.RESUME_RUN, record.name, connection=connection.name, run=record.id)
        return carry_on(RunContext(workspace, services, progress, owner), record)


def _require_same_environment(connection: Connection, pushes: Sequence[PushRecord]) -> None:
    """Refuse to finish a run in another environment than it began in."""
    if any(each.environment != connection.environment for each in pushes):
        raise ExportRefusedError(
            f"The connection '{connection.name}' now has another environment than when the run began.",
            "The run cannot be finished; export again.",
            code="other_environment",
        )


def unfinished_runs(workspace: Workspace, document: PlanDocument) -> list[RunRecord]:
    """Return the unfinished runs that have begun to send to one of a plan's audiences.

    Parameters
    ----------
    workspace
        The workspace that stores the runs.
    document
        The plan.
    """
    ids = {each.audience_id for each in document.audiences} - {None}
    keys = {audience_key(each.audience) for each in document.audiences}
    mine = {
        each.run_id
        for each in workspace.pushes.where(environment=document.environment, finished=False)
        if each.audience_id in ids or (each.account_id == document.account_id and each.audience_key in keys)
    }
    return [each for each in workspace.runs if each.id in mine]


def find_run(workspace: Workspace, run: str) -> RunRecord:
    """Return a run by its id or the beginning of it.

    Parameters
    ----------
    workspace
        The workspace that stores the runs.
    run
        The id, or its beginning; case doesn't matter.

    Raises
    ------
    NotFoundError
        No run matches, or several do.
    """
    found = [each for each in workspace.runs if each.id.startswith(run.strip().lower())] if run.strip() else []
    if len(found) != 1:
        raise not_found("run", run, workspace.runs.names(), advise(Do("runs"), " lists the runs."))
    return found[0]


def load_run(workspace: Workspace, record: RunRecord) -> Run:
    """Return a run from its record: the results of finished audiences, and the progress of the others.

    Parameters
    ----------
    workspace
        The workspace that stores the run.
    record
        The record of the run.
    """
    results = [AudienceResult.from_document(each) for each in record.results]
    if record.finished_at is None:
        for push in workspace.pushes.where(run_id=record.id, finished=False):
            members = members_so_far(workspace, push)
            results[push.number] = replace(results[push.number], members=members)
    return Run(
        record.id,
        record.destination,
        tuple(results),
        record.started_at,
        record.finished_at,
        _known_rejected(workspace, record),
        lambda run_id, progress: resume_run(workspace, run_id, progress=progress, show=announce),
    )


def _known_rejected(workspace: Workspace, record: RunRecord) -> Callable[[], pa.Table]:
    """Return a function that returns the rejected profiles: read once for a finished run, else at each call."""
    if record.finished_at is None:
        return lambda: _rejected(workspace, record)
    found = _rejected(workspace, record)
    return lambda: found


def _rejected(workspace: Workspace, record: RunRecord) -> pa.Table:
    """Return the rejected profiles of a run; if it is unfinished, those known so far."""
    unfinished = workspace.pushes.where(run_id=record.id, finished=False)
    tables = [rejected_so_far(workspace, push) for push in unfinished]
    tables += read_rejected(workspace, record.id, len(record.results))
    return pa.concat_tables(tables, promote_options="default") if tables else rejected_table([])


def carry_on(context: RunContext, record: RunRecord) -> Run:
    """Carry out the rest of a run, audience by audience, and return the run.

    Parameters
    ----------
    context
        The dependencies of the run.
    record
        The record of the run.

    Raises
    ------
    ExportStoppedError
        The user stopped it; the run can be resumed.
    CiError
        No audience was completed; this is the error of the first.
    """
    workspace = context.workspace
    now = context.services.conversation.clock.now
    workspace.runs.put(record)  # it runs again: the reason of an earlier stop no longer applies
    errors: list[CiError] = []
    pushes = workspace.pushes.where(run_id=record.id)
    for push in pushes:
        if push.finished:
            continue
        if push.environment == "emulator" and push.directory not in ("", context.services.directory):
            # Its audiences ended with it; a new emulator knows none of the ids.
            record = _given_up(workspace, record, push, "The emulator that it was sent to has ended.", now())
            continue
        try:
            pushed = push_audience(context, push)
        except (KeyboardInterrupt, WaitStoppedError):
            raise _stopped_by_user(workspace, record, now()) from None
        except LockLostError:
            raise
        except RightEndedError as error:
            raise _with_next_step(error, record) from None
        except Exception as error:
            why = error.stored() if isinstance(error, CiError) else f"It failed unexpectedly ({type(error).__name__})."
            (kept,) = workspace.pushes.where(id=push.id)  # may now have the id of a new audience
            _note(workspace, record, kept, state_of(workspace, kept, FAILED, why), now())
            raise
        record = _note(workspace, record, pushed.push, pushed.result, now())
        errors += [pushed.error] if pushed.error else []
    if record.finished_at is None and all(each.finished for each in pushes):
        record = replace(record, status=overall([each["status"] for each in record.results]), finished_at=now())
        workspace.runs.put(record)
    if errors and len(errors) == len(pushes):
        raise _with_next_step(errors[0], record)
    return load_run(workspace, record)


def _note(
    workspace: Workspace, record: RunRecord, push: PushRecord, result: AudienceResult, now: datetime
) -> RunRecord:
    """Record the result of an audience and, with the last one, that the run is finished: in one transaction."""
    results = [*record.results]
    earlier = AudienceResult.from_document(results[push.number])
    results[push.number] = replace(result, as_of=earlier.as_of, consent=earlier.consent).document()
    left = [each for each in workspace.pushes.where(run_id=record.id, finished=False) if each.id != push.id]
    is_done = push.finished and not left
    status = overall([each["status"] for each in results])
    record = replace(record, results=results, status=status, finished_at=now if is_done else None)
    workspace.record(record, push)
    if push.finished:
        Spool(workspace, push).clear()
    return record


def give_up(workspace: Workspace, environment: str, audience_id: str, why: str, now: datetime) -> list[str]:
    """Cancel the rest of the unfinished pushes to an audience that they can no longer bring up to date.

    Parameters
    ----------
    workspace
        The workspace that stores the pushes.
    environment, audience_id
        The audience.
    why
        The reason, shown in the results.
    now
        The current time.

    Returns
    -------
    list of str
        Names of the runs.
    """
    pushes = workspace.pushes.where(environment=environment, audience_id=audience_id, finished=False)
    return give_up_pushes(workspace, pushes, why, now)


def give_up_pushes(workspace: Workspace, pushes: Sequence[PushRecord], why: str, now: datetime) -> list[str]:
    """Cancel the rest of unfinished pushes.

    Parameters
    ----------
    workspace
        The workspace that stores the pushes.
    pushes
        The unfinished pushes.
    why
        The reason, shown in the results.
    now
        The current time.

    Returns
    -------
    list of str
        Names of the runs.
    """
    given_up = []
    for push in pushes:
        (record,) = workspace.runs.where(id=push.run_id)
        record = _given_up(workspace, record, push, why, now)
        given_up.append(record.name)
    return given_up


def _given_up(workspace: Workspace, record: RunRecord, push: PushRecord, why: str, now: datetime) -> RunRecord:
    return _note(workspace, record, replace(push, finished=True), state_of(workspace, push, CANCELED, why), now)


def _stopped_by_user(workspace: Workspace, record: RunRecord, now: datetime) -> ExportStoppedError:
    """Record the progress of a run that the user stopped, and return the error that says how to resume it."""
    for push in workspace.pushes.where(run_id=record.id, finished=False):
        record = _note(workspace, record, push, state_of(workspace, push, CANCELED, "Stopped."), now)
    return ExportStoppedError(
        f"The export was stopped: {_progress(record)}.",
        advise("Finish it: ", Do("runs.resume", record.name), "."),
        code="stopped",
    )


def _with_next_step(error: CiError, record: RunRecord) -> CiError:
    """Add to an error how to resume the run that it interrupted."""
    next_step = Do("runs.resume", record.name)
    if isinstance(error, RightEndedError):
        error.advice = joined(
            [error.advice, advise("Somebody with the right role can finish the run: ", next_step, ".")]
        )
    elif record.finished_at is None:
        error.advice = joined([error.advice, advise(f"So far {_progress(record)}; finish it: ", next_step, ".")])
    return error


def _progress(record: RunRecord) -> str:
    results = [AudienceResult.from_document(each) for each in record.results]
    accepted = sum(each.accepted for each in results)
    total = sum(each.accepted + each.rejected + each.unknown + each.unsent for each in results)
    return f"{format_count(accepted)} of {pluralize(total, 'hash')} {inflect(accepted, 'was')} accepted"


def _take_lock_again(held: HeldLocks, push: PushRecord) -> None:
    for name in lock_names_of_push(push):
        held.require(name, lambda holder: concurrent(push.audience_name, holder).refusal())


def lock_names_of_push(push: PushRecord) -> list[str]:
    """Return the names of the locks that keep other runs from the push's audience."""
    by_name = f"{push.environment}:{push.account_id}:{push.audience_key}"
    return [by_name, f"{push.environment}:{push.audience_id}"] if push.audience_id else [by_name]


def concurrent(audience: str, holder: Holder) -> Guard:
    """Return the guard for an audience that another run or a change of the list has locked.

    Parameters
    ----------
    audience
        The name of the audience.
    holder
        The process that holds the lock.
    """
    since = f"{holder.taken_at:%Y-%m-%d %H:%M} UTC"
    return Guard(
        CONCURRENT,
        f"The audience '{audience}' is in use by another run or change ({holder.run_id[:8]} of {holder.holder} on "
        f"{holder.host}, since {since}).",
        "Wait until it is done; a run whose process has ended is recognized and does not block.",
    )


def _connection_of(workspace: Workspace, record: RunRecord) -> Connection:
    found = workspace.all_connections.where(id=record.connection_id)
    if not found:
        raise ExportRefusedError(
            f"The connection '{record.connection_name}' of the run no longer exists.",
            "The run cannot be finished; make a connection and export again.",
            code="no_connection",
        )
    return found[0]
