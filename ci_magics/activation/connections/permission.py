"""Check, right before each request with hashes, whether they may be sent through a connection."""

from __future__ import annotations

from ci_magics.advice import CONNECTION, Do, advise
from ci_magics.errors import AccessError, ConsentError
from ci_magics.workspace.access import Role, Verb, role_of, shares
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY
from ci_magics.workspace.store import PermissionFacts, Workspace

_WHAT_WAS_SENT = advise(
    "What was sent before stays in the audience until it is emptied: ", Do("audiences", CONNECTION), "."
)


class RightEndedError(AccessError):
    """The current user or the owner of the export lost the permission to send during a run."""


def require_permission(workspace: Workspace, connection_id: str, environment: str, owner: str = "") -> None:
    """Stop a run whose consents or permissions have ended. This takes one query.

    Parameters
    ----------
    workspace
        The workspace that stores the connection.
    connection_id, environment
        The connection of the run, and its environment when the run began.
    owner
        The user who saved a scheduled export; their permissions are checked too.

    Raises
    ------
    ConsentError
        A consent was withdrawn, or the connection was removed or changed to another environment.
    RightEndedError
        The current user or the owner now has a lower role, or the connection is no longer shared with them.
    """
    users = {workspace.user: workspace.user}
    if owner and owner != workspace.user:
        users[owner] = f"{owner}, who saved the export,"
    try:
        standing = workspace.all_connections.permission_facts(connection_id, users)
    except AccessError:  # the database no longer lets the user read connections: the user has lost the role
        raise _right_ended(f"The database no longer shows the connection to {workspace.user}") from None
    if standing is None:
        raise _without(workspace, connection_id)
    for user, named in users.items():
        _require_right(standing, user, named)
    if standing.environment != environment:
        raise _ended(f"The connection '{standing.name}' leads to another environment than when the run began")
    if not {DATA_PRIVACY, CUSTOMER_MATCH_TERMS} <= standing.consents:
        raise _ended("A consent was withdrawn while the run was on its way", "consent_withdrawn")


def _require_right(standing: PermissionFacts, user: str, named: str) -> None:
    role = standing.roles.get(user, Role.VIEWER)
    _require_role(role, named)
    if not shares(standing.shared_with, user, role):
        raise _right_ended(f"The connection '{standing.name}' is no longer shared with {named.rstrip(',')}")


def _require_role(role: Role, named: str) -> None:
    if not role.includes(Verb.RUN_EXPORT.minimum_role):
        raise _right_ended(f"{named} is only a {role} of this workspace now")


def _without(workspace: Workspace, connection_id: str) -> AccessError | ConsentError:
    """Return why the connection is missing: it was removed, or the database hides it from the current user."""
    name = workspace.all_connections.name_of(connection_id)
    if name is None:
        return _ended("The connection was removed while the run was on its way")
    _require_role(role_of(workspace), workspace.user)
    return _right_ended(f"The connection '{name}' is no longer shared with {workspace.user}")


def _right_ended(sentence: str) -> RightEndedError:
    return RightEndedError(f"{sentence}, so nothing more is sent.", _WHAT_WAS_SENT, code="right_ended")


def _ended(sentence: str, code: str = "connection_changed") -> ConsentError:
    return ConsentError(f"{sentence}, so nothing more is sent.", _WHAT_WAS_SENT, code=code)
