"""Push one audience: carry out whatever its journal shows as open.

New and resumed runs use the same code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_magics.activation.connections.permission import RightEndedError
from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.run import AudienceResult
from ci_magics.activation.runs.completion import ensure_record, finish_push, result_of
from ci_magics.activation.runs.journal import CREATE, Journal
from ci_magics.activation.runs.outcome import known_members, read_outcome, refusal_in
from ci_magics.activation.runs.send import send_calls, send_files
from ci_magics.errors import AccessError, CiError, ConsentError, OutcomeUnknownError, WorkspaceError
from ci_magics.microsoft.advertising import Scope
from ci_magics.microsoft.codes import is_final
from ci_magics.workspace.locks import LockLostError
from ci_magics.workspace.missing_files import SPOOL_LOST
from ci_magics.workspace.models import AudienceRecord, PushRecord, StepRecord
from ci_magics.workspace.run_repositories import counts_so_far
from ci_magics.workspace.statuses import FAILED, SENT
from ci_magics.workspace.store import Workspace

_DUPLICATE_NAME = 4853


@dataclass(frozen=True)
class RunContext:
    """The dependencies of a run.

    Parameters
    ----------
    workspace
        The workspace that stores the run.
    services
        The clients, signed in as the current user.
    report
        Called with the progress.
    owner
        The user who saved a scheduled export; empty if the current user started the run.
    """

    workspace: Workspace
    services: Services
    report: Reporter
    owner: str = ""


@dataclass(frozen=True)
class Pushed:
    """The state of a push.

    Parameters
    ----------
    push
        The push; marked as finished if nothing is left to do.
    result
        The result so far.
    error
        The error that stopped it, if any.
    """

    push: PushRecord
    result: AudienceResult
    error: CiError | None


def push_audience(context: RunContext, push: PushRecord) -> Pushed:
    """Carry out the rest of a push; a transient error leaves it unfinished.

    Parameters
    ----------
    context
        The dependencies of the run.
    push
        The push.

    Raises
    ------
    RightEndedError
        The database no longer lets the current user record the result; the reason for the stop is recorded.
    """
    journal = Journal(context.workspace, push, context.owner)
    # If the process ended right after a rejection, the journal has it: send nothing more, as that process would have.
    error: CiError | None = refusal_in(journal)
    if error is None:
        try:
            _send(context, journal)
        except (LockLostError, AccessError) as caught:
            error = _right_ended(journal)
            if error is None and isinstance(caught, LockLostError):
                raise  # another process has taken over and records the rest
            error = error or caught
        except CiError as caught:
            error = caught
    # If the database denies the user all further writes, it records the stop itself and there is nothing to finish
    # here.
    if isinstance(error, RightEndedError) and journal.stop(error.stored()):
        raise error
    try:
        return _settle(context, journal, error)
    except WorkspaceError as lost:
        if lost.code != SPOOL_LOST:
            raise
        return _give_up(context.workspace, push, lost)


def state_of(workspace: Workspace, push: PushRecord, status: str, message: str) -> AudienceResult:
    """Return the result so far of an interrupted push.

    Parameters
    ----------
    workspace
        The workspace that stores the push.
    push
        The push.
    status
        The status to show.
    message
        Why it was interrupted.
    """
    try:
        result = result_of(push, read_outcome(Journal(workspace, push)), members_so_far(workspace, push), None)
    except WorkspaceError:
        result = _result_from_journal(workspace, push)
    return replace(result, status=status, message=message)


def members_so_far(workspace: Workspace, push: PushRecord) -> int:
    """Return how many members the audience of an unfinished push has at least.

    Parameters
    ----------
    workspace
        The workspace that stores the push.
    push
        The push.
    """
    record = _record(workspace, push)
    return known_members(workspace, record).at_least if record else 0


def _right_ended(journal: Journal) -> RightEndedError | None:
    """Return why the database now denies access to the current user; None if something else stopped the push."""
    try:
        journal.require_permission()
    except RightEndedError as ended:
        return ended
    except ConsentError:
        return None
    return None


def _send(context: RunContext, journal: Journal) -> None:
    journal.require_permission()
    ensure_audience(journal, context.services, context.report)
    ensure_record(context.workspace, journal, context.services.conversation.clock.now())
    send = send_calls if journal.push.transport == "apply" else send_files
    send(journal, context.services, context.report)


def _settle(context: RunContext, journal: Journal, error: CiError | None) -> Pushed:
    """Finish the push, unless a transient error stopped it."""
    workspace, push = context.workspace, journal.push
    if isinstance(error, WorkspaceError) and error.code == SPOOL_LOST:
        return _give_up(workspace, push, error)
    if error is not None and not is_final(error):
        result = result_of(push, read_outcome(journal), members_so_far(workspace, push), error)
        return Pushed(push, replace(result, status=FAILED), error)
    now = context.services.conversation.clock.now()
    result = finish_push(workspace, journal, _record(workspace, push), error, now)
    return Pushed(replace(push, finished=True), result, error)


def _give_up(workspace: Workspace, push: PushRecord, error: CiError) -> Pushed:
    """Close a push whose spool is gone; the members of the audience are unknown from now on."""
    record = _record(workspace, push)
    if record is not None:
        workspace.audiences.change(lambda now: replace(now, owned=False), id=record.id)
    result = replace(_result_from_journal(workspace, push), status=FAILED, message=error.stored())
    return Pushed(replace(push, finished=True), result, error)


def _result_from_journal(workspace: Workspace, push: PushRecord) -> AudienceResult:
    """Return the result from the journal alone, for a push whose files cannot be read."""
    counts = counts_so_far(push, workspace.steps.where(push_id=push.id))
    result = AudienceResult(push.segment_name, push.audience_name, push.audience_id, FAILED)
    return replace(result, **counts)  # type: ignore[arg-type]  # counts are whole numbers


def _record(workspace: Workspace, push: PushRecord) -> AudienceRecord | None:
    if not push.audience_id:
        return None
    return next(iter(workspace.audiences.where(environment=push.environment, audience_id=push.audience_id)), None)


def ensure_audience(journal: Journal, services: Services, report: Reporter) -> None:
    """Create the audience unless it exists; if an earlier response was lost, look for the audience first.

    Parameters
    ----------
    journal
        The journal of the push. Its open `CREATE` step is carried out.
    services
        The clients, signed in.
    report
        Called with the progress.

    Raises
    ------
    CiError
        Microsoft refused to create it, or it is unknown whether it was created.
    """
    for step in journal.open_steps(CREATE):
        report(Progress(f"Creating the audience {journal.push.audience_name}"))
        if step.state == SENT and _adopt(journal, services, step):
            continue
        _create(journal, services, journal.sending(step))


def _create(journal: Journal, services: Services, step: StepRecord) -> None:
    push = journal.push
    try:
        audience_id, tracking_id = services.advertising.add_audience(
            push.audience_name,
            description=_description(push),
            scope=_scope(push),
            parent_id=push.account_id if push.scope == "Account" else push.customer_id,
            membership_days=push.membership_days,
        )
    except CiError as error:
        # Creating an audience is not idempotent. After a lost response, or when the name is already taken, the list may
        # be ours: the marker in its description proves it.
        lost = isinstance(error, OutcomeUnknownError) or error.code == _DUPLICATE_NAME
        if lost and _adopt(journal, services, step):
            return
        if is_final(error):
            journal.refused(step, error)
        raise
    journal.created(step, audience_id, tracking_id)


def _adopt(journal: Journal, services: Services, step: StepRecord) -> bool:
    """Use the audience that has this push's marker in its description, if it exists."""
    found = [each for each in services.advertising.audiences() if journal.push.marker in each.description]
    if found:
        journal.created(step, found[0].id, None)
    return bool(found)


def _description(push: PushRecord) -> str:
    return f"Filled by ci-magics ({push.marker})"


def _scope(push: PushRecord) -> Scope:
    return "Customer" if push.scope == "Customer" else "Account"
