"""Inject planned and random faults into calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.fault_plan import BY_CHANCE, HTTP_STATUSES
from ci_magics.emulation.insights.faults import cut, is_insights, service_fault
from ci_magics.emulation.insights.replies import storage_error
from ci_magics.emulation.replies import Reply, batch_error, fault_for, operation_error
from ci_magics.emulation.sign_in.refusals import CODES as ENTRA_CODES
from ci_magics.emulation.sign_in.refusals import refusal
from ci_magics.emulation.sign_in.replies import invalid_grant
from ci_magics.emulation.state import World

HUGE = 5_000_000
_PASSING = ("0", "lost_reply", "lost_request", "http_502_html", "empty_body")
_PASSING_INSIGHTS = ("http_503", "lost_reply", "lost_request", "http_502_html", "empty_body", "broken_off")
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Injected:
    """The fault of one call, with its details."""

    fault: str = ""
    details: dict[str, Any] | None = None

    def detail(self, name: str, default: Any) -> Any:
        """Return a detail of the fault.

        Parameters
        ----------
        name
            The detail's name.
        default
            The value if it is not given.
        """
        return (self.details or {}).get(name, default)

    @property
    def status(self) -> str:
        """The bulk status that the fault causes, if any."""
        return self.fault.removeprefix("status_") if self.fault.startswith("status_") else ""


def next_fault(world: World, operation: str) -> Injected:
    """Count a call and return its fault; most calls have none.

    Parameters
    ----------
    world
        The emulator's state.
    operation
        The operation's name.
    """
    world.calls[operation] = world.calls.get(operation, 0) + 1
    world.calls["*"] = world.calls.get("*", 0) + 1
    return _fault_of(world, operation, world.calls)


def cuts_upload(world: World, operation: str) -> bool:
    """Return whether the next call of an operation must be cut in the middle; called before its body arrives.

    Parameters
    ----------
    world
        The emulator's state.
    operation
        The operation's name.
    """
    calls = {name: world.calls.get(name, 0) + 1 for name in (operation, "*")}
    return _fault_of(world, operation, calls).fault == "reset_mid_upload"


def _fault_of(world: World, operation: str, calls: dict[str, int]) -> Injected:
    for planned in world.faults:
        since = calls.get(planned.operation, 0) - planned.call
        if planned.operation in (operation, "*") and 0 <= since < planned.details.get("times", 1):
            return Injected(planned.fault, planned.details)
    return _by_chance(world, operation, calls[operation])


def _by_chance(world: World, operation: str, number: int) -> Injected:
    """Return a random transient fault; the same seed affects the same calls."""
    rate = world.settings.fault_rate
    if not rate or operation not in BY_CHANCE:
        return Injected()
    chance = random.Random(f"{world.settings.fault_seed}:{operation}:{number}")  # noqa: S311 - no secret
    passing = _PASSING_INSIGHTS if is_insights(operation) else _PASSING
    return Injected(chance.choice(passing)) if chance.random() < rate else Injected()


def prepare(operation: str, injected: Injected, call: Call) -> None:
    """Pass the fault to a call, so that rejected items are not processed.

    Parameters
    ----------
    operation
        The operation's name.
    injected
        The injected fault.
    call
        The request.
    """
    call.fault, call.fault_details = injected.fault, injected.details or {}
    if injected.fault == "partial" and operation != "UploadFile" and injected.detail("shape", "list") == "list":
        call.refused = frozenset(index for index in injected.detail("indexes", [0]) if index >= 0)


def instead(world: World, operation: str, injected: Injected, call: Call) -> Reply | None:
    """Return the answer that replaces the real one, before anything is done.

    Parameters
    ----------
    world
        The emulator's state.
    operation
        The operation's name.
    injected
        The injected fault.
    call
        The request.
    """
    make = _INSTEAD.get("http" if injected.fault in HTTP_STATUSES else injected.fault)
    if injected.fault.isdecimal():
        make = _code
    elif injected.fault in ENTRA_CODES:
        make = _refused_by_entra
    if make is None:
        return None
    reply = make(world, operation, injected, call)
    reply.status = injected.detail("status", reply.status)
    if injected.detail("retry_after", None) is not None:
        reply.headers["Retry-After"] = str(injected.detail("retry_after", 0))
    return reply


def after(operation: str, injected: Injected, reply: Reply) -> Reply:
    """Change the answer of a call that was processed.

    Parameters
    ----------
    operation
        The operation's name.
    injected
        The injected fault.
    reply
        The answer.
    """
    if injected.fault == "empty_body":
        return Reply(b"", injected.detail("status", reply.status), reply.headers, "text/plain")
    if injected.fault == "damaged_result" and isinstance(reply.body, bytes):
        reply.body = reply.body[: len(reply.body) // 2]
    if injected.fault in ("truncated_body", "broken_off"):
        return cut(reply, hang_up=injected.fault == "broken_off")
    if not isinstance(reply.body, dict) or reply.status >= 400:
        return reply
    if injected.fault == "partial" and operation != "UploadFile":
        _make_partial(injected, reply.body)
    if injected.fault == "foreign_upload_url":
        reply.body["UploadUrl"] = "https://uploads.example.com/Bulk/v13/UploadFile/1"
    if injected.status and operation == "GetBulkUploadStatus":
        code = injected.detail("code", None)
        reply.body |= {"RequestStatus": injected.status, "PercentComplete": 0, "ResultFileUrl": None}
        reply.body["Errors"] = None if code is None else [_reword(injected, operation_error(code))]
    return reply


def _code(_world: World, operation: str, injected: Injected, _call: Call) -> Reply:
    reply = fault_for(operation, int(injected.fault)).reply
    before = injected.detail("preceded_by", None)
    for name in ("Errors", "OperationErrors"):
        if before is not None and name in reply.body:
            reply.body[name].insert(0, reply.body[name][0] | {"Code": before, "ErrorCode": None, "Message": None})
    for element in [reply.body, *reply.body.get("Errors", []), *reply.body.get("OperationErrors", [])]:
        if "Code" in element:
            _reword(injected, element)
    return reply


def _reword(injected: Injected, element: dict[str, Any]) -> dict[str, Any]:
    """Write an element's code as text, or replace its messages, if the fault says so."""
    if injected.detail("as_string", False) and "Code" in element:
        element["Code"] = str(element["Code"])
    if injected.detail("message", None) is not None:
        words = dict.fromkeys(("Message", "Detail", "Details"), injected.detail("message", None))
        element |= {name: text for name, text in words.items() if name in element}
    return element


def _bare(_world: World, operation: str, injected: Injected, _call: Call) -> Reply:
    status = HTTP_STATUSES[injected.fault]
    return service_fault(operation, status).reply if is_insights(operation) else Reply({"Message": "Refused."}, status)


def _html(_world: World, _operation: str, _injected: Injected, _call: Call) -> Reply:
    return Reply("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, content_type=_HTML)


def _huge(_world: World, _operation: str, injected: Injected, _call: Call) -> Reply:
    return Reply("<html>" + "x" * injected.detail("bytes", HUGE), 502, content_type=_HTML)


def _redirect(_world: World, _operation: str, _injected: Injected, call: Call) -> Reply:
    # A client that follows the redirect appears among the requests.
    return Reply({}, 307, {"Location": f"{call.origin}/elsewhere"})


def _expired_token(world: World, operation: str, _injected: Injected, call: Call) -> Reply:
    world.expire_access_token((call.headers.get("Authorization") or "").removeprefix("Bearer "))
    if is_insights(operation):
        return service_fault(operation, 401).reply
    return fault_for(operation, 109).reply


def _invalid_grant(world: World, _operation: str, _injected: Injected, _call: Call) -> Reply:
    return invalid_grant(world).reply


def _refused_by_entra(world: World, _operation: str, injected: Injected, _call: Call) -> Reply:
    return refusal(world, injected.fault)


def _expired_result(_world: World, _operation: str, _injected: Injected, _call: Call) -> Reply:
    return Reply({"Message": "The address has expired."}, 403)


def _expired_partition(_world: World, _operation: str, _injected: Injected, _call: Call) -> Reply:
    return storage_error(403, "AuthenticationFailed").reply


_INSTEAD: dict[str, Callable[[World, str, Injected, Call], Reply]] = {
    "http": _bare,
    "http_502_html": _html,
    "huge_body": _huge,
    "redirect": _redirect,
    "token_expired": _expired_token,
    "invalid_grant": _invalid_grant,
    "result_expired": _expired_result,
    "partition_expired": _expired_partition,
}


def _make_partial(injected: Injected, body: dict[str, Any]) -> None:
    indexes = injected.detail("indexes", [0])
    code = injected.detail("code", 8004)
    genuine = [each for each in body.get("PartialErrors") or [] if each["Index"] not in indexes]
    errors = [*genuine, *(_reword(injected, batch_error(code, index)) for index in indexes)]
    shapes: dict[str, Any] = {"list": errors, "object": {"0": errors}, "string": "8004", "number": 1, "null": None}
    shape = injected.detail("shape", "list")
    if shape == "missing":
        del body["PartialErrors"]
    else:
        body["PartialErrors"] = shapes[shape]
