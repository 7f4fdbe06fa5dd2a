"""Roles, the permission that each operation requires, and shared connections."""

from __future__ import annotations

import getpass
import os
from collections.abc import Collection
from enum import Enum, StrEnum
from typing import Any, Protocol

from ci_magics.advice import Do, advise
from ci_magics.discretion import person_name
from ci_magics.errors import AccessError, quoted_list
from ci_magics.workspace.models import Connection, UserRole

#: Customer Insights' wording for a user without a shared connection.
NOTHING_SHARED = "No Microsoft Advertising connection is shared with you; ask an administrator."


class Role(StrEnum):
    """The role of a user in a workspace; each includes the rights of those before it."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    ADMINISTRATOR = "administrator"

    def includes(self, other: Role) -> bool:
        """Return whether this role has all rights of another one."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Verb(Enum):
    """All operations in a workspace, with the minimum role and the words for a sentence."""

    LIST_CONNECTIONS = (Role.VIEWER, "see the connections")
    LIST_SEGMENTS = (Role.VIEWER, "see the segments")
    PREVIEW = (Role.VIEWER, "preview a segment")
    PLAN_EXPORT = (Role.VIEWER, "plan an export")
    SHOW_STATUS = (Role.VIEWER, "see runs and audiences")
    LIST_EXPORTS = (Role.VIEWER, "see the exports")
    LIST_AUDIENCES = (Role.VIEWER, "see the lists of an account")

    OPEN_CONNECTION = (Role.CONTRIBUTOR, "use a connection")
    READ_INSIGHTS = (Role.CONTRIBUTOR, "read from Customer Insights")
    MAKE_SEGMENT = (Role.CONTRIBUTOR, "make a segment")
    CHANGE_SEGMENT = (Role.CONTRIBUTOR, "change a segment")
    REFRESH_SEGMENT = (Role.CONTRIBUTOR, "refresh a segment")
    DELETE_SEGMENT = (Role.CONTRIBUTOR, "delete a segment")
    DOWNLOAD_KEYS = (Role.CONTRIBUTOR, "download the keys of a segment")
    RUN_EXPORT = (Role.CONTRIBUTOR, "run an export")
    RESUME_RUN = (Role.CONTRIBUTOR, "finish a run")
    SAVE_EXPORT = (Role.CONTRIBUTOR, "save an export")
    EDIT_EXPORT = (Role.CONTRIBUTOR, "edit an export")
    DUPLICATE_EXPORT = (Role.CONTRIBUTOR, "duplicate an export")
    DETACH_EXPORT = (Role.CONTRIBUTOR, "detach an export")
    REMOVE_EXPORT = (Role.CONTRIBUTOR, "remove an export")
    SCHEDULE_EXPORT = (Role.CONTRIBUTOR, "schedule an export")
    REFRESH_ALL = (Role.CONTRIBUTOR, "refresh the workspace")
    RENAME_AUDIENCE = (Role.CONTRIBUTOR, "rename an audience")

    CREATE_CONNECTION = (Role.ADMINISTRATOR, "make a connection")
    EDIT_CONNECTION = (Role.ADMINISTRATOR, "change a connection")
    SHARE_CONNECTION = (Role.ADMINISTRATOR, "share a connection")
    GIVE_CONSENT = (Role.ADMINISTRATOR, "give a consent")
    WITHDRAW_CONSENT = (Role.ADMINISTRATOR, "withdraw a consent")
    REMOVE_CONNECTION = (Role.ADMINISTRATOR, "remove a connection")
    EMPTY_AUDIENCE = (Role.ADMINISTRATOR, "empty an audience")
    DELETE_AUDIENCE = (Role.ADMINISTRATOR, "delete an audience")
    SUPPRESS = (Role.ADMINISTRATOR, "choose the suppression segment")
    SET_SYSTEM_SCHEDULE = (Role.ADMINISTRATOR, "change the schedule of the system refresh")
    SET_NOTIFICATIONS = (Role.ADMINISTRATOR, "change the notifications")
    FORGET_PERSON = (Role.ADMINISTRATOR, "forget a person")
    PURGE = (Role.ADMINISTRATOR, "delete expired data")
    READ_AUDIT = (Role.ADMINISTRATOR, "read the audit log")
    GIVE_ROLE = (Role.ADMINISTRATOR, "give a user a role")

    def __init__(self, minimum_role: Role, phrase: str) -> None:
        self.minimum_role = minimum_role
        self.phrase = phrase


class _Roles(Protocol):
    """The part of a repository that is needed here; see `repository.Repository`, which takes longer to load."""

    def get(self, name: str) -> UserRole | None:
        """Return the value with a name, or None."""

    def where(self, **values: Any) -> list[UserRole]:
        """Return the values whose columns equal the given values."""


class HasRoles(Protocol):
    """The part of a workspace that is needed here: the current user, and the roles of all users."""

    user: str

    @property
    def roles(self) -> _Roles:
        """The roles of users."""


def current_user() -> str:
    """Return the current user: the JupyterHub user, else the operating system's, as a number if it has no name.

    An e-mail address is replaced by a pseudonym; see `person_name`.
    """
    if named := os.environ.get("JUPYTERHUB_USER"):
        return person_name(named)
    try:
        return person_name(getpass.getuser())
    except (KeyError, OSError):  # a container may run as a user id that has no account
        return f"uid-{os.getuid()}"


def role_of(workspace: HasRoles, user: str | None = None) -> Role:
    """Return a user's role; a user without one is a viewer.

    Parameters
    ----------
    workspace
        The workspace.
    user
        The user; the current user by default.
    """
    known = workspace.roles.get(user or workspace.user)
    return Role(known.role) if known else Role.VIEWER


def is_shared_with(connection: Connection, user: str, role: Role) -> bool:
    """Return whether a user may use a connection.

    Parameters
    ----------
    connection
        The connection.
    user
        The name of the user.
    role
        The user's role.
    """
    return shares(connection.shared_with, user, role)


def shares(shared_with: Collection[str], user: str, role: Role) -> bool:
    """Return whether something is shared with a user: by name, by role, or because the user is an administrator.

    Parameters
    ----------
    shared_with
        Names of users and roles.
    user
        The name of the user.
    role
        The user's role.
    """
    if role is Role.ADMINISTRATOR or user in shared_with:
        return True
    return any(each in list(Role) and role.includes(Role(each)) for each in shared_with)


def may(workspace: HasRoles, verb: Verb, connection: Connection | None = None) -> bool:
    """Return whether the current user may do something.

    Parameters
    ----------
    workspace
        The workspace.
    verb
        The operation.
    connection
        The connection it uses, if any; it must be shared with the current user as well.
    """
    return _refusal(workspace, verb, connection) is None


def require(workspace: HasRoles, verb: Verb, connection: Connection | None = None) -> None:
    """Check that the current user may do something.

    Parameters
    ----------
    workspace
        The workspace.
    verb
        The operation.
    connection
        The connection it uses, if any; it must be shared with the current user as well.

    Raises
    ------
    AccessError
        The role is not sufficient, or the connection is not shared with the user.
    """
    refusal = _refusal(workspace, verb, connection)
    if refusal is not None:
        raise refusal


def nothing_shared() -> AccessError:
    """Build the error for a user who may use no connection."""
    return AccessError(NOTHING_SHARED, code="nothing_shared")


def not_shared(name: str) -> AccessError:
    """Build the error for a connection that is not shared with the user."""
    return AccessError(
        f"The connection '{name}' is not shared with you.", "Ask an administrator to share it.", code="not_shared"
    )


def _refusal(workspace: HasRoles, verb: Verb, connection: Connection | None) -> AccessError | None:
    role = role_of(workspace)
    if not role.includes(verb.minimum_role):
        return AccessError(
            f"You ({workspace.user}) are a {role} of this workspace, and only {_plural_of(verb.minimum_role)} may "
            f"{verb.phrase}.",
            advise(
                f"Ask an administrator ({_administrators(workspace)}) to run: ",
                Do("roles.give", workspace.user, str(verb.minimum_role)),
                ".",
            ),
            code="role_too_low",
        )
    if connection is not None and not is_shared_with(connection, workspace.user, role):
        return not_shared(connection.name)
    return None


def _plural_of(role: Role) -> str:
    return f"{role}s" if role is Role.ADMINISTRATOR else f"{role}s and administrators"


def _administrators(workspace: HasRoles) -> str:
    return quoted_list([each.name for each in workspace.roles.where(role=Role.ADMINISTRATOR.value)]) or "none yet"
