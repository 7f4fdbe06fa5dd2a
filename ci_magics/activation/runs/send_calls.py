"""Send hashes in single calls of up to 1,000 each, a few in parallel."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Reporter
from ci_magics.activation.runs.journal import APPLY, Journal
from ci_magics.activation.runs.spool import Reasons
from ci_magics.clock import WaitStoppedError
from ci_magics.errors import CiError, OutcomeUnknownError
from ci_magics.microsoft.advertising import Action, Applied
from ci_magics.microsoft.codes import is_final
from ci_magics.microsoft.faults import service_error
from ci_magics.microsoft.http import Permit
from ci_magics.workspace.models import StepRecord

AT_A_TIME = 4
_OPERATION = "ApplyCustomerListUserData"

_Calls = dict[Future[Applied], StepRecord]


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
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for action in ("Add", "Remove"):
            steps = [step for step in open_steps if step.action == action]
            _send_in_parallel(pool, journal, services, steps, report)


def _send_in_parallel(
    pool: ThreadPoolExecutor,
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
            while not errors and len(running) < AT_A_TIME and (step := next(waiting, None)) is not None:
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
