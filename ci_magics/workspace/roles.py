"""Give users roles, and take them away."""

from __future__ import annotations

from ci_magics.advice import USER, Do, advise
from ci_magics.clock import present
from ci_magics.discretion import person_name
from ci_magics.errors import AccessError, ArgumentError, nearest_name
from ci_magics.naming import require_name
from ci_magics.workspace.access import Role, Verb, require
from ci_magics.workspace.models import UserRole
from ci_magics.workspace.store import Workspace

_LONGEST_USER = 200


def give_role(workspace: Workspace, user: str, role: str) -> UserRole:
    """Give a user a role in a workspace; see `Roles.give`."""
    require(workspace, Verb.GIVE_ROLE)
    if role not in list(Role):
        nearest = nearest_name(role, list(Role))
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise ArgumentError(f"There is no role '{role}'.{hint}", f"Use one of: {', '.join(Role)}.", code="unknown_role")
    user = person_name(user)
    require_name(user, "user", longest=_LONGEST_USER)
    _require_another_administrator(workspace, user, Role(role))
    user_role = UserRole(user, role, workspace.user, present())
    workspace.roles.put(user_role)
    workspace.audit.note(Verb.GIVE_ROLE, user, role=role)
    return user_role


def take_role(workspace: Workspace, user: str) -> None:
    """Make a user a viewer; see `Roles.take`."""
    require(workspace, Verb.GIVE_ROLE)
    user = person_name(user)
    known = workspace.roles[user]
    _require_another_administrator(workspace, user, Role.VIEWER)
    workspace.roles.remove(known.id)
    workspace.audit.note(Verb.GIVE_ROLE, user, role=Role.VIEWER.value)


def _require_another_administrator(workspace: Workspace, user: str, role: Role) -> None:
    others = [each.name for each in workspace.roles.where(role=Role.ADMINISTRATOR.value) if each.name != user]
    if role is not Role.ADMINISTRATOR and not others:
        raise AccessError(
            f"'{user}' is the only administrator of this workspace.",
            advise("Make another user an administrator first: ", Do("roles.give", USER, "administrator"), "."),
            code="last_administrator",
        )
