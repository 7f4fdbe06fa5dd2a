"""The dry run: every check that an export makes, in the same order, collected instead of raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ci_magics.activation.connections.account_check import require_manager
from ci_magics.activation.connections.consents import missing_consents
from ci_magics.activation.plan import Plan, open_order, plan_of
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.planner import Work, plan_without_microsoft, plan_work
from ci_magics.activation.plans.verdict import Finding, finding_of
from ci_magics.activation.segments.segment import StoredSegment
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]

_SIGN_IN, _ROLE, _AUDIENCES = "the sign-in", "your role in the account", "what the audiences hold"


def examine(
    workspace: Workspace, connection: Connection, stored: Sequence[StoredSegment], order: ExportOptions, show: Show
) -> Plan:
    """Return the plan of an export with its verdict; a check that fails is a finding, not an error.

    Nothing is asked of Microsoft while a consent is missing or the person's role does not allow an export.

    Parameters
    ----------
    workspace
        Where segments and connections are.
    connection
        Where the export goes.
    stored
        Its segments.
    order
        How they are exported.
    show
        Called with each sentence the person must see, such as a sign-in code.
    """
    names = [each.record.name for each in stored]
    findings = _before_microsoft(workspace, connection)
    services = None
    not_checked = [_SIGN_IN, _ROLE, _AUDIENCES]
    if not findings:
        try:
            services = open_order(workspace, connection, order, show)
        except CiError as error:
            findings, not_checked = [finding_of(error)], [_ROLE, _AUDIENCES]
    if services is None:
        findings += _without_microsoft(workspace, connection, stored, order)
        return plan_of(workspace, None, connection, names, [], order, show, findings, not_checked)
    findings += _refused(lambda: require_manager(services, connection))
    works: list[Work] = []
    for each in stored:
        try:
            now = services.conversation.clock.now()
            works.append(plan_work(workspace, services, connection, each, order, now))
        except CiError as error:
            findings.append(finding_of(error))
    not_checked = [_AUDIENCES] if len(works) < len(stored) else []
    findings = list(dict.fromkeys(findings))  # one refusal of Microsoft is met by every segment
    return plan_of(workspace, services, connection, names, works, order, show, findings, not_checked)


def unreadable(
    workspace: Workspace, connection: Connection, names: Sequence[str], order: ExportOptions, show: Show, error: CiError
) -> Plan:
    """Return the plan of an export whose segments cannot be read any more; see `examine`."""
    not_checked = [_SIGN_IN, _ROLE, _AUDIENCES]
    return plan_of(workspace, None, connection, names, [], order, show, [finding_of(error)], not_checked)


def _before_microsoft(workspace: Workspace, connection: Connection) -> list[Finding]:
    """Return what refuses an export before a single request is made."""
    return [
        *_refused(lambda: require(workspace, Verb.RUN_EXPORT, connection)),
        *(finding_of(each) for each in missing_consents(connection)),
        *_refused(retention_days),  # a run begins by deleting what is kept too long
    ]


def _without_microsoft(
    workspace: Workspace, connection: Connection, stored: Sequence[StoredSegment], order: ExportOptions
) -> Iterator[Finding]:
    for each in stored:
        try:
            for guard in plan_without_microsoft(workspace, connection, each, order):
                yield finding_of(guard, each.record.name)
        except CiError as error:
            yield finding_of(error)


def _refused(check: Callable[[], object]) -> list[Finding]:
    try:
        check()
    except CiError as error:
        return [finding_of(error)]
    return []
