"""The control API for tests and demonstrations: ``/_emulator``, with its own token."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.credentials import ready_credentials
from ci_magics.emulation.fault_plan import is_number, read_faults
from ci_magics.emulation.people import People
from ci_magics.emulation.replies import Refusal, Reply
from ci_magics.emulation.sign_in import device
from ci_magics.emulation.state import EMAIL_NAMES, World

MAX_HOURS = 100_000
MAX_CUSTOMERS = 20_000_000
_RULES: dict[str, Any] = {
    "delay_ms": lambda value: is_number(value) and 0 <= value <= 600_000,
    "match_rule": lambda value: value in ("basic", "enhanced"),
    "match_rate": lambda value: is_number(value) and 0 <= value <= 1,
    "results_after_hours": lambda value: is_number(value) and 0 <= value <= MAX_HOURS,
    "terms_accepted": lambda value: isinstance(value, bool),
    "page_size": lambda value: type(value) is int and 1 <= value <= 10_000,
    "record_bodies": lambda value: isinstance(value, bool),
    "fault_rate": lambda value: is_number(value) and 0 <= value <= 1,
    "fault_seed": lambda value: type(value) is int,
    "customers": lambda value: type(value) is int and 0 <= value <= MAX_CUSTOMERS,
    "next_link": lambda value: value in ("skip", "skiptoken", "none"),
    "email_attributes": lambda value: _are_emails(value),
    "email_semantic_type": lambda value: value in ("IdentityServiceEmail", "Identity.Service.Email", ""),
    "enum_case": lambda value: value in ("mixed", "camel", "pascal"),
    "odata_count": lambda value: isinstance(value, bool),
    "omit_nulls": lambda value: isinstance(value, bool),
    "partitions": lambda value: type(value) is int and 1 <= value <= 1_000,
    "refresh_seconds": lambda value: is_number(value) and 0 <= value <= 86_400,
    "calls_per_minute": lambda value: type(value) is int and 0 <= value <= 1_000_000,
    "dataverse_page_size": lambda value: type(value) is int and 1 <= value <= 5_000,
    "dataverse_requests": lambda value: type(value) is int and 1 <= value <= 1_000_000,
    "dataverse_seconds": lambda value: is_number(value) and 0 < value <= 1_000_000,
    "dataverse_concurrent": lambda value: type(value) is int and 1 <= value <= 10_000,
    "profiles_lag": lambda value: type(value) is int and 0 <= value <= MAX_CUSTOMERS,
}


def _are_emails(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(each, str) and each in EMAIL_NAMES for each in value):
        return False
    return len({each.lower() for each in value}) == len(value)


def check_control(world: World, call: Call) -> None:
    """Require the control token."""
    given = call.headers.get("X-Control-Token") or ""
    if not hmac.compare_digest(given, world.control_token):
        raise Refusal(Reply({"error": "X-Control-Token is missing or wrong"}, 403))


def audiences(world: World, _call: Call) -> Reply:
    """List all audiences, including deleted ones.

    Parameters
    ----------
    world
        The emulator's state.
    _call
        Unused.
    """
    return Reply(
        [
            {
                "Id": each.id,
                "Name": each.name,
                "AccountId": each.account_id,
                "Description": each.description,
                "members": len(each.members),
                "deleted": each.deleted,
            }
            for each in world.audiences.values()
        ]
    )


def members(world: World, call: Call) -> Reply:
    """Return the hashes of a list, sorted, one per line."""
    audience = world.audiences.get(call.arguments["id"])
    if audience is None:
        raise Refusal(Reply({"error": "there is no such audience"}, 404))
    from ci_magics.emulation import hashes  # slow to import, and not needed at startup

    return Reply(hashes.lines(audience.members.sorted()), content_type="text/plain; charset=utf-8")


def requests(world: World, call: Call) -> Reply:
    """Return the requests after a number; headers and bodies only if they were recorded."""
    since = call.query.get("since", "0")
    if not (since.isascii() and since.isdecimal() and len(since) < 19):
        raise _bad("since must be a whole number")
    lines = [asdict(each) for each in world.requests if each.number > int(since)]
    return Reply([{name: value for name, value in each.items() if value is not None} for each in lines])


def clock(world: World, call: Call) -> Reply:
    """Advance the virtual clock."""
    body = _object(call)
    hours: Any = body.get("advance_hours")
    if set(body) != {"advance_hours"} or not is_number(hours) or not 0 <= hours <= MAX_HOURS:
        raise _bad(f"advance_hours must be a number from 0 to {MAX_HOURS}")
    world.clock.advance(hours)
    return Reply({"now": world.clock.now()})


def faults(world: World, call: Call) -> Reply:
    """Replace the planned faults; calls are counted from now on."""
    planned = read_faults(_json(call))
    if isinstance(planned, str):
        raise _bad(planned)
    world.faults, world.calls = planned, {}
    return Reply({"faults": len(planned)})


def people(world: World, call: Call) -> Reply:
    """Set the people that Microsoft knows, so that sizes depend on the matching rule; an empty array removes them."""
    addresses = _json(call)
    if not isinstance(addresses, list) or not all(isinstance(each, str) and "@" in each for each in addresses):
        raise _bad("people must be an array of e-mail addresses")
    world.people = People.of(addresses) if addresses else None
    return Reply({"people": len(addresses)})


def settings(world: World, call: Call) -> Reply:
    """Change settings; nothing changes if one is invalid."""
    body = _object(call)
    for name, value in body.items():
        if name not in _RULES:
            raise _bad(f"unknown setting {name}")
        if not _RULES[name](value):
            raise _bad(f"wrong value of {name}")
    world.settings = replace(world.settings, **body)
    world.insights.changed()
    return Reply(asdict(world.settings))


def show_settings(world: World, _call: Call) -> Reply:
    """Return the settings.

    Parameters
    ----------
    world
        The emulator's state.
    _call
        Unused.
    """
    return Reply(asdict(world.settings))


def reset(world: World, _call: Call) -> Reply:
    """Reset the state.

    Parameters
    ----------
    world
        The emulator's state.
    _call
        Unused.
    """
    world.reset()
    return Reply(asdict(world.settings))


def credentials(world: World, call: Call) -> Reply:
    """Issue new credentials, as in the first line of output; use it after a token has expired."""
    return Reply(ready_credentials(world, call.origin))


def stop(world: World, _call: Call) -> Reply:
    """End the process; with a state folder, the next process continues from the same state.

    Parameters
    ----------
    world
        The emulator's state.
    _call
        Unused.
    """
    world.stop()
    return Reply({})


def settle(world: World, _call: Call) -> Reply:
    """Remove traces of removed members from disk now; otherwise this happens half a second after the last call.

    Parameters
    ----------
    world
        The emulator's state.
    _call
        Unused.
    """
    if world.storage is not None:
        for audience in world.storage.unsettled(world):
            world.storage.settle(audience)
        world.storage.overwrite_deleted()
    return Reply({})


def approve_device_code(world: World, call: Call) -> Reply:
    """Answer a device code sign-in on behalf of the user."""
    body = _object(call)
    code, accept = body.get("user_code"), body.get("accept", True)
    if set(body) - {"user_code", "accept"} or not isinstance(code, str) or not isinstance(accept, bool):
        raise _bad("user_code must be a string, accept a boolean")
    if not device.approve(world, code, accept):
        raise Refusal(Reply({"error": "there is no such code"}, 404))
    return Reply({})


def schema(_world: World, _call: Call) -> Reply:
    """Return the JSON schema of these calls.

    Parameters
    ----------
    _world
        Unused.
    _call
        Unused.
    """
    return Reply(json.loads(files("ci_magics.emulation").joinpath("control.schema.json").read_text("utf-8")))


def _json(call: Call) -> Any:
    try:
        return json.loads(call.body)
    except ValueError:
        raise _bad("the body is not JSON") from None


def _object(call: Call) -> dict[str, Any]:
    body = _json(call)
    if not isinstance(body, dict):
        raise _bad("the body is not a JSON object")
    return body


def _bad(problem: str) -> Refusal:
    return Refusal(Reply({"error": problem}, 400))
