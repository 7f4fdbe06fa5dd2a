"""Operations on known Customer Insights instances: sign in again, sign out, remove."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.activation.connections.emulator_process import emulator_locator, emulator_url
from ci_magics.activation.connections.sign_in import acquire, application, forget_sign_in, noted_sign_in
from ci_magics.activation.segments.customer_insights.services import forget_subscription_key, sign_in_for_insights
from ci_magics.display.output import announce
from ci_magics.errors import SegmentError, quoted_list
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.insights_endpoints import insights_endpoints
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.store import Workspace, open_workspace

Show = Callable[[str], None]


def sign_in_again(name: str, *, workspace: Workspace | None = None, show: Show = announce) -> InsightsRecord:
    """Sign in to an instance again, with the same or another account.

    Parameters
    ----------
    name
        Name of the instance.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    NotFoundError
        The instance is not known.
    SignInError
        No user can be prompted, or Microsoft refused the sign-in.
    """
    workspace = workspace or open_workspace()
    record = workspace.insights[name]
    require(workspace, Verb.READ_INSIGHTS)
    acquire(workspace, sign_in_for_insights(record), _endpoints(workspace, record), show, again=True)
    workspace.audit.note(Verb.READ_INSIGHTS, name, signed_in=True)
    return record


def sign_out(name: str, *, workspace: Workspace | None = None, show: Show = announce) -> None:
    """Delete the current user's tokens for an instance, and its subscription key, from this machine.

    This also signs out of everything else that uses the same account.

    Parameters
    ----------
    name
        Name of the instance.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    NotFoundError
        The instance is not known.
    """
    workspace = workspace or open_workspace()
    record = workspace.insights[name]
    require(workspace, Verb.READ_INSIGHTS)
    noted = noted_sign_in(workspace, record.id)
    if noted is not None:
        app = application(workspace, sign_in_for_insights(record), _endpoints(workspace, record), show)
        signin.sign_out(app, noted.home_account_id)
        for each in workspace.sign_ins.where(user=workspace.user, home_account_id=noted.home_account_id):
            workspace.sign_ins.remove(each.id)
    forget_sign_in(workspace, record.id)
    forget_subscription_key(record, show)
    workspace.audit.note(Verb.READ_INSIGHTS, name, signed_in=False)


def remove_insights(name: str, *, workspace: Workspace | None = None, show: Show = announce) -> None:
    """Sign out of an instance and remove it from the workspace.

    Parameters
    ----------
    name
        Name of the instance.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    NotFoundError
        The instance is not known.
    SegmentError
        Dynamic segments read from it.
    """
    workspace = workspace or open_workspace()
    record = workspace.insights[name]
    read = [each.name for each in workspace.segments if _reads(each.definition.get("source"), name)]
    if read:
        raise SegmentError(
            f"Segments are read from Customer Insights '{name}': {quoted_list(read)}.",
            "Delete them or make them of something else first.",
            code="insights_in_use",
        )
    sign_out(name, workspace=workspace, show=show)
    workspace.insights.remove(record.id)
    workspace.audit.note(Verb.READ_INSIGHTS, name, removed=True)


def _reads(source: object, name: str) -> bool:
    return isinstance(source, dict) and source.get("kind") == "insights" and source.get("instance") == name


def _endpoints(workspace: Workspace, record: InsightsRecord) -> Endpoints:
    if record.environment != "emulator":
        return insights_endpoints(record.environment).sign_in
    return insights_endpoints("emulator", emulator_url(workspace), emulator_locator(workspace)).sign_in
