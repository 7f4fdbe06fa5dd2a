"""From a connection to Microsoft's services, signed in as the person who works."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.emulation import emulator_url
from ci_magics.errors import ConnectionSetupError, SignInError
from ci_magics.microsoft import signin
from ci_magics.microsoft.advertising import Advertising
from ci_magics.microsoft.bulk import Bulk
from ci_magics.microsoft.clock import Clock
from ci_magics.microsoft.endpoints import UNIVERSAL_DEVELOPER_TOKEN, Endpoints, endpoints_of
from ci_magics.microsoft.http import Caller, Conversation
from ci_magics.workspace.files import private_folder
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

_KEYRING_SERVICE = "ci-magics"
_WAYS = (
    "Sign in from a notebook or terminal with %ci_connect NAME --flow device, or set CI_MAGICS_CLIENT_ID, "
    "CI_MAGICS_REFRESH_TOKEN and CI_MAGICS_DEVELOPER_TOKEN for unattended runs."
)


@dataclass(frozen=True)
class Services:
    """What a connection gives access to.

    Parameters
    ----------
    directory
        The directory of the signed-in person; each emulator has one of its own.
    """

    conversation: Conversation
    advertising: Advertising
    bulk: Bulk
    directory: str

    @property
    def endpoints(self) -> Endpoints:
        """Where requests go."""
        return self.conversation.caller.endpoints


def open_services(
    workspace: Workspace,
    connection: Connection,
    *,
    show: Callable[[str], None],
    clock: Clock | None = None,
    ask: bool = True,
    account_id: str | None = None,
    customer_id: str | None = None,
) -> Services:
    """Sign in to a connection's environment and return its services.

    Parameters
    ----------
    workspace
        Where tokens are kept.
    connection
        Where to go.
    show
        Called with each sentence that the person must see: a sign-in code, a wait.
    clock
        Where waits are spent.
    ask
        Whether a person who is there may be asked to sign in.
    account_id, customer_id
        Instead of the connection's.

    Raises
    ------
    SignInError
        Nobody is signed in and nobody can be asked, or Microsoft refused.
    """
    emulated = emulator_url() if connection.environment == "emulator" else None
    endpoints = endpoints_of(connection.environment, emulated)
    tokens = _sign_in(workspace, connection, endpoints, show, ask=ask)
    caller = Caller(
        endpoints=endpoints,
        tokens=tokens,
        customer_id=customer_id or connection.customer_id,
        account_id=account_id or connection.account_id,
        developer_token=_developer_token(connection, ask=ask),
    )
    conversation = Conversation(caller, clock=clock, on_wait=show)
    return Services(conversation, Advertising(conversation), Bulk(conversation), tokens.directory)


def can_ask() -> bool:
    """Tell whether somebody is there to answer: not under nbconvert, nbval or papermill."""
    kernel = getattr(_shell(), "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()


def _shell() -> object | None:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _sign_in(
    workspace: Workspace, connection: Connection, endpoints: Endpoints, show: Callable[[str], None], *, ask: bool
) -> signin.MsalTokens:
    if endpoints.is_emulator:
        app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
        return signin.sign_in_to_emulator(app, endpoints)
    client_id = connection.client_id or os.environ.get("CI_MAGICS_CLIENT_ID")
    if not client_id:
        raise ConnectionSetupError(
            f"The connection '{connection.name}' has no client id.",
            "Give one with --client-id, or set CI_MAGICS_CLIENT_ID.",
            code="no_client_id",
        )
    cache = signin.open_cache(private_folder(workspace.folder / "sign-in") / f"{connection.id}.bin", show)
    tenant = connection.tenant or os.environ.get("CI_MAGICS_TENANT") or "common"
    app = signin.open_application(endpoints, client_id=client_id, tenant=tenant, cache=cache)
    known = signin.known_sign_in(app, endpoints.scope, connection.home_account_id)
    return known or _ask(app, connection, endpoints, show, ask=ask)


def _ask(
    app: object, connection: Connection, endpoints: Endpoints, show: Callable[[str], None], *, ask: bool
) -> signin.MsalTokens:
    refresh_token = os.environ.get("CI_MAGICS_REFRESH_TOKEN")
    if connection.flow == "env" or (connection.flow is None and refresh_token):
        if not refresh_token:
            raise SignInError("CI_MAGICS_REFRESH_TOKEN is not set.", _WAYS, code="no_refresh_token")
        return signin.sign_in_by_refresh_token(app, endpoints.scope, refresh_token)
    if not (ask and can_ask()):
        raise SignInError(
            f"Nobody is signed in to '{connection.name}', and nobody can be asked here.", _WAYS, code="sign_in_needed"
        )
    if connection.flow == "browser":
        return signin.sign_in_by_browser(app, endpoints.scope, show)
    return signin.sign_in_by_device_code(app, endpoints.scope, show)


def _developer_token(connection: Connection, *, ask: bool) -> str:
    if connection.environment != "production":
        return UNIVERSAL_DEVELOPER_TOKEN
    found = os.environ.get("CI_MAGICS_DEVELOPER_TOKEN") or _remembered_token(connection)
    if found:
        return found
    if not (ask and can_ask()):
        raise SignInError(
            "The developer token is missing.", "Set CI_MAGICS_DEVELOPER_TOKEN.", code="no_developer_token"
        )
    typed = getpass.getpass("Developer token of Microsoft Advertising: ").strip()
    _remember_token(connection, typed)
    return typed


def _remembered_token(connection: Connection) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_KEYRING_SERVICE, connection.id)
    except KeyringError:
        return None  # this machine keeps no secrets: the person is asked


def _remember_token(connection: Connection, token: str) -> None:
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_KEYRING_SERVICE, connection.id, token)
    except KeyringError:
        return  # this machine keeps no secrets: the person is asked again next time
