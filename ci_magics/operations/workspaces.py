"""Open a workspace other than the default one, and read what was done in it."""

from __future__ import annotations

import os
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from ci_magics.display.displayable import Displayable
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.operations.connections import Connections
from ci_magics.operations.emulator import Emulator
from ci_magics.operations.exports import Exports
from ci_magics.operations.notifications import Notifications
from ci_magics.operations.roles import Roles
from ci_magics.operations.runs import Runs
from ci_magics.operations.segments import Segments
from ci_magics.workspace import store
from ci_magics.workspace.access import Verb
from ci_magics.workspace.audit import AuditEntry


class Workspace(Displayable):
    """An open workspace with its collections. Every function takes it as ``workspace``.

    Parameters
    ----------
    opened
        The database and the private files.

    Examples
    --------
    >>> team = ci.open_workspace("team")  # doctest: +SKIP
    >>> ci.preview("Big spenders", workspace=team)  # doctest: +SKIP
    >>> team.segments.rename("Big spenders", to="Large")  # doctest: +SKIP
    """

    def __init__(self, opened: store.Workspace) -> None:
        self._store = opened

    @property
    def store(self) -> store.Workspace:
        """The database and the private files, for the functions that this object is given to."""
        return self._store

    @property
    def user(self) -> str:
        """The current user: the JupyterHub user, else the operating system's."""
        return self._store.user

    @property
    def folder(self) -> Path:
        """Where the private files are."""
        return self._store.folder

    @cached_property
    def connections(self) -> Connections:
        """The connections."""
        return Connections(self)

    @cached_property
    def segments(self) -> Segments:
        """The segments."""
        return Segments(self)

    @cached_property
    def exports(self) -> Exports:
        """The saved exports."""
        return Exports(self)

    @cached_property
    def runs(self) -> Runs:
        """The runs."""
        return Runs(self)

    @cached_property
    def roles(self) -> Roles:
        """Who may do what."""
        return Roles(self)

    @cached_property
    def notifications(self) -> Notifications:
        """Who is told when an export fails."""
        return Notifications(self)

    @cached_property
    def emulator(self) -> Emulator:
        """The emulator."""
        return Emulator(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the names of what the workspace contains."""
        return self._store.to_dict()

    def __repr__(self) -> str:
        return repr(self._store)


def open_workspace(location: str | os.PathLike[str] | None = None) -> Workspace:
    """Open a workspace, to use it instead of the default one.

    Parameters
    ----------
    location
        A folder, or a SQLAlchemy database URL. Files are beside a SQLite database; with a server, they are in its
        database, or in the folder ``CI_MAGICS_STORE``. By default ``CI_MAGICS_WORKSPACE``, else the user's folder for
        application data.

    Raises
    ------
    WorkspaceError
        It cannot be opened, or was written by a newer version.
    """
    return Workspace(store.open_workspace(location))


@operation(Verb.READ_AUDIT, example="--since 2026-11-01", changes=False)
def audit(
    *,
    since: Annotated[
        datetime | None,
        Option("only what was done since this day or moment in UTC, such as 2026-11-01", value="MOMENT"),
    ] = None,
    workspace: store.WorkspaceLike | None = None,
) -> list[AuditEntry]:
    """Return who did what in a workspace, oldest first. For administrators.

    Parameters
    ----------
    since
        Only entries since this time. None returns all.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    """
    return store.store_of(workspace).audit.since(since)
