"""Ask Microsoft whether a connection's ids are those of an account that the signed-in user may manage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ci_magics.activation.connections.services import Services, open_services
from ci_magics.advice import NAME, Do, Opt, advise
from ci_magics.display.numbers import format_count
from ci_magics.errors import ConnectionSetupError, nearest_name
from ci_magics.microsoft.advertising import Account, User
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

#: RoleId of a user with read-only access (page "GetUser").
_VIEWER = 100
_MOST_LISTED = 10


@dataclass(frozen=True)
class SignedInUser:
    """The signed-in user and the accounts that they may use.

    Parameters
    ----------
    user
        The user in Microsoft Advertising.
    accounts
        The accounts by id.
    """

    user: User
    accounts: Mapping[str, Account]


def signed_in_user(workspace: Workspace, connection: Connection, show: Callable[[str], None]) -> SignedInUser:
    """Sign in and return the user; works without valid account ids.

    Parameters
    ----------
    workspace
        The workspace that stores the sign-ins.
    connection
        The connection.
    show
        Called with each sentence that the user must see, such as a sign-in code.

    Raises
    ------
    SignInError
        Signing in failed.
    """
    services = open_services(workspace, connection, show=show)
    user = services.advertising.get_user()
    return SignedInUser(user, {each.id: each for each in services.advertising.search_accounts(user.id)})


def verified(workspace: Workspace, connection: Connection, show: Callable[[str], None]) -> Connection:
    """Sign in, and return the connection with the account's name; see `checked`.

    Parameters
    ----------
    workspace
        The workspace that stores the sign-ins.
    connection
        The connection, which need not be saved.
    show
        Called with each sentence that the user must see, such as a sign-in code.
    """
    return checked(workspace, connection, signed_in_user(workspace, connection, show))


def checked(workspace: Workspace, connection: Connection, signed_in: SignedInUser) -> Connection:
    """Check the ids of a connection, and return it with the account's name.

    Parameters
    ----------
    workspace
        The workspace; it shows whether the connection is saved, for the error message.
    connection
        The connection, which need not be saved.
    signed_in
        The signed-in user and their accounts.

    Raises
    ------
    ConnectionSetupError
        The ids are swapped, or not those of an account that the user may manage.
    """
    account = signed_in.accounts.get(connection.account_id)
    if account is None or account.customer_id != connection.customer_id:
        if connection.details_hidden:
            raise _unseen(connection)
        saved = workspace.connections.get(connection.name)
        is_saved = saved is not None and saved.id == connection.id
        raise _wrong_account(connection, signed_in.accounts, saved=is_saved)
    _require_manager(signed_in.user, connection, connection.customer_id)
    return replace(connection, account_name=account.name)


def require_manager(services: Services, connection: Connection) -> None:
    """Ask Microsoft whether the signed-in user may manage audiences, before anything is planned or sent.

    It does not check that the account exists and is accessible; the first request about its lists does.

    Parameters
    ----------
    services
        The clients, signed in.
    connection
        The connection, for the error message.

    Raises
    ------
    ConnectionSetupError
        The user has read-only access.
    """
    _require_manager(services.advertising.get_user(), connection, services.customer_id)


def _require_manager(user: User, connection: Connection, customer_id: str) -> None:
    if set(user.roles_in(customer_id)) == {_VIEWER}:
        raise ConnectionSetupError(
            "The signed-in user may only look at this account.",
            advise(
                "Ask the account's administrator for a role that manages campaigns, or sign in as somebody else: ",
                Do("connections.sign_in", connection.name),
                ".",
            ),
            code="viewer_role",
        )


def unchecked_notice(connection: Connection) -> str:
    """Return a sentence for a connection whose account was not checked, because its data privacy consent is missing."""
    return (
        f"Whether account {connection.account_id} of customer {connection.customer_id} exists has not been checked: it "
        f"is with {Opt('agree', True)}."
    )


def _wrong_account(connection: Connection, accounts: Mapping[str, Account], *, saved: bool) -> ConnectionSetupError:
    swapped = accounts.get(connection.customer_id)
    if swapped is not None:
        return ConnectionSetupError(
            "The customer id and the account id are swapped.",
            advise("Use ", Opt("customer_id", swapped.customer_id), " and ", Opt("account_id", swapped.id), "."),
            code="ids_swapped",
        )
    elsewhere = accounts.get(connection.account_id)
    if elsewhere is not None:
        return ConnectionSetupError(
            f"The account {elsewhere.id} ({elsewhere.name}) belongs to customer {elsewhere.customer_id}, "
            f"not {connection.customer_id}.",
            advise("Use ", Opt("customer_id", elsewhere.customer_id), "."),
            code="other_customer",
        )
    refused = f"The signed-in user has no account {connection.account_id} under customer {connection.customer_id}."
    if not accounts:
        return ConnectionSetupError(
            refused,
            "This user may use no account: ask an administrator of it for access, or sign in as somebody else.",
            code="account_not_found",
        )
    nearest = nearest_name(connection.account_id, accounts)
    hint = f" Did you mean {nearest} ({accounts[nearest].name})?" if nearest else ""
    chosen = accounts[nearest] if nearest else next(iter(accounts.values()))
    ids = {"customer_id": chosen.customer_id, "account_id": chosen.id}
    choose = Do("connections.edit", connection.name, **ids) if saved else Do("connect", NAME, **ids)
    return ConnectionSetupError(
        f"{refused}{hint}",
        advise(f"Accounts you may use: {_listed(accounts, nearest)}. Choose one, for example ", choose, "."),
        code="account_not_found",
    )


def _listed(accounts: Mapping[str, Account], nearest: str | None) -> str:
    """Return the accounts in words, the nearest first, and how many more there are."""
    ordered = sorted(accounts.values(), key=lambda each: each.id != nearest)
    shown = [f"{each.id} ({each.name}, customer {each.customer_id})" for each in ordered[:_MOST_LISTED]]
    more = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {format_count(more)} more" if more else "")


def _unseen(connection: Connection) -> ConnectionSetupError:
    """Return the error for a user who may see only the name of the connection."""
    return ConnectionSetupError(
        f"You have signed in as somebody who may not use the account of the connection '{connection.name}'.",
        advise(
            "Sign in as somebody else: ",
            Do("connections.sign_in", connection.name),
            "; or ask its administrator for access.",
        ),
        code="account_not_found",
    )
