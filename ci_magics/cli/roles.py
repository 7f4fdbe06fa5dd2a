"""``ci-magics roles``: list, grant, and revoke roles in the workspace."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ci_magics.cli.command import DONE, Commands, add_command, answer
from ci_magics.workspace.access import Role

if TYPE_CHECKING:
    from ci_magics.workspace.rights import Enforced
    from ci_magics.workspace.store import Workspace


def add(commands: Commands) -> None:
    """Add the command."""
    roles = add_command(commands, "roles", "list who is what in the workspace, or give and take a role")
    roles.add_argument("--give", choices=[role.value for role in Role], help="the role to give")
    roles.add_argument("--to", metavar="USER", help="who gets it")
    roles.add_argument("--take-from", metavar="USER", help="who becomes a viewer again")
    roles.add_argument("--enforce", action="store_true", help="make the roles rights of the PostgreSQL database")
    roles.set_defaults(work=_roles, parser=roles)


def _enforced(workspace: Workspace) -> Enforced:
    """Enforce the roles, and store the counts that viewers may not compute."""
    from ci_magics.activation.segments.kept_counts import keep_all_counts

    enforced = workspace.enforce_roles()
    keep_all_counts(workspace)
    return enforced


def _roles(options: argparse.Namespace) -> int:
    if (options.give is None) != (options.to is None):
        options.parser.error("--give ROLE and --to USER go together")
    from ci_magics.workspace.roles import give_role, take_role
    from ci_magics.workspace.store import open_workspace

    workspace = open_workspace()
    if options.take_from:
        take_role(workspace, options.take_from)
    if options.give:
        give_role(workspace, options.to, options.give)
    enforced = _enforced(workspace) if options.enforce else None
    found = [{"user": each.name, "role": each.role, "given_by": each.given_by} for each in workspace.roles]
    lines = [f"{each['user']}: {each['role']}" for each in found]
    lines += [f"{user} has no database user of that name" for user in (enforced.without_user if enforced else ())]
    answer(options, found, "\n".join(lines))
    return DONE
