"""Send the hashes of a push: in calls, or in bulk files."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.runs.journal import APPLY, UPLOAD, Journal
from ci_magics.activation.runs.spool import Reasons
from ci_magics.clock import WaitStoppedError
from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError
from ci_magics.microsoft.advertising import Action, Applied
from ci_magics.microsoft.bulk import UploadStatus, failed_upload, list_error
from ci_magics.microsoft.codes import is_final
from ci_magics.microsoft.faults import service_error
from ci_magics.microsoft.http import Permit
from ci_magics.microsoft.upload_file import write_upload_file
from ci_magics.workspace.models import StepRecord
from ci_magics.workspace.statuses import SENT

_ACTIONS: dict[str, Action] = {"Add": "Add", "Remove": "Remove", "Replace": "Replace"}
_OPERATION = "ApplyCustomerListUserData"

_Calls = dict[Future[Applied], StepRecord]


def calls_at_a_time(environment: str) -> int:
    """Return how many calls are sent at the same time; Microsoft asks for a single thread in its sandbox.

    Parameters
    ----------
    environment
        Where the calls go.
    """
    return 1 if environment == "sandbox" else 4


def send_calls(journal: Journal, services: Services, report: Reporter) -> None:
    """Send each open call of a push: first all that add, then all that remove.

    After an error, no new call starts; the calls in progress are completed and recorded.

    Parameters
    ----------
    journal
        The journal of the push. Its open `APPLY` steps are sent.
    services
        The clients, signed in.
    report
        Called with the progress after each answer.

    Raises
    ------
    CiError
        The first error. Every answer received before it is recorded.
    """
    open_steps = journal.open_steps(APPLY)
    at_a_time = calls_at_a_time(journal.push.environment)
    with ThreadPoolExecutor(at_a_time) as pool:
        for action in ("Add", "Remove"):
            steps = [step for step in open_steps if step.action == action]
            _send_in_parallel(pool, at_a_time, journal, services, steps, report)


def _send_in_parallel(
    pool: ThreadPoolExecutor,
    at_a_time: int,
    journal: Journal,
    services: Services,
    steps: list[StepRecord],
    report: Reporter,
) -> None:
    # Calls run in the pool. This thread records each step before it submits the call, so no request leaves unrecorded.
    waiting = iter(steps)
    running: _Calls = {}
    errors: list[CiError] = []
    try:
        while True:
            while not errors and len(running) < at_a_time and (step := next(waiting, None)) is not None:
                sent = journal.sending(step)
                # `permission` gets the step as it was before `sending`: it restores that if the call isn't sent.
                running[pool.submit(_call, journal, services, sent, journal.permission(step))] = sent
            if not running:
                break
            errors += _collect(journal, running)
            report(journal.progress())
    except BaseException:
        # Cut short the retries' waits, so that the pool ends soon. A call that was waiting raises
        # WaitStoppedError; its step stays open.
        services.conversation.clock.stop()
        while running:  # these calls may have arrived: record their answers
            _collect(journal, running)
        raise
    if errors:
        raise errors[0]


def _call(journal: Journal, services: Services, step: StepRecord, permit: Permit) -> Applied:
    texts = [row.tobytes().hex() for row in journal.spool.read(step.start, step.stop)]
    audience_id = journal.push.audience_id
    return services.advertising.apply(audience_id, _action(step), texts, accept_terms=True, permit=permit)


def _action(step: StepRecord) -> Action:
    return "Remove" if step.action == "Remove" else "Add"


def _collect(journal: Journal, running: _Calls) -> list[CiError]:
    """Wait for at least one call, record the answers, and return the errors."""
    done, _still_running = wait(running, return_when=FIRST_COMPLETED)
    errors: list[CiError] = []
    for future in done:
        step = running.pop(future)
        try:
            applied = future.result()
            journal.answered(step, _reasons(applied, step), applied.tracking_id)
        except WaitStoppedError:
            continue  # stopped during a wait: a resumed run sends it again
        except CiError as error:
            # A transient error leaves the step open, so a resumed run sends it again.
            if is_final(error):
                journal.refused(step, error)
            errors.append(error)
    return errors


def _reasons(applied: Applied, step: StepRecord) -> Reasons:
    """Return the hashes of a call that Microsoft rejected, with the reasons.

    Raises
    ------
    ServiceError
        The error is about the call itself: none of its hashes was accepted.
    OutcomeUnknownError
        An error refers to an index that the call did not have, so the rejected hash is unknown.
    """
    count = step.stop - step.start
    reasons: Reasons = {}
    for fault in applied.faults:
        if fault.index is None:
            raise service_error([fault], status=200, tracking_id=applied.tracking_id, operation=_OPERATION)
        if not 0 <= fault.index < count:
            raise OutcomeUnknownError(
                "Microsoft Advertising reported an error for an item that was not sent, so it is not known "
                "which profiles were accepted.",
                "Sending the same profiles again does no harm.",
                code=fault.code,
                tracking_id=applied.tracking_id,
            )
        # Microsoft counts from the start of the call; the journal counts through the spool.
        reasons[step.start + fault.index] = (fault.code, fault.error_code)
    return reasons


def send_files(journal: Journal, services: Services, report: Reporter) -> None:
    """Send each open file of a push; a file starts when the previous one is done.

    Parameters
    ----------
    journal
        The journal of the push. Its open `UPLOAD` steps are sent.
    services
        The clients, signed in.
    report
        Called with the progress while a file is written, uploaded and processed.

    Raises
    ------
    CiError
        The error that stopped the upload. Every answer received before it is recorded.
    """
    for step in journal.open_steps(UPLOAD):
        try:
            _finish_file(journal, services, step, report)
        except CiError as error:
            if is_final(error):
                # Read the step again: meanwhile the journal has its request id and TrackingIds.
                now = next(each for each in journal.steps(UPLOAD) if each.id == step.id)
                journal.refused(now, error)
            raise
        report(journal.progress())


def _finish_file(journal: Journal, services: Services, step: StepRecord, report: Reporter) -> None:
    """Send a file unless Microsoft already has it, then read its results."""
    # An interrupted run may have uploaded the file: ask before sending it again.
    status = _ask(services, step, journal, report) if step.state == SENT and step.request_id else None
    if status is None or not status.readable:
        step, status = _deliver(journal, services, step, report)
    if not status.readable:
        raise failed_upload(status)
    reasons = _read(services, step, status)
    journal.answered(step, reasons, status.tracking_id)


def _deliver(
    journal: Journal, services: Services, step: StepRecord, report: Reporter
) -> tuple[StepRecord, UploadStatus]:
    """Send a file until it arrives. Return the step and the upload's status."""

    def send() -> str:
        nonlocal step
        step = _send(journal, services, step, report)
        return step.request_id

    _request_id, status = services.bulk.deliver(send, lambda status: report(_waiting(journal, step, status)))
    return step, status


def _send(journal: Journal, services: Services, step: StepRecord, report: Reporter) -> StepRecord:
    push = journal.push
    with journal.workspace.scratch_folders.temporary_folder() as folder:
        # The folder is private and deleted afterward: a file of hashes must not remain.
        path = folder / "upload.zip"
        report(journal.progress("Writing the upload file"))
        write_upload_file(
            path,
            journal.spool.read(step.start, step.stop),
            audience_id=push.audience_id,
            action=_ACTIONS[step.action],
            accept_terms=True,
        )
        report(journal.progress("Uploading"))
        ticket = services.bulk.request_upload()
        # Microsoft assigns the request id before the upload. Recording it first lets a resumed run find the upload.
        permit = journal.permission(step)
        step = journal.noted(journal.sending(step, ticket.request_id), ticket.tracking_id)
        return journal.noted(step, services.bulk.upload(ticket, path, permit))


def _ask(services: Services, step: StepRecord, journal: Journal, report: Reporter) -> UploadStatus | None:
    """Return the final status of a file that was sent earlier; None if Microsoft no longer knows the upload."""
    try:
        status = services.bulk.status(step.request_id)
    except ServiceError as error:
        # A transient error says nothing about the upload. Sending again now could overlap with it.
        if isinstance(error, OutcomeUnknownError) or not is_final(error):
            raise
        return None
    if status.finished:
        return status
    return services.bulk.wait(step.request_id, lambda status: report(_waiting(journal, step, status)))


def _read(services: Services, step: StepRecord, status: UploadStatus) -> Reasons:
    """Return the hashes of a file that Microsoft rejected, with the reasons.

    Raises
    ------
    ServiceError
        The error is about the list: none of the file's hashes was accepted.
    OutcomeUnknownError
        A row refers to a position that the file did not have.
    """
    if status.status == "Completed":
        return {}
    reasons: Reasons = {}
    for error in services.bulk.errors(step.request_id, status):
        if error.about == "list":
            raise list_error(error, status)
        if error.position is None or not 0 <= error.position < step.stop - step.start:
            raise OutcomeUnknownError(
                "The result file names a profile that was not sent, so it is not known which ones were accepted.",
                "Sending the same profiles again does no harm.",
                code=error.code,
                tracking_id=status.tracking_id,
            )
        reasons[step.start + error.position] = (error.code, error.error_code)
    return reasons


def _waiting(journal: Journal, step: StepRecord, status: UploadStatus) -> Progress:
    before = journal.progress(f"Microsoft Advertising is working on it ({status.status})")
    done = before.done + (step.stop - step.start) * status.percent // 100
    return Progress(before.step, min(done, before.total), before.total)
