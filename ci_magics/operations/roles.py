"""``ci.roles``: who may do what in a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from ci_magics.activation.segments.kept_counts import keep_all_counts
from ci_magics.display.result_table import Column, ResultList, as_minute
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.operations.collection import Collection
from ci_magics.workspace.access import Verb
from ci_magics.workspace.models import UserRole
from ci_magics.workspace.rights import Enforced
from ci_magics.workspace.roles import give_role, take_role


def _user(role: UserRole) -> str:
    return role.name


@dataclass(frozen=True, repr=False)
class RoleList(ResultList[UserRole]):
    """The users of a workspace with their roles, sorted by name.

    Parameters
    ----------
    users
        One line for each user. A user without a line is a viewer.
    """

    users: tuple[UserRole, ...]

    _columns = (
        Column("User", _user, frame_name="user"),
        Column("Role", "role"),
        Column("Given by", "given_by"),
        Column("Given at (UTC)", "given_at", as_minute),
    )

    @property
    def _rows(self) -> tuple[UserRole, ...]:
        return self.users


class Roles(Collection[UserRole]):
    """The roles of the users of a workspace. Every user without one is a viewer."""

    def _all(self) -> Iterator[UserRole]:
        yield from self._workspace.roles

    def names(self) -> list[str]:
        """Return the names of all users with a role, sorted."""
        return self._workspace.roles.names()

    def __getitem__(self, name: str) -> UserRole:
        """Return the role of a user.

        Parameters
        ----------
        name
            The user.

        Raises
        ------
        NotFoundError
            The user has no role; the error suggests the nearest name.
        """
        return self._workspace.roles[name]

    def overview(self) -> RoleList:
        """Return the table of roles."""
        return RoleList(tuple(self._workspace.roles))

    @operation(Verb.GIVE_ROLE, example="ann contributor")
    def give(
        self,
        user: Annotated[str, Option("user", kind="user")],
        role: Annotated[str, Option("role", choices=("viewer", "contributor", "administrator"))],
    ) -> UserRole:
        """Give a user a role; it replaces the earlier one.

        Parameters
        ----------
        user
            Name of the JupyterHub user, or of the operating system's user.
        role
            ``administrator``, ``contributor``, or ``viewer``.

        Raises
        ------
        AccessError
            The current user is not an administrator, or no administrator would remain.
        ArgumentError
            The role does not exist, or the name is not valid.
        """
        return give_role(self._workspace, user, role)

    @operation(Verb.GIVE_ROLE, example="ann")
    def take(self, user: Annotated[str, Option("user, who becomes a viewer again", kind="user")]) -> None:
        """Make a user a viewer, the role of every user without another one.

        Parameters
        ----------
        user
            Name of the user.

        Raises
        ------
        AccessError
            The current user is not an administrator, or no administrator would remain.
        NotFoundError
            The user has no role.
        """
        take_role(self._workspace, user)

    @operation(Verb.GIVE_ROLE)
    def enforce(self) -> Enforced:
        """Make the roles privileges of the PostgreSQL database, and store the counts that viewers may not compute.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        WorkspaceError
            The workspace is not in PostgreSQL, or the database refused.
        """
        workspace = self._workspace
        enforced = workspace.enforce_roles()
        keep_all_counts(workspace)
        return enforced

    def _overview(self) -> RoleList:
        return self.overview()


#: The roles in the default workspace.
roles = Roles()
