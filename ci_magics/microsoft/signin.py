"""Sign in to Microsoft through MSAL, with the same code and authority for every environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msal
import requests

from ci_magics.advice import Opt, advise, joined
from ci_magics.display.output import asking
from ci_magics.errors import SignInError, SignInUnreachableError
from ci_magics.microsoft.endpoints import LOGIN_HOST, Endpoints
from ci_magics.microsoft.entra import TIMEOUT, EntraSession, hidden_fields, not_answered
from ci_magics.microsoft.faults import sign_in_error
from ci_magics.microsoft.http import open_session
from ci_magics.microsoft.signin_prompt import SignInPrompt
from ci_magics.microsoft.unreachable import EMULATOR_GONE

Flow = Literal["device", "browser", "env"]
FLOWS: tuple[Flow, ...] = ("device", "browser", "env")

#: The only application that the emulator knows; real ones are registered in Microsoft Entra.
EMULATOR_CLIENT_ID = "11111111-2222-3333-4444-555555555555"
_UNDOCUMENTED = advise(
    "Microsoft Advertising does not document signing in by a code: if it stays, use ", Opt("flow", "browser"), "."
)
_LOOPBACK_REDIRECT = "http://localhost"
_BROWSER_SECONDS = 300
#: How MSAL's message begins if Microsoft does not describe the tenant.
_AUTHORITY = "Unable to get authority configuration"


class MsalTokens:
    """Access tokens of a signed-in user, renewed when needed.

    Parameters
    ----------
    app
        The MSAL application that holds the token cache.
    account
        MSAL's account of the user.
    scope
        The scope of the tokens.
    """

    def __init__(self, app: msal.PublicClientApplication, account: Mapping[str, Any], scope: str) -> None:
        self._app = app
        self._account = account
        self._scope = scope

    @property
    def username(self) -> str:
        """The name with which the user signed in."""
        return str(self._account.get("username") or "")

    @property
    def home_account_id(self) -> str:
        """Microsoft's id of the user: not a name, and the same for every application."""
        return str(self._account.get("home_account_id") or "")

    @property
    def directory(self) -> str:
        """The id of the user's directory (tenant)."""
        return self.home_account_id.partition(".")[2]

    def token(self) -> str:
        """Return a valid access token."""
        return self._silently(force_refresh=False)

    def renew(self) -> str:
        """Return a new access token after the last one was rejected."""
        return self._silently(force_refresh=True)

    def __repr__(self) -> str:
        return "<MsalTokens>"

    def _silently(self, *, force_refresh: bool) -> str:
        with _reachable():
            answer = self._app.acquire_token_silent_with_error(
                [self._scope], account=self._account, force_refresh=force_refresh
            )
        return str(_checked(answer)["access_token"])


def open_application(
    endpoints: Endpoints,
    *,
    client_id: str,
    tenant: str = "common",
    cache: msal.TokenCache | None = None,
) -> msal.PublicClientApplication:
    """Return the MSAL application that signs in to an environment.

    Parameters
    ----------
    endpoints
        The URLs of the environment.
    client_id
        The application's id in Microsoft Entra.
    tenant
        A tenant id, or ``common``.
    cache
        Where tokens are stored; in memory by default.
    """
    with _reachable():
        return msal.PublicClientApplication(
            client_id,
            authority=f"{LOGIN_HOST}/{tenant}",
            http_client=EntraSession(endpoints),
            token_cache=cache,
        )


@dataclass(frozen=True)
class SignedIn:
    """A user who signed in on this machine earlier."""

    home_account_id: str
    username: str = field(repr=False)


def signed_in(app: msal.PublicClientApplication) -> list[SignedIn]:
    """Return the users whose tokens are in the cache.

    Parameters
    ----------
    app
        The application with the token cache.
    """
    with _reachable():
        accounts = app.get_accounts()
    return [SignedIn(str(each["home_account_id"]), str(each.get("username") or "")) for each in accounts]


def tokens_of(app: msal.PublicClientApplication, scope: str, home_account_id: str) -> MsalTokens | None:
    """Return the tokens of a user who signed in earlier, or None.

    Parameters
    ----------
    app
        The application with the token cache.
    scope
        The scope of the tokens.
    home_account_id
        Microsoft's id of the user.
    """
    with _reachable():
        accounts = app.get_accounts()
    account = next((each for each in accounts if each["home_account_id"] == home_account_id), None)
    return MsalTokens(app, account, scope) if account else None


def sign_out(app: msal.PublicClientApplication, home_account_id: str) -> None:
    """Remove a user's tokens from this machine, without contacting Microsoft.

    Parameters
    ----------
    app
        The application with the token cache.
    home_account_id
        Microsoft's id of the user.
    """
    with _reachable():
        accounts = app.get_accounts()
    for account in accounts:
        if account["home_account_id"] == home_account_id:
            app.remove_account(account)


def sign_in_by_device_code(app: msal.PublicClientApplication, scope: str, show: Callable[[str], None]) -> MsalTokens:
    """Show a link and a code, and wait until the user has signed in; can be interrupted.

    Parameters
    ----------
    app
        The application that signs in.
    scope
        The scope of the tokens.
    show
        Called with the prompt.

    Raises
    ------
    SignInError
        The sign-in failed, expired, or was canceled.
    """
    with _reachable():
        flow = app.initiate_device_flow([scope])
    try:
        if "user_code" not in flow:
            _checked(flow)
        prompt = SignInPrompt.for_code(flow)
        asking(show)(prompt)
        with _reachable():
            answer = app.acquire_token_by_device_flow(flow)
        prompt.require_going_on()
        return _tokens(app, scope, answer)
    except SignInError as error:
        error.advice = joined([error.advice, _UNDOCUMENTED])
        raise


def sign_in_by_browser(
    app: msal.PublicClientApplication, scope: str, show: Callable[[str], None], *, choose: bool = False
) -> MsalTokens:
    """Open this machine's browser, and wait until the user has signed in or canceled.

    Parameters
    ----------
    app
        The application that signs in.
    scope
        The scope of the tokens.
    show
        Called with the prompt, then with the URL.
    choose
        Whether Microsoft asks for the account, even if the browser is signed in to one: another person may sign in.

    Raises
    ------
    SignInError
        The sign-in failed, was canceled, or took more than five minutes.
    """
    prompt, show = SignInPrompt.for_browser(), asking(show)
    show(prompt)
    try:
        with _reachable():
            answer = prompt.wait_for(
                lambda: app.acquire_token_interactive(
                    [scope],
                    prompt="select_account" if choose else None,
                    timeout=_BROWSER_SECONDS,
                    auth_uri_callback=lambda uri: show(f"Or open {uri}"),
                )
            )
    except OSError as error:
        raise SignInError(
            f"The browser cannot come back to this machine ({type(error).__name__}).",
            advise("Use ", Opt("flow", "device"), ": it needs no browser here."),
            code="sign_in_no_way_back",
        ) from None
    except RuntimeError:
        raise SignInError(
            "Nobody signed in within five minutes.",
            advise("Run it again, or use ", Opt("flow", "device"), "."),
            code="sign_in_timeout",
        ) from None
    return _tokens(app, scope, answer)


def sign_in_by_refresh_token(app: msal.PublicClientApplication, scope: str, refresh_token: str) -> MsalTokens:
    """Sign in unattended with a refresh token; the new one is cached before it is used.

    Parameters
    ----------
    app
        The application that signs in.
    scope
        The scope of the tokens.
    refresh_token
        The refresh token.
    """
    with _reachable():
        answer = app.acquire_token_by_refresh_token(refresh_token, [scope])
    return _tokens(app, scope, answer)


def sign_in_to_emulator(app: msal.PublicClientApplication, endpoints: Endpoints) -> MsalTokens:
    """Sign in to the emulator with authorization code and PKCE, and act as the browser too.

    The emulator's user signs in without interaction, so that a first notebook runs without an account.

    Parameters
    ----------
    app
        The application that signs in.
    endpoints
        The URLs of the emulator.

    Raises
    ------
    SignInUnreachableError
        The emulator cannot be reached, or its response is unusable.
    """
    with _reachable():
        flow = app.initiate_auth_code_flow(
            [endpoints.scope], redirect_uri=_LOOPBACK_REDIRECT, response_mode="form_post"
        )
    with open_session(endpoints) as browser:
        try:
            page = browser.get(flow["auth_uri"], timeout=TIMEOUT)
        except requests.RequestException:
            raise SignInUnreachableError(
                "The emulator cannot be reached.", EMULATOR_GONE, code="emulator_unreachable"
            ) from None
    form = hidden_fields(page.text)
    if not form:
        raise SignInUnreachableError(
            "The emulator's sign-in gave no usable answer.", EMULATOR_GONE, code="sign_in_unreachable"
        )
    with _reachable():
        answer = app.acquire_token_by_auth_code_flow(flow, form)
    return _tokens(app, endpoints.scope, answer)


@contextmanager
def _reachable() -> Iterator[None]:
    """Convert every failure to reach Microsoft's sign-in, or to store its response, into one error."""
    try:
        yield
    except requests.RequestException as error:
        raise not_answered(error) from None
    except (ValueError, msal.exceptions.MsalError) as error:
        if _AUTHORITY not in str(error):
            raise SignInUnreachableError(
                "Microsoft's sign-in gave an answer that does not belong to this sign-in.",
                "Sign in again; close other windows in which you began to.",
                code="sign_in_unreachable",
            ) from None
        raise SignInError(
            "Microsoft's sign-in does not know the tenant of the connection.",
            advise("Check the tenant (", Opt("tenant"), "): its id, or a domain of your organization."),
            code="unknown_tenant",
        ) from None
    except OSError as error:
        raise SignInError(
            f"Your sign-in cannot be kept on this machine ({type(error).__name__}).",
            "Make room on the disk, and check that the folder of your settings is yours; then sign in again.",
            code="tokens_not_kept",
        ) from None


def _tokens(app: msal.PublicClientApplication, scope: str, answer: Mapping[str, Any] | None) -> MsalTokens:
    claims = _checked(answer).get("id_token_claims") or {}
    with _reachable():
        accounts = app.get_accounts()
    username = claims.get("preferred_username")
    account = next((each for each in accounts if each.get("username") == username), accounts[0] if accounts else None)
    if account is None:
        raise SignInError(
            "Microsoft answered without saying who signed in.", "Sign in again.", code="sign_in_without_account"
        )
    return MsalTokens(app, account, scope)


def _checked(answer: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a response with a token, or raise an error without the provider's text."""
    if answer and "access_token" in answer:
        return answer
    raise sign_in_error(answer or {})
