"""Operations on an existing connection: change it, sign in again, sign out, and choose among accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ci_magics.activation.connections.account_check import unchecked_notice, verified
from ci_magics.activation.connections.consents import end_consents
from ci_magics.activation.connections.developer_token import forget_developer_token
from ci_magics.activation.connections.given_values import read_ids, require_application, require_known
from ci_magics.activation.connections.services import connection_endpoints, sign_in_for
from ci_magics.activation.connections.sign_in import (
    acquire,
    application,
    forget_sign_in,
    note_sign_in,
    noted_sign_in,
)
from ci_magics.advice import Do, advise
from ci_magics.discretion import person_name
from ci_magics.display.numbers import agreeing, counted_in_words
from ci_magics.display.output import announce
from ci_magics.errors import ArgumentError, ConnectionSetupError, nearest_name
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import ENVIRONMENTS
from ci_magics.microsoft.signin import FLOWS
from ci_magics.naming import require_name
from ci_magics.one_line import writable
from ci_magics.workspace.access import Role, Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace

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


def edit_connection(
    name: str,
    *,
    rename: str | None = None,
    environment: str | None = None,
    url: str | None = None,
    customer_id: str | None = None,
    account_id: str | None = None,
    flow: str | None = None,
    client_id: str | None = None,
    tenant: str | None = None,
    workspace: Workspace | None = None,
    show: Show = announce,
) -> Connection:
    """Change a connection; options that are not given stay. Saved exports follow.

    Both consents are valid for one account in one environment. If either changes, they have to be given again.

    Parameters
    ----------
    name
        The name of the connection.
    rename
        The new name.
    environment, url, customer_id, account_id, flow, client_id, tenant
        As in `ci_magics.connect`.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    ConnectionSetupError
        A run through it is unfinished, the name is taken, or the ids are not those of an account.
    """
    workspace = workspace or open_workspace()
    connection = workspace.connections[name]
    require(workspace, Verb.EDIT_CONNECTION, connection)
    require_known("environment", environment, ENVIRONMENTS)
    require_known("flow", flow, FLOWS)
    require_application(client_id, tenant)
    ids = read_ids(url, customer_id, account_id)
    changes: dict[str, Any] = {
        "name": rename,
        "environment": environment,
        "customer_id": ids.customer,
        "account_id": ids.account,
        "flow": flow,
        "client_id": client_id,
        "tenant": tenant,
    }
    changes = {key: value for key, value in changes.items() if value not in (None, getattr(connection, key))}
    if not changes:
        return connection
    if "name" in changes:
        _require_free(workspace, str(rename))
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
    workspace.audit.note(Verb.EDIT_CONNECTION, name, **changes)
    return workspace.connections[changed.name]


def sign_in_again(
    name: str, *, flow: str | None = None, workspace: Workspace | None = None, show: Show = announce
) -> Connection:
    """Sign in to a connection as the current user, even if the user is already signed in.

    Parameters
    ----------
    name
        The name of the connection.
    flow
        How to sign in, this time only. By default, as the connection says.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see, such as a sign-in code.

    Raises
    ------
    SignInError
        There is no user to ask, or Microsoft refused.
    ConnectionSetupError
        The signed-in user may not manage the account.
    """
    workspace = workspace or open_workspace()
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    require_known("flow", flow, FLOWS)
    wanted = sign_in_for(replace(connection, flow=flow or connection.flow))
    acquire(workspace, wanted, connection_endpoints(workspace, connection), show, again=True)
    workspace.audit.note(Verb.OPEN_CONNECTION, name, signed_in=True)
    return verified(workspace, connection, show)


def sign_out(name: str, *, workspace: Workspace | None = None, show: Show = announce) -> None:
    """Delete the current user's tokens for a connection and its developer token from this machine.

    The account is signed out of every connection that uses it.

    Parameters
    ----------
    name
        The name of the connection.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see.

    Raises
    ------
    AccessError
        The connection is not shared with the current user.
    """
    workspace = workspace or open_workspace()
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    noted = noted_sign_in(workspace, connection.id)
    if noted is not None:
        app = application(workspace, sign_in_for(connection), connection_endpoints(workspace, connection), show)
        signin.sign_out(app, noted.home_account_id)
        for each in workspace.sign_ins.where(user=workspace.user, home_account_id=noted.home_account_id):
            workspace.sign_ins.remove(each.id)
    forget_sign_in(workspace, connection.id)
    forget_developer_token(connection, show)
    workspace.audit.note(Verb.OPEN_CONNECTION, name, signed_in=False)


def signed_in_accounts(
    name: str, *, workspace: Workspace | None = None, show: Show = announce
) -> list[SignedInAccount]:
    """Return the accounts that the current user has signed in with on this machine, in a stable order.

    Parameters
    ----------
    name
        The name of the connection.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see.
    """
    workspace = workspace or open_workspace()
    connection = workspace.connections[name]
    require(workspace, Verb.OPEN_CONNECTION, connection)
    noted = noted_sign_in(workspace, connection.id)
    taken = noted.home_account_id if noted else None
    return [
        SignedInAccount(number, _masked(each.username), each.home_account_id == taken)
        for number, each in enumerate(_signed_in(workspace, connection, show), start=1)
    ]


def choose_account(name: str, number: int, *, workspace: Workspace | None = None, show: Show = announce) -> Connection:
    """Use one of the signed-in accounts for a connection.

    Parameters
    ----------
    name
        The name of the connection.
    number
        The account's number in `signed_in_accounts`.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see.

    Raises
    ------
    ArgumentError
        No account has that number.
    ConnectionSetupError
        The account may not manage the connection's account in Microsoft Advertising.
    """
    workspace = workspace or open_workspace()
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
            f"There is no account {number}; {counted_in_words(len(known), 'account')} "
            f"{agreeing(len(known), 'is')} signed in.",
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
                advise(
                    f"Use {', '.join(Role)}, or tell the workspace who that is: ",
                    Do("roles.give", each, "contributor"),
                    ".",
                ),
                code="unknown_role",
            )
    return tuple(dict.fromkeys(share)) or (Role.ADMINISTRATOR.value,)
