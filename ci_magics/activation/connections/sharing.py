"""Share a connection with roles and users besides administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ci_magics.discretion import person_name
from ci_magics.errors import ConnectionSetupError, nearest_name
from ci_magics.quoting import shell_word
from ci_magics.workspace.access import Role, Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace


def share_connection(name: str, share: Sequence[str], *, workspace: Workspace | None = None) -> Connection:
    """Set who may use a connection besides administrators; this replaces the earlier setting.

    Exports that others have saved stay, but don't run while the connection is not shared with the user who runs them.

    Parameters
    ----------
    name
        The name of the connection.
    share
        Roles, or names of users with a role; ``administrator`` alone shares it with nobody else.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    ConnectionSetupError
        A role or user is unknown.
    """
    workspace = workspace or open_workspace()
    connection = workspace.connections[name]
    require(workspace, Verb.SHARE_CONNECTION, connection)
    wanted = shared_with(workspace, share)
    if wanted != connection.shared_with:
        workspace.connections.change(lambda now: replace(now, shared_with=wanted), id=connection.id)
        workspace.audit.note(Verb.SHARE_CONNECTION, name, shared_with=wanted)
    return workspace.connections[name]


def shared_with(workspace: Workspace, share: Sequence[str]) -> tuple[str, ...]:
    """Validate roles and users, and return them as they are stored; administrators if none is given.

    Parameters
    ----------
    workspace
        The workspace, which knows the users.
    share
        Roles, or names of users with a role.

    Raises
    ------
    ConnectionSetupError
        A role or user is unknown.
    """
    share = [person_name(each) for each in share]
    known = [*Role, *workspace.roles.names()]
    for each in share:
        if each not in known:
            nearest = nearest_name(each, known)
            hint = f" Did you mean '{nearest}'?" if nearest else ""
            raise ConnectionSetupError(
                f"There is no role or user '{each}'.{hint}",
                f"Use {', '.join(Role)}, or tell the workspace who that is: "
                f"ci-magics roles --give contributor --to {shell_word(each)}.",
                code="unknown_role",
            )
    return tuple(dict.fromkeys(share)) or (Role.ADMINISTRATOR.value,)
