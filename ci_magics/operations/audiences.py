"""The audiences of a connection, which may be left out where there is only one."""

from __future__ import annotations

from typing import Any

from ci_magics.activation.audiences.audience_list import AudienceList, audiences
from ci_magics.advice import NAME, Do, advise
from ci_magics.errors import ArgumentError, NotFoundError, quoted_list
from ci_magics.workspace.access import nothing_shared
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import open_workspace


def audiences_of(connection: Connection | str | None, **around: Any) -> AudienceList:
    """Return the lists of an account.

    Parameters
    ----------
    connection
        The connection or its name; None for the only one that the current user can see.
    around
        More arguments of `ci_magics.audiences`.

    Raises
    ------
    ArgumentError
        No connection is given, and there are several.
    NotFoundError
        There is no connection yet.
    """
    if connection is not None:
        return audiences(connection, **around)
    workspace = open_workspace()
    names = workspace.connections.names()
    if len(names) > 1:
        raise ArgumentError(
            "There are several connections.", f"Name one of them: {quoted_list(names)}.", code="which_connection"
        )
    if not names:
        if len(workspace.all_connections):
            raise nothing_shared()
        raise NotFoundError(
            "There is no connection yet.", advise("Make one: ", Do("connect", NAME), "."), code="not_found"
        )
    return audiences(names[0], **around)
