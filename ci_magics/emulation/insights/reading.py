"""Shared helpers of the management operations: read parameters and bodies, and spell enumerations."""

from __future__ import annotations

import json
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.checks import check_insights
from ci_magics.emulation.insights.replies import api_error, recased
from ci_magics.emulation.state import World

_ENUMS = frozenset(
    (
        "instanceType",
        "provisioningState",
        "kind",
        "state",
        "type",
        "rowsetOperation",
        "logicalOperator",
        "comparisonOperator",
        "jobStatus",
        "jobType",
        "jobSubmissionKind",
        "operationType",
        "taskStatus",
        "entityType",
        "principalType",
    )
)


def begin(world: World, call: Call, *known: str) -> None:
    """Authenticate a call, and reject unknown parameters.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    *known
        The parameters that the operation accepts.
    """
    check_insights(world, call)
    unknown = sorted(set(call.query) - set(known))
    if unknown:
        raise api_error(400, f"The query parameter {unknown[0]} is not known.")


def at_home(world: World, call: Call) -> bool:
    """Return whether the instance is the one with data; the other is empty."""
    return call.arguments["instance"] == world.insights.home


def whole(call: Call, name: str, default: int) -> int:
    """Return a whole number from the query.

    Parameters
    ----------
    call
        The request.
    name
        The parameter's name.
    default
        The value if the parameter is missing.
    """
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise api_error(400, f"{name} must be a whole number from 0.")
    return int(text)


def flag(call: Call, name: str) -> bool:
    """Return a Boolean from the query; False if it is missing.

    Parameters
    ----------
    call
        The request.
    name
        The parameter's name.
    """
    text = call.query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise api_error(400, f"{name} must be true or false.")
    return text == "true"


def body_of(call: Call) -> Any:
    """Return the JSON value of the body; the public client sends it as ``application/json-patch+json``."""
    if "json" not in (call.headers.get("Content-Type") or ""):
        raise api_error(415, "Content-Type must be JSON.")
    try:
        return json.loads(call.body)
    except ValueError:
        raise api_error(400, "The body is not JSON.") from None


def object_of(call: Call) -> dict[str, Any]:
    """Return the JSON object of the body."""
    body = body_of(call)
    if not isinstance(body, dict):
        raise api_error(400, "The body is not a JSON object.")
    return body


def shown(world: World, body: Any) -> Any:
    """Spell the enumerations of an answer according to the setting ``enum_case``.

    Parameters
    ----------
    world
        The emulator's state.
    body
        The answer's JSON value.
    """
    spelling = world.settings.enum_case
    return body if spelling == "mixed" else recased(body, _ENUMS, spelling)
