"""Operations on an existing connection: change it, sign in again, sign out, and choose among accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_magics.activation.connections.account_check import unchecked_notice, verified
from ci_magics.activation.connections.consents import end_consents
from ci_magics.activation.connections.developer_token import forget_developer_token
from ci_magics.activation.connections.given_values import require_known
from ci_magics.activation.connections.services import connection_endpoints, sign_in_for
from ci_magics.activation.connections.sign_in import (
    acquire,
    application,
    end_sign_in,
    note_sign_in,
    noted_sign_in,
)
from ci_magics.advice import Do, advise
from ci_magics.discretion import person_name
from ci_magics.display.numbers import inflect, pluralize
from ci_magics.errors import ArgumentError, ConnectionSetupError, nearest_name
from ci_magics.microsoft import signin
from ci_magics.microsoft.signin import FLOWS
from ci_magics.naming import require_name, require_text, several
from ci_magics.one_line import writable
from ci_magics.workspace.access import Role, Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


@dataclass(frozen=True)
class SignedInAccount:
    """An account that a user signed in with on this machine.

    Parameters
    ----------
    number
        The number to choose it by.
    shown
        Its name, masked because it may be an email address.
    used
        Whether the connection uses it.
    """

    number: int
    shown: str
    used: bool

    def __repr__(self) -> str:
        return f"{self.number}: {self.shown}{' (used here)' if self.used else ''}"


def change_connection(
    workspace: Workspace, connection: Connection, wanted: Mapping[str, str | None], show: Show
) -> Connection:
    """Change fields of a connection; those that are None stay. See `Connections.edit`."""
    changes: dict[str, Any] = {
        field: value for field, value in wanted.items() if value not in (None, getattr(connection, field))
    }
    if not changes:
        return connection
    if "name" in changes:
        _require_free(workspace, changes["name"])
    moves = {"environment", "customer_id", "account_id"} & set(changes)
    if moves:
        _require_finished(workspace, connection)
    changed = replace(connection, **changes, account_name="" if moves else connection.account_name)
    if connection.agreed and set(changes) != {"name"}:
        changed = verified(workspace, changed, show)
    if moves and connection.consents:
        end_consents(workspace, connection)
        give = Do("connect", changed.name, agree=True, accept_terms=True)
        show(f"It leads elsewhere now, so both consents have to be given again: {give}.")
    if moves and not connection.agreed:
        show(unchecked_notice(changed))
    workspace.connections.put(changed)
    for export in workspace.exports.where(connection_id=connection.id):
        workspace.exports.change(lambda now: replace(now, connection_name=changed.name), id=export.id)
    workspace.audit.note(Verb.EDIT_CONNECTION, connection.name, **changes)
    return workspace.connections[changed.name]


def sign_in_again(workspace: Workspace, name: str, flow: str | None, show: Show) -> Connection:
    """Sign in to a connection again; see `Connections.sign_in`."""
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    require_known("flow", flow, FLOWS)
    wanted = sign_in_for(replace(connection, flow=flow or connection.flow))
    acquire(workspace, wanted, connection_endpoints(workspace, connection), show, again=True)
    workspace.audit.note(Verb.OPEN_CONNECTION, name, signed_in=True)
    return verified(workspace, connection, show)


def sign_out(workspace: Workspace, name: str, show: Show) -> None:
    """Sign out of a connection; see `Connections.sign_out`."""
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    end_sign_in(workspace, sign_in_for(connection), lambda: connection_endpoints(workspace, connection), show)
    forget_developer_token(connection, show)
    workspace.audit.note(Verb.OPEN_CONNECTION, name, signed_in=False)


def signed_in_accounts(workspace: Workspace, name: str, show: Show) -> list[SignedInAccount]:
    """Return the accounts of `Connections.accounts`."""
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    noted = noted_sign_in(workspace, connection.id)
    taken = noted.home_account_id if noted else None
    return [
        SignedInAccount(number, _masked(each.username), each.home_account_id == taken)
        for number, each in enumerate(_signed_in(workspace, connection, show), start=1)
    ]


def choose_account(workspace: Workspace, name: str, number: int, show: Show) -> Connection:
    """Use another account for a connection; see `Connections.choose_account`."""
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    known = _signed_in(workspace, connection, show)
    if not known:
        raise ArgumentError(
            f"No account is signed in for '{name}' on this machine.",
            advise("Sign in: ", Do("connections.sign_in", name), "."),
            code="no_account",
        )
    if not 1 <= number <= len(known):
        raise ArgumentError(
            f"There is no account {number}; {pluralize(len(known), 'account')} {inflect(len(known), 'is')} signed in.",
            advise("See them: ", Do("connections.accounts", name), "."),
            code="no_account",
        )
    note_sign_in(workspace, connection.id, known[number - 1].home_account_id)
    workspace.audit.note(Verb.OPEN_CONNECTION, name, account_chosen=number)
    return verified(workspace, connection, show)


def _signed_in(workspace: Workspace, connection: Connection, show: Show) -> list[signin.SignedIn]:
    app = application(workspace, sign_in_for(connection), connection_endpoints(workspace, connection), show)
    return sorted(signin.signed_in(app), key=lambda each: each.home_account_id)


def _masked(username: str) -> str:
    """Return a name masked except for its first letter, like addresses everywhere."""
    local, at, domain = writable(username).partition("@")
    return f"{local[:1]}***{at}{domain}"


def _require_free(workspace: Workspace, name: str) -> None:
    require_name(name, "connection", error=ConnectionSetupError)
    if name in workspace.all_connections:
        raise ConnectionSetupError(
            f"There is a connection '{name}' already.", "Choose another name.", code="name_taken"
        )


def _require_finished(workspace: Workspace, connection: Connection) -> None:
    """Refuse to change the account while a run uses the connection, because it would end in another account."""
    for run in workspace.runs.where(connection_id=connection.id):
        if run.finished_at is None:
            raise ConnectionSetupError(
                f"The run {run.name} through the connection '{connection.name}' was not finished.",
                advise("Finish it first: ", Do("runs.resume", run.name), "."),
                code="unfinished_run",
            )


def share_connection(workspace: Workspace, name: str, share: Sequence[str]) -> Connection:
    """Set who may use a connection; see `Connections.share`."""
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
    names = several(share)
    for each in names:
        require_text(each)
    share = [person_name(each) for each in names]
    known = [*Role, *workspace.roles.names()]
    for each in share:
        if each not in known:
            nearest = nearest_name(each, known)
            hint = f" Did you mean '{nearest}'?" if nearest else ""
            raise ConnectionSetupError(
                f"There is no role or user '{each}'.{hint}",
                advise(
                    f"Use {', '.join(Role)}, or tell the workspace who that is: ",
                    Do("roles.give", each, "contributor"),
                    ".",
                ),
                code="unknown_role",
            )
    return tuple(dict.fromkeys(share)) or (Role.ADMINISTRATOR.value,)
