"""Create the audience of a push exactly once."""

from __future__ import annotations

from ci_magics.activation.connections.services import Services
from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.runs.journal import CREATE, Journal
from ci_magics.errors import CiError, OutcomeUnknownError
from ci_magics.microsoft.advertising import Scope
from ci_magics.microsoft.codes import is_final
from ci_magics.workspace.models import PushRecord, StepRecord
from ci_magics.workspace.statuses import SENT

_DUPLICATE_NAME = 4853


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
