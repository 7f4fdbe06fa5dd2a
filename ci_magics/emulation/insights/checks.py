"""Authenticate calls of Customer Insights and Dataverse."""

from __future__ import annotations

import hmac

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.replies import api_error, gateway_error, not_signed_in, not_signed_in_to_dataverse
from ci_magics.emulation.insights.throttling import admit_insights
from ci_magics.emulation.sign_in.audience_check import opens
from ci_magics.emulation.state import DATAVERSE, INSIGHTS, World

_KEY = "Ocp-Apim-Subscription-Key"
_REALM = 'realm="https://api.ci.ai.dynamics.com/v1"'


def check_insights(world: World, call: Call) -> None:
    """Require the gateway's key, a sign-in for Customer Insights, and an existing instance.

    The gateway is under ``/v1``. The older address, ``/api``, has no gateway and needs no key.
    """
    if call.path.startswith("/v1/"):
        _check_key(world, call)
    if not _is_signed_in(world, call, INSIGHTS):
        raise not_signed_in()
    admit_insights(world)
    if call.arguments.get("instance", world.insights.home) not in world.insights.instances:
        raise api_error(404, "There is no such instance.")


def check_dataverse(world: World, call: Call) -> None:
    """Require a sign-in for the organization."""
    if not _is_signed_in(world, call, DATAVERSE):
        raise not_signed_in_to_dataverse()


def _check_key(world: World, call: Call) -> None:
    given = call.headers.get(_KEY)
    if given and hmac.compare_digest(given.encode(), world.subscription_key.encode()):
        return
    challenge = f'AzureApiManagementKey {_REALM},name="{_KEY}",type="header"'
    problem = "The subscription key is not valid." if given else "The subscription key is missing."
    raise gateway_error(401, problem, {"WWW-Authenticate": challenge})


def _is_signed_in(world: World, call: Call, service: str) -> bool:
    scheme, _, value = (call.headers.get("Authorization") or "").partition(" ")
    token = world.access_tokens.get(value) if scheme == "Bearer" else None
    if token is None or token.expires <= world.clock.now() or not opens(token.scope, service):
        return False
    call.user_id = token.user_id
    return True
