"""Push one audience to its end: whatever its journal says is not done yet, is done.

There is one way to push. A run that begins and a run that is resumed take it alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Reporter
from ci_magics.activation.pushing.calling import send_calls
from ci_magics.activation.pushing.creating import ensure_audience
from ci_magics.activation.pushing.finishing import ensure_record, finish_push, result_of
from ci_magics.activation.pushing.journal import Journal
from ci_magics.activation.pushing.outcome import read_outcome
from ci_magics.activation.pushing.refusals import is_final
from ci_magics.activation.pushing.uploading import send_files
from ci_magics.activation.run import FAILED, AudienceResult
from ci_magics.errors import CiError, WorkspaceError
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Desk:
    """What a run is carried out with.

    Parameters
    ----------
    workspace
        Where everything is written down.
    services
        Signed in as the person who runs it.
    report
        Called while it runs.
    """

    workspace: Workspace
    services: Services
    report: Reporter


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


def push_audience(desk: Desk, push: PushRecord) -> Pushed:
    """Do what is left of one audience; an error that may pass leaves it unfinished."""
    journal = Journal(desk.workspace, push)
    error: CiError | None = None
    try:
        _send(desk, journal)
    except CiError as caught:
        error = caught
    return _settle(desk, journal, error)


def state_of(workspace: Workspace, push: PushRecord, status: str, message: str) -> AudienceResult:
    """Return how far an audience is that something interrupted."""
    result = result_of(push, read_outcome(Journal(workspace, push)), _members(workspace, push), None)
    return replace(result, status=status, message=message)


def _send(desk: Desk, journal: Journal) -> None:
    ensure_audience(journal, desk.services, desk.report)
    ensure_record(desk.workspace, journal, desk.services.conversation.clock.now())
    send = send_calls if journal.push.transport == "apply" else send_files
    send(journal, desk.services, desk.report)


def _settle(desk: Desk, journal: Journal, error: CiError | None) -> Pushed:
    """Finish the push, unless what stopped it may pass."""
    workspace, push = desk.workspace, journal.push
    if isinstance(error, WorkspaceError) and error.code == "file_missing":
        return Pushed(replace(push, finished=True), _give_up(workspace, push, error), error)
    if error is not None and not is_final(error):
        return Pushed(push, result_of(push, read_outcome(journal), _members(workspace, push), error), error)
    now = desk.services.conversation.clock.now()
    result = finish_push(workspace, journal, _record(workspace, push), error, now)
    return Pushed(replace(push, finished=True), result, error)


def _give_up(workspace: Workspace, push: PushRecord, error: CiError) -> AudienceResult:
    """Close a push whose spool is gone: what the audience holds is not known any more."""
    record = _record(workspace, push)
    if record is not None:
        workspace.audiences.change(lambda now: replace(now, owned=False), id=record.id)
    return AudienceResult(push.segment_name, push.audience_name, push.audience_id, FAILED, message=str(error))


def _record(workspace: Workspace, push: PushRecord) -> AudienceRecord | None:
    if not push.audience_id:
        return None
    return next(iter(workspace.audiences.where(environment=push.environment, audience_id=push.audience_id)), None)


def _members(workspace: Workspace, push: PushRecord) -> int:
    record = _record(workspace, push)
    return record.members if record else 0
