"""Sign somebody in for a connection or a source: found among those who did earlier, or asked for now.

Sign-in is per person. Which account somebody took for which connection is noted for that person alone, and the tokens
are kept in a folder of that person, apart from the workspace that others may share.
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

from ci_magics.clock import present
from ci_magics.display.numbers import counted_in_words
from ci_magics.errors import ConnectionSetupError, SignInError, SignInUnreachableError, WorkspaceError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.token_cache import open_cache
from ci_magics.quoting import magic_word
from ci_magics.workspace.files import private_folder
from ci_magics.workspace.location import settings_folder
from ci_magics.workspace.models import SignInRecord
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]

_REFRESH_TOKEN = "CI_MAGICS_REFRESH_TOKEN"  # noqa: S105 - the name of a variable
_WAYS = (
    "Sign in from a notebook or terminal with %ci_connect NAME --sign-in, or set CI_MAGICS_CLIENT_ID, "
    "CI_MAGICS_REFRESH_TOKEN and CI_MAGICS_DEVELOPER_TOKEN for unattended runs."
)


@dataclass(frozen=True)
class SignInFor:
    """What somebody signs in for. The scope is that of the endpoints which the tokens are for.

    Parameters
    ----------
    id, name
        Of the connection or source.
    flow
        ``device``, ``browser`` or ``env``; chosen by what the kernel can do unless given.
    client_id, tenant
        The application in Microsoft Entra; from the environment unless given.
    refresh_token
        Name of the environment variable that signs in unattended.
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
    """Return the access tokens of the current user, for the scope of some endpoints.

    Parameters
    ----------
    workspace
        Where it is noted who signed in for what.
    wanted
        What for.
    endpoints
        Whose scope the tokens are for.
    show
        Called with each sentence that the person must see.
    ask
        Whether a person who is there may be asked.
    again
        Whether somebody is to be asked even though a sign-in is known.

    Raises
    ------
    SignInError
        Nobody is signed in and nobody can be asked, or Microsoft refused.
    """
    if endpoints.is_emulator and wanted.flow not in ("device", "browser"):
        # The emulator's own user has nobody to ask, and no real token is ever sent there.
        app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
        return signin.sign_in_to_emulator(app, endpoints)
    app = application(workspace, wanted, endpoints, show)
    tokens = None if again else _known(workspace, wanted, app, endpoints, ask=ask)
    if tokens is None:
        tokens = _asked(app, wanted, endpoints, show, ask=ask)
        note_sign_in(workspace, wanted.id, tokens.home_account_id)
    return tokens


def application(workspace: Workspace, wanted: SignInFor, endpoints: Endpoints, show: Show) -> Any:
    """Return the MSAL application that signs in, with the tokens that are kept of the current user.

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
            "Give one with --client-id, or set CI_MAGICS_CLIENT_ID.",
            code="no_client_id",
        )
    cache = open_cache(_tokens_folder(workspace) / f"{endpoints.environment}.bin", show)
    return signin.open_application(endpoints, client_id=client_id, tenant=tenant, cache=cache)


def _tokens_folder(workspace: Workspace) -> Path:
    """Return the folder of tokens of the current user: among the settings, else in the workspace's own folder.

    A container often runs as a user who has no home folder, or one that nobody may write to.
    """
    name = f"sign-in-{quote(workspace.user, safe='')}"
    try:
        return private_folder(settings_folder() / name)
    except WorkspaceError:
        return private_folder(workspace.folder / name)


def note_sign_in(workspace: Workspace, subject_id: str, home_account_id: str) -> None:
    """Note which account the current user takes for a connection or source."""
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
    """Return which account the current user took for a connection or source."""
    return next(iter(workspace.sign_ins.where(user=workspace.user, subject_id=subject_id)), None)


def forget_sign_in(workspace: Workspace, subject_id: str) -> None:
    """Forget which account the current user took for a connection or source."""
    for each in workspace.sign_ins.where(user=workspace.user, subject_id=subject_id):
        workspace.sign_ins.remove(each.id)


def needs_a_person(wanted: SignInFor, *, is_emulator: bool, is_signed_in: bool) -> bool:
    """Tell whether signing in takes somebody who is there, as far as it can be told from here.

    Parameters
    ----------
    wanted
        What for.
    is_emulator
        Whether it leads to the emulator, whose own user has nobody to ask.
    is_signed_in
        Whether the current user has signed in for it, so that the tokens can be renewed.
    """
    if is_emulator and wanted.flow not in ("device", "browser"):
        return False
    return not is_signed_in and not os.environ.get(wanted.refresh_token)


def can_ask() -> bool:
    """Tell whether somebody is there to answer: not under nbconvert, nbval or papermill."""
    kernel = getattr(_shell(), "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # it is closed
        return False


def is_local() -> bool:
    """Tell whether a browser opened here would open before the person: not on a hub or behind a remote shell."""
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
    """Return the tokens of an earlier sign-in; None where there is none, or where it has ended and can be renewed."""
    noted = noted_sign_in(workspace, wanted.id)
    identity = noted.home_account_id if noted else _only_one(wanted, app, ask=ask)
    tokens = signin.tokens_of(app, endpoints.scope, identity) if identity else None
    if tokens is None:
        return None
    try:
        tokens.token()
    except SignInError as error:
        if isinstance(error, SignInUnreachableError) or not (_unattended(wanted) or (ask and can_ask())):
            raise
        return None
    return tokens


def _only_one(wanted: SignInFor, app: Any, *, ask: bool) -> str | None:
    """Return the only account that is signed in; several are not chosen from by chance."""
    if _unattended(wanted):
        return None
    accounts = signin.signed_in(app)
    if len(accounts) > 1 and not (ask and can_ask()):
        raise SignInError(
            f"{counted_in_words(len(accounts), 'account', 'is')} signed in, and none was chosen for '{wanted.name}'.",
            f"See them with %ci_connect {magic_word(wanted.name)} --accounts, and choose one with --account N.",
            code="several_accounts",
        )
    return accounts[0].home_account_id if len(accounts) == 1 else None


def _unattended(wanted: SignInFor) -> bool:
    return wanted.flow == "env" or (wanted.flow is None and bool(os.environ.get(wanted.refresh_token)))


def _asked(app: Any, wanted: SignInFor, endpoints: Endpoints, show: Show, *, ask: bool) -> signin.MsalTokens:
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
        return signin.sign_in_by_browser(app, endpoints.scope, show)
    return signin.sign_in_by_device_code(app, endpoints.scope, show)
