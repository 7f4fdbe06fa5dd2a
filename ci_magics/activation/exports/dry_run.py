"""Dry run: make every check of an export, in the same order, and collect the findings instead of raising."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ci_magics.activation.connections.account_check import require_manager
from ci_magics.activation.connections.consents import missing_consents
from ci_magics.activation.plan import Plan, open_services_for, plan_of
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.planner import Work, plan_without_microsoft, plan_work
from ci_magics.activation.plans.verdict import Finding, finding_of
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]

_SIGN_IN, _ROLE, _AUDIENCES = "the sign-in", "your role in the account", "what the audiences hold"


def examine(
    workspace: Workspace, connection: Connection, stored: Sequence[StoredSegment], options: ExportOptions, show: Show
) -> Plan:
    """Return the plan of an export with its verdict. A check that fails becomes a finding, not an error.

    Sends no request to Microsoft while a consent is missing or the role of the current user does not allow an export.

    Parameters
    ----------
    workspace
        Workspace with the segments and connections.
    connection
        Connection to export to.
    stored
        Segments to export.
    options
        Export options.
    show
        Called with each message for the user, such as a sign-in code.
    """
    names = [each.record.name for each in stored]
    findings = _before_microsoft(workspace, connection)
    services = None
    not_checked = [_SIGN_IN, _ROLE, _AUDIENCES]
    if not findings:
        try:
            services = open_services_for(workspace, connection, options, show)
        except CiError as error:
            findings, not_checked = [finding_of(error)], [_ROLE, _AUDIENCES]
    if services is None:
        findings += _without_microsoft(workspace, connection, stored, options)
        return plan_of(workspace, None, connection, names, [], options, show, findings, not_checked)
    findings += _refused(lambda: require_manager(services, connection))
    works: list[Work] = []
    for each in stored:
        try:
            now = services.conversation.clock.now()
            works.append(plan_work(workspace, services, connection, each, options, now))
        except CiError as error:
            findings.append(finding_of(error))
    not_checked = [_AUDIENCES] if len(works) < len(stored) else []
    findings = list(dict.fromkeys(findings))  # every segment gets the same error from Microsoft
    return plan_of(workspace, services, connection, names, works, options, show, findings, not_checked)


def unreadable(
    workspace: Workspace,
    connection: Connection,
    names: Sequence[str],
    options: ExportOptions,
    show: Show,
    error: CiError,
) -> Plan:
    """Return the plan of an export whose segments can no longer be read; see `examine`.

    Parameters
    ----------
    workspace
        Workspace to use.
    connection
        Connection to export to.
    names
        Segment names.
    options
        Export options.
    show
        Called with each message for the user, such as a sign-in code.
    error
        Why the segments cannot be read. It becomes the only finding.
    """
    not_checked = [_SIGN_IN, _ROLE, _AUDIENCES]
    return plan_of(workspace, None, connection, names, [], options, show, [finding_of(error)], not_checked)


def _before_microsoft(workspace: Workspace, connection: Connection) -> list[Finding]:
    """Return the findings of the checks that need no request."""
    return [
        *_refused(lambda: require(workspace, Verb.RUN_EXPORT, connection)),
        *(finding_of(each) for each in missing_consents(connection)),
        *_refused(retention_days),  # a run starts by deleting expired data
    ]


def _without_microsoft(
    workspace: Workspace, connection: Connection, stored: Sequence[StoredSegment], options: ExportOptions
) -> Iterator[Finding]:
    for each in stored:
        try:
            for guard in plan_without_microsoft(workspace, connection, each, options):
                yield finding_of(guard, each.record.name)
        except CiError as error:
            yield finding_of(error)


def _refused(check: Callable[[], object]) -> list[Finding]:
    try:
        check()
    except CiError as error:
        return [finding_of(error)]
    return []
