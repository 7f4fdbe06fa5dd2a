"""Who may use a connection besides administrators: roles, and users by name."""

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
    """Say who may use a connection besides administrators, in place of those who could until now.

    Exports that others have saved stay; they do not run while the connection is not shared with who runs them.

    Parameters
    ----------
    name
        The connection.
    share
        Roles, or names of users who have a role; ``administrator`` alone shares it with nobody else.
    workspace
        Where it is; the default one unless given.

    Raises
    ------
    AccessError
        The current user is no administrator.
    ConnectionSetupError
        There is no such role or user.
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
    """Return roles and users as they are kept; administrators when nobody is named.

    Raises
    ------
    ConnectionSetupError
        There is no such role or user.
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
