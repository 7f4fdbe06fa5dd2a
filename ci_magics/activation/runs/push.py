"""Push one audience to its end: whatever its journal says is not done yet, is done.

There is one way to push. A run that begins and a run that is resumed take it alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_magics.activation.connections.permission import RightEndedError
from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Reporter
from ci_magics.activation.run import AudienceResult
from ci_magics.activation.runs.audience_creation import ensure_audience
from ci_magics.activation.runs.completion import ensure_record, finish_push, result_of
from ci_magics.activation.runs.fatal_errors import is_final
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.member_counts import known_members
from ci_magics.activation.runs.outcome import read_outcome, refusal_in
from ci_magics.activation.runs.send_calls import send_calls
from ci_magics.activation.runs.send_files import send_files
from ci_magics.errors import AccessError, CiError, ConsentError, WorkspaceError
from ci_magics.workspace.locks import LockLostError
from ci_magics.workspace.missing_files import SPOOL_LOST
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.run_repositories import counts_so_far
from ci_magics.workspace.statuses import FAILED
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class RunContext:
    """What a run is carried out with.

    Parameters
    ----------
    workspace
        Where everything is written down.
    services
        Signed in as the person who runs it.
    report
        Called while it runs.
    owner
        Who saved the export that a scheduler runs for them; empty where somebody runs it by their own right.
    """

    workspace: Workspace
    services: Services
    report: Reporter
    owner: str = ""


@dataclass(frozen=True)
class Pushed:
    """How a push stands.

    Parameters
    ----------
    push
        The push, marked as finished when nothing is left to do.
    result
        What came of it so far.
    error
        What stopped it, if anything.
    """

    push: PushRecord
    result: AudienceResult
    error: CiError | None


def push_audience(desk: RunContext, push: PushRecord) -> Pushed:
    """Do what is left of one audience; an error that may pass leaves it unfinished.

    Raises
    ------
    RightEndedError
        The database does not let the current user write down what came of it; why it stopped is written down.
    """
    journal = Journal(desk.workspace, push, desk.owner)
    # A process that ended right after a refusal leaves it in the journal: nothing more is sent, as if it had gone on.
    error: CiError | None = refusal_in(journal)
    if error is None:
        try:
            _send(desk, journal)
        except (LockLostError, AccessError) as caught:
            error = _right_ended(journal)
            if error is None and isinstance(caught, LockLostError):
                raise  # another process writes down how it goes on
            error = error or caught
        except CiError as caught:
            error = caught
    if isinstance(error, RightEndedError) and journal.stop(str(error)):
        raise error
    try:
        return _settle(desk, journal, error)
    except WorkspaceError as lost:
        if lost.code != SPOOL_LOST:
            raise
        return _give_up(desk.workspace, push, lost)


def state_of(workspace: Workspace, push: PushRecord, status: str, message: str) -> AudienceResult:
    """Return how far an audience is that something interrupted."""
    try:
        result = result_of(push, read_outcome(Journal(workspace, push)), members_so_far(workspace, push), None)
    except WorkspaceError:
        result = _by_the_journal(workspace, push)
    return replace(result, status=status, message=message)


def members_so_far(workspace: Workspace, push: PushRecord) -> int:
    """Return how many members the audience of a push has at least, before the push has ended."""
    record = _record(workspace, push)
    return known_members(workspace, record).at_least if record else 0


def _right_ended(journal: Journal) -> RightEndedError | None:
    """Return why the database refuses the current user what it allowed before; None where another thing stopped it."""
    try:
        journal.require_permission()
    except RightEndedError as ended:
        return ended
    except ConsentError:
        return None
    return None


def _send(desk: RunContext, journal: Journal) -> None:
    journal.require_permission()
    ensure_audience(journal, desk.services, desk.report)
    ensure_record(desk.workspace, journal, desk.services.conversation.clock.now())
    send = send_calls if journal.push.transport == "apply" else send_files
    send(journal, desk.services, desk.report)


def _settle(desk: RunContext, journal: Journal, error: CiError | None) -> Pushed:
    """Finish the push, unless what stopped it may pass."""
    workspace, push = desk.workspace, journal.push
    if isinstance(error, WorkspaceError) and error.code == SPOOL_LOST:
        return _give_up(workspace, push, error)
    if error is not None and not is_final(error):
        result = result_of(push, read_outcome(journal), members_so_far(workspace, push), error)
        return Pushed(push, replace(result, status=FAILED), error)
    now = desk.services.conversation.clock.now()
    result = finish_push(workspace, journal, _record(workspace, push), error, now)
    return Pushed(replace(push, finished=True), result, error)


def _give_up(workspace: Workspace, push: PushRecord, error: CiError) -> Pushed:
    """Close a push whose spool is gone: what the audience holds is not known any more."""
    record = _record(workspace, push)
    if record is not None:
        workspace.audiences.change(lambda now: replace(now, owned=False), id=record.id)
    result = replace(_by_the_journal(workspace, push), status=FAILED, message=str(error))
    return Pushed(replace(push, finished=True), result, error)


def _by_the_journal(workspace: Workspace, push: PushRecord) -> AudienceResult:
    """Return how far an audience is by the journal alone, where the files of a push cannot be read."""
    counts = counts_so_far(push, workspace.steps.where(push_id=push.id))
    result = AudienceResult(push.segment_name, push.audience_name, push.audience_id, FAILED)
    return replace(result, **counts)  # type: ignore[arg-type]  # counts are whole numbers


def _record(workspace: Workspace, push: PushRecord) -> AudienceRecord | None:
    if not push.audience_id:
        return None
    return next(iter(workspace.audiences.where(environment=push.environment, audience_id=push.audience_id)), None)
