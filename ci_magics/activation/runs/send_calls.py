"""Send hashes by single calls of up to a thousand, a few at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Reporter
from ci_magics.activation.runs.fatal_errors import is_final
from ci_magics.activation.runs.journal import APPLY, Journal
from ci_magics.activation.runs.spool import Reasons
from ci_magics.clock import WaitStoppedError
from ci_magics.errors import CiError, OutcomeUnknownError
from ci_magics.microsoft.advertising import Action, Applied
from ci_magics.microsoft.faults import service_error
from ci_magics.microsoft.http import Permit
from ci_magics.workspace.models import StepRecord

AT_A_TIME = 4
_OPERATION = "ApplyCustomerListUserData"

_Calls = dict[Future[Applied], StepRecord]


def send_calls(journal: Journal, services: Services, report: Reporter) -> None:
    """Send every open call of a push, first what goes in, then what goes out; after an error no further one is begun.

    Raises
    ------
    CiError
        The first error; what was answered until then is written down.
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
    waiting = iter(steps)
    running: _Calls = {}
    errors: list[CiError] = []
    try:
        while True:
            while not errors and len(running) < AT_A_TIME and (step := next(waiting, None)) is not None:
                sent = journal.sending(step)
                running[pool.submit(_call, journal, services, sent, journal.permission(step))] = sent
            if not running:
                break
            errors += _collect(journal, running)
            report(journal.progress())
    except BaseException:
        services.conversation.clock.stop()
        while running:  # answers that are on their way are facts: write them down
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
    """Write down the calls that were answered, and return what went wrong."""
    done, _still_running = wait(running, return_when=FIRST_COMPLETED)
    errors: list[CiError] = []
    for future in done:
        step = running.pop(future)
        try:
            applied = future.result()
            journal.answered(step, _reasons(applied, step), applied.tracking_id)
        except WaitStoppedError:
            continue  # stopped while it waited: it is sent again when the run is resumed
        except CiError as error:
            if is_final(error):
                journal.refused(step, error)
            errors.append(error)
    return errors


def _reasons(applied: Applied, step: StepRecord) -> Reasons:
    """Return which of a call's hashes were refused.

    Raises
    ------
    ServiceError
        The error is about the call itself: none of its items was taken.
    OutcomeUnknownError
        An error names an item that the call did not have, so that it is not known which one was refused.
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
        reasons[step.start + fault.index] = (fault.code, fault.error_code)
    return reasons
