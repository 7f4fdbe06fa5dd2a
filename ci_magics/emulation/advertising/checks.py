"""Authenticate and authorize calls by their headers (guide "Request header elements")."""

from __future__ import annotations

from ci_magics.emulation.call import Call
from ci_magics.emulation.replies import ad_api_fault, api_fault_detail
from ci_magics.emulation.state import ADVERTISING, SANDBOX_ADVERTISING, UNIVERSAL_DEVELOPER_TOKEN, Token, World

_SCOPES = (ADVERTISING, SANDBOX_ADVERTISING)


def check_user(world: World, call: Call) -> None:
    """Require a sign-in and a developer token."""
    authorization = call.headers.get("Authorization")
    developer_token = call.headers.get("DeveloperToken")
    if not authorization or not developer_token:
        raise ad_api_fault(116)
    scheme, _, value = authorization.partition(" ")
    if scheme != "Bearer":
        raise ad_api_fault(105)
    call.user_id = check_token(world, value).user_id
    if developer_token != UNIVERSAL_DEVELOPER_TOKEN:
        raise ad_api_fault(105)


def check_token(world: World, value: str) -> Token:
    """Require a valid token for Microsoft Advertising.

    Parameters
    ----------
    world
        The emulator's state.
    value
        The access token.
    """
    token = world.access_tokens.get(value)
    if token is None or token.scope not in _SCOPES:
        raise ad_api_fault(105)
    if token.expires <= world.clock.now():
        raise ad_api_fault(109)
    return token


def check_account(world: World, call: Call) -> None:
    """Require a customer and one of its accounts that the user can access."""
    check_user(world, call)
    call.customer_id = call.headers.get("CustomerId") or ""
    call.account_id = call.headers.get("CustomerAccountId") or ""
    if not call.customer_id:
        raise api_fault_detail(1029)
    if not call.account_id:
        raise api_fault_detail(1030)
    check_access(world, call.customer_id, call.account_id)


def check_access(world: World, customer_id: str, account_id: str) -> None:
    """Require that the seeded user can access the account.

    Parameters
    ----------
    world
        The emulator's state.
    customer_id
        The customer's id.
    account_id
        The account's id.
    """
    account = world.accounts.get(account_id)
    if customer_id != world.user.customer_id or account is None or account.customer_id != customer_id:
        raise ad_api_fault(106)
