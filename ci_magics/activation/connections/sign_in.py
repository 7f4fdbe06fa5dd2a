"""Sign in for a connection or source: reuse an earlier sign-in, or ask the user.

Sign-ins are per user. The workspace records which account each user signed in with for which connection. The tokens
are in the user's private folder, outside a workspace that others may share.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ci_magics.advice import NAME, Do, Opt, Placeholder, advise
from ci_magics.clock import present
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ConnectionSetupError, SignInError, SignInUnreachableError, WorkspaceError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.token_cache import open_cache
from ci_magics.workspace.location import settings_folder
from ci_magics.workspace.models import SignInRecord
from ci_magics.workspace.private_paths import private_folder
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]

_REFRESH_TOKEN = "CI_MAGICS_REFRESH_TOKEN"  # noqa: S105 - the name of a variable
_WAYS = advise(
    "Sign in from a notebook or terminal with ",
    Do("connections.sign_in", NAME),
    ", or set CI_MAGICS_CLIENT_ID, CI_MAGICS_REFRESH_TOKEN and CI_MAGICS_DEVELOPER_TOKEN for unattended runs.",
)


@dataclass(frozen=True)
class SignInFor:
    """What to sign in for. The endpoints determine the scope of the tokens.

    Parameters
    ----------
    id, name
        The id and name of the connection or source.
    flow
        ``device``, ``browser`` or ``env``. By default, what the kernel supports.
    client_id, tenant
        The application in Microsoft Entra. By default, from the environment.
    refresh_token
        Name of the environment variable with a refresh token, for unattended runs.
    """

    id: str
    name: str
    flow: str | None = None
    client_id: str | None = None
    tenant: str = ""
    refresh_token: str = _REFRESH_TOKEN


def acquire(
    workspace: Workspace, wanted: SignInFor, endpoints: Endpoints, show: Show, *, ask: bool = True, again: bool = False
) -> signin.MsalTokens:
    """Return access tokens of the current user for the scope of the endpoints.

    Parameters
    ----------
    workspace
        The workspace that records the sign-ins.
    wanted
        What to sign in for.
    endpoints
        The URLs that the tokens are for.
    show
        Called with each sentence that the user must see.
    ask
        Whether the user may be asked.
    again
        Whether to ask even if the user is already signed in.

    Raises
    ------
    SignInError
        Nobody is signed in and there is no user to ask, or Microsoft refused.
    """
    if endpoints.is_emulator and wanted.flow not in ("device", "browser"):
        # The emulator has its own user, which signs in without a person. No real token is ever sent there.
        app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
        return signin.sign_in_to_emulator(app, endpoints)
    app = application(workspace, wanted, endpoints, show)
    tokens = None if again else _known(workspace, wanted, app, endpoints, ask=ask)
    if tokens is None:
        tokens = _asked(app, wanted, endpoints, show, ask=ask, choose=again)
        note_sign_in(workspace, wanted.id, tokens.home_account_id)
    return tokens


def application(workspace: Workspace, wanted: SignInFor, endpoints: Endpoints, show: Show) -> Any:
    """Return the MSAL application for sign-ins, with the current user's stored tokens.

    Parameters
    ----------
    workspace
        The workspace, for the current user and as the fallback folder for tokens.
    wanted
        What to sign in for.
    endpoints
        The URLs that the tokens are for.
    show
        Called with a sentence if the tokens can't be encrypted.

    Raises
    ------
    ConnectionSetupError
        There is no client id.
    """
    client_id = wanted.client_id or os.environ.get("CI_MAGICS_CLIENT_ID")
    tenant = wanted.tenant or os.environ.get("CI_MAGICS_TENANT") or "common"
    if endpoints.is_emulator:
        client_id, tenant = signin.EMULATOR_CLIENT_ID, "common"
    if not client_id:
        raise ConnectionSetupError(
            f"The connection '{wanted.name}' has no client id.",
            advise("Give one with ", Opt("client_id"), ", or set CI_MAGICS_CLIENT_ID."),
            code="no_client_id",
        )
    cache = open_cache(_tokens_folder(workspace) / f"{endpoints.environment}.bin", show)
    return signin.open_application(endpoints, client_id=client_id, tenant=tenant, cache=cache)


def _tokens_folder(workspace: Workspace) -> Path:
    """Return the current user's folder for tokens: in the settings folder, or as a fallback in the workspace's.

    A container often runs as a user without a home folder, or with one that is read-only.
    """
    name = f"sign-in-{quote(workspace.user, safe='')}"
    try:
        return private_folder(settings_folder() / name)
    except WorkspaceError:
        return private_folder(workspace.folder / name)


def note_sign_in(workspace: Workspace, subject_id: str, home_account_id: str) -> None:
    """Record which account the current user uses for a connection or source.

    Parameters
    ----------
    workspace
        The workspace that records the sign-ins.
    subject_id
        The id of the connection or source.
    home_account_id
        MSAL's id of the account.
    """
    forget_sign_in(workspace, subject_id)
    record = SignInRecord(
        id=f"{subject_id}:{workspace.user}",
        user=workspace.user,
        subject_id=subject_id,
        home_account_id=home_account_id,
        signed_in_at=present(),
    )
    workspace.sign_ins.put(record)


def noted_sign_in(workspace: Workspace, subject_id: str) -> SignInRecord | None:
    """Return the record of the account that the current user uses for a connection or source; None if there is none.

    Parameters
    ----------
    workspace
        The workspace that records the sign-ins.
    subject_id
        The id of the connection or source.
    """
    return next(iter(workspace.sign_ins.where(user=workspace.user, subject_id=subject_id)), None)


def forget_sign_in(workspace: Workspace, subject_id: str) -> None:
    """Delete the record of the account that the current user uses for a connection or source.

    Parameters
    ----------
    workspace
        The workspace that records the sign-ins.
    subject_id
        The id of the connection or source.
    """
    for each in workspace.sign_ins.where(user=workspace.user, subject_id=subject_id):
        workspace.sign_ins.remove(each.id)


def end_sign_in(workspace: Workspace, wanted: SignInFor, endpoints: Callable[[], Endpoints], show: Show) -> None:
    """Delete the current user's tokens for a connection or source, and every sign-in with the same account.

    Parameters
    ----------
    workspace
        The workspace that records the sign-ins.
    wanted
        What the tokens are for.
    endpoints
        Returns the URLs that the tokens are for. It is not called if the user has not signed in.
    show
        Called with a sentence if the tokens can't be encrypted.
    """
    noted = noted_sign_in(workspace, wanted.id)
    if noted is not None:
        signin.sign_out(application(workspace, wanted, endpoints(), show), noted.home_account_id)
        for each in workspace.sign_ins.where(user=workspace.user, home_account_id=noted.home_account_id):
            workspace.sign_ins.remove(each.id)
    forget_sign_in(workspace, wanted.id)


def needs_a_person(wanted: SignInFor, *, is_emulator: bool, is_signed_in: bool) -> bool:
    """Return whether signing in needs a person, as far as is known without asking Microsoft.

    Parameters
    ----------
    wanted
        What to sign in for.
    is_emulator
        Whether it is for the emulator, whose own user signs in without a person.
    is_signed_in
        Whether the current user is already signed in, so that the tokens can be renewed.
    """
    if is_emulator and wanted.flow not in ("device", "browser"):
        return False
    return not is_signed_in and not os.environ.get(wanted.refresh_token)


def can_ask() -> bool:
    """Return whether a user is there to answer: not under nbconvert, nbval or papermill."""
    kernel = getattr(_shell(), "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # stdin is closed
        return False


def is_local() -> bool:
    """Return whether a browser that is opened here is visible to the user: not on a hub or in a remote shell."""
    if any(os.environ.get(name) for name in ("JUPYTERHUB_USER", "SSH_CONNECTION")):
        return False
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _shell() -> object | None:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _known(
    workspace: Workspace, wanted: SignInFor, app: Any, endpoints: Endpoints, *, ask: bool
) -> signin.MsalTokens | None:
    """Return the tokens of an earlier sign-in; None if there is none, or it has expired and can be renewed."""
    noted = noted_sign_in(workspace, wanted.id)
    identity = noted.home_account_id if noted else _only_one(wanted, app, ask=ask)
    tokens = signin.tokens_of(app, endpoints.scope, identity) if identity else None
    if tokens is None:
        return None
    try:
        tokens.token()
    except SignInError as error:
        # Signing in again helps if the sign-in has expired, but not if the service is unreachable.
        if isinstance(error, SignInUnreachableError) or not (_unattended(wanted) or (ask and can_ask())):
            raise
        return None
    return tokens


def _only_one(wanted: SignInFor, app: Any, *, ask: bool) -> str | None:
    """Return the only signed-in account; None if there is none or, when the user can be asked, several."""
    if _unattended(wanted):
        return None
    accounts = signin.signed_in(app)
    if len(accounts) > 1 and not (ask and can_ask()):
        raise SignInError(
            f"{pluralize(len(accounts), 'account', 'is')} signed in, and none was chosen for '{wanted.name}'.",
            advise(
                "See them with ",
                Do("connections.accounts", wanted.name),
                ", and choose one: ",
                Do("connections.choose_account", wanted.name, Placeholder("N")),
                ".",
            ),
            code="several_accounts",
        )
    return accounts[0].home_account_id if len(accounts) == 1 else None


def _unattended(wanted: SignInFor) -> bool:
    return wanted.flow == "env" or (wanted.flow is None and bool(os.environ.get(wanted.refresh_token)))


def _asked(
    app: Any, wanted: SignInFor, endpoints: Endpoints, show: Show, *, ask: bool, choose: bool
) -> signin.MsalTokens:
    if _unattended(wanted):
        refresh_token = os.environ.get(wanted.refresh_token)
        if not refresh_token:
            raise SignInError(f"{wanted.refresh_token} is not set.", _WAYS, code="no_refresh_token")
        return signin.sign_in_by_refresh_token(app, endpoints.scope, refresh_token)
    if not (ask and can_ask()):
        raise SignInError(
            f"Nobody is signed in to '{wanted.name}', and nobody can be asked here.", _WAYS, code="sign_in_needed"
        )
    if wanted.flow == "browser" or (wanted.flow is None and is_local()):
        return signin.sign_in_by_browser(app, endpoints.scope, show, choose=choose)
    return signin.sign_in_by_device_code(app, endpoints.scope, show)
