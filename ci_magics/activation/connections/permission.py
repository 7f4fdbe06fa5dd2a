"""Whether hashes may go through a connection at this moment: asked right before each request that carries some."""

from __future__ import annotations

from ci_magics.errors import AccessError, ConsentError
from ci_magics.workspace.access import Role, Verb, role_of, shares
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY
from ci_magics.workspace.store import Standing, Workspace

_WHAT_WAS_SENT = "What was sent before stays in the audience until it is emptied: %ci_audiences."


class RightEndedError(AccessError):
    """Somebody may not send any more what they had begun to send."""


def require_permission(workspace: Workspace, connection_id: str, environment: str, owner: str = "") -> None:
    """Stop a run on its way whose consents or rights have ended; one query tells.

    Parameters
    ----------
    workspace
        Where the connection is.
    connection_id, environment
        Through which connection the run goes, and where it led when the run began.
    owner
        Who saved the export that a scheduler runs for them: their rights count as well.

    Raises
    ------
    ConsentError
        A consent was withdrawn, or the connection was removed or leads elsewhere.
    RightEndedError
        The current user or the owner has a lower role by now, or the connection is not shared with them any more.
    """
    users = {workspace.user: workspace.user}
    if owner and owner != workspace.user:
        users[owner] = f"{owner}, who saved the export,"
    try:
        standing = workspace.all_connections.standing(connection_id, users)
    except AccessError:  # the database reads connections for those who have a role, and all of them for administrators
        raise _right_ended(f"The database does not show the connection to {workspace.user} any more") from None
    if standing is None:
        raise _without(workspace, connection_id)
    for user, named in users.items():
        _require_right(standing, user, named)
    if standing.environment != environment:
        raise _ended(f"The connection '{standing.name}' leads to another environment than when the run began")
    if not {DATA_PRIVACY, CUSTOMER_MATCH_TERMS} <= standing.consents:
        raise _ended("A consent was withdrawn while the run was on its way", "consent_withdrawn")


def _require_right(standing: Standing, user: str, named: str) -> None:
    role = standing.roles.get(user, Role.VIEWER)
    _require_role(role, named)
    if not shares(standing.shared_with, user, role):
        raise _right_ended(f"The connection '{standing.name}' is not shared any more with {named.rstrip(',')}")


def _require_role(role: Role, named: str) -> None:
    if not role.includes(Verb.RUN_EXPORT.least):
        raise _right_ended(f"{named} is only a {role} of this workspace now")


def _without(workspace: Workspace, connection_id: str) -> AccessError | ConsentError:
    """Return why a connection is not there: it was removed, or the database shows it to others only."""
    name = workspace.all_connections.name_of(connection_id)
    if name is None:
        return _ended("The connection was removed while the run was on its way")
    _require_role(role_of(workspace), workspace.user)
    return _right_ended(f"The connection '{name}' is not shared any more with {workspace.user}")


def _right_ended(sentence: str) -> RightEndedError:
    return RightEndedError(f"{sentence}, so nothing more is sent.", _WHAT_WAS_SENT, code="right_ended")


def _ended(sentence: str, code: str = "connection_changed") -> ConsentError:
    return ConsentError(f"{sentence}, so nothing more is sent.", _WHAT_WAS_SENT, code=code)
