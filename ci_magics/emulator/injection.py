"""What goes wrong on demand: the faults that a test or a demonstration asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ci_magics.emulator import oauth
from ci_magics.emulator.codes import NAMES
from ci_magics.emulator.replies import Reply, batch_error, fault_for
from ci_magics.emulator.state import PlannedFault, World

OPERATIONS = (
    "AddAudiences",
    "UpdateAudiences",
    "DeleteAudiences",
    "GetAudiencesByIds",
    "ApplyCustomerListUserData",
    "ApplyCustomerListItems",
    "GetBulkUploadUrl",
    "UploadFile",
    "GetBulkUploadStatus",
    "GetResultFile",
    "GetUser",
    "SearchAccounts",
    "Discovery",
    "Authorize",
    "DeviceCode",
    "Token",
    "*",
)
#: Carried out, but the answer never arrives; or lost on the way here; or cut in the middle of the body.
CONNECTION_FAULTS = ("lost_reply", "lost_request", "reset_mid_upload")
STATUS_FAULTS = ("status_Failed", "status_Expired", "status_Aborted")
_STATUSES = {"http_401": 401, "http_403": 403, "http_429": 429, "http_500": 500, "http_503": 503}
NAMED = (
    *CONNECTION_FAULTS,
    *STATUS_FAULTS,
    *_STATUSES,
    "http_502_html",
    "empty_body",
    "slow",
    "token_expired",
    "invalid_grant",
    "partial",
    "result_expired",
    "reordered_result",
)
DETAILS: dict[str, type | tuple[type, ...]] = {
    "retry_after": int,
    "indexes": list,
    "code": int,
    "seconds": (int, float),
}


@dataclass(frozen=True)
class Injected:
    """The fault of one call: its name and what belongs to it."""

    fault: str = ""
    details: dict[str, Any] | None = None

    def detail(self, name: str, default: Any) -> Any:
        """Return a detail, or what holds without it."""
        return (self.details or {}).get(name, default)


def read_faults(value: Any) -> list[PlannedFault] | str:
    """Return the faults that a control call asks for, or the sentence that says what is wrong with it."""
    if not isinstance(value, list):
        return "faults must be an array"
    faults: list[PlannedFault] = []
    for item in value:
        problem = _problem(item)
        if problem:
            return problem
        details = {name: item[name] for name in DETAILS if name in item}
        faults.append(PlannedFault(item["operation"], item["call"], item["fault"], details))
    return faults


def next_fault(world: World, operation: str) -> Injected:
    """Count a call and return what goes wrong with it; nothing, mostly."""
    world.calls[operation] = world.calls.get(operation, 0) + 1
    world.calls["*"] = world.calls.get("*", 0) + 1
    for planned in world.faults:
        if planned.operation in (operation, "*") and world.calls[planned.operation] == planned.call:
            return Injected(planned.fault, planned.details)
    return Injected()


def instead(world: World, operation: str, injected: Injected) -> Reply | None:
    """Return the answer that takes the place of the real one, before anything is done."""
    fault = injected.fault
    if fault.isdigit():
        reply = fault_for(operation, int(fault)).reply
    elif fault in _STATUSES:
        reply = Reply({"Message": "Refused."}, _STATUSES[fault])
    elif fault == "http_502_html":
        reply = Reply("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, content_type="text/html")
    elif fault == "token_expired":
        world.expire_access_tokens()
        reply = fault_for(operation, 109).reply
    elif fault == "invalid_grant":
        reply = oauth.invalid_grant(world).reply
    elif fault == "result_expired":
        reply = Reply({"Message": "The address has expired."}, 403)
    else:
        return None
    if injected.detail("retry_after", None) is not None:
        reply.headers["Retry-After"] = str(injected.detail("retry_after", 0))
    return reply


def after(operation: str, injected: Injected, reply: Reply) -> Reply:
    """Change the answer to something that was carried out."""
    if injected.fault == "empty_body":
        return Reply(b"", 200, reply.headers, "text/plain")
    if injected.fault == "partial" and isinstance(reply.body, dict):
        code = injected.detail("code", 8004)
        errors = [batch_error(code, index) for index in injected.detail("indexes", [0])]
        reply.body["PartialErrors"] = errors
    if injected.fault in STATUS_FAULTS and operation == "GetBulkUploadStatus":
        reply.body |= {"RequestStatus": injected.fault.removeprefix("status_"), "PercentComplete": 0}
        reply.body["ResultFileUrl"] = None
    return reply


def _problem(item: Any) -> str | None:
    if not isinstance(item, dict):
        return "each fault must be an object"
    unknown = set(item) - {"operation", "call", "fault", *DETAILS}
    if unknown:
        return f"unknown key {sorted(unknown)[0]}"
    if item.get("operation") not in OPERATIONS:
        return "unknown operation"
    if type(item.get("call")) is not int or item["call"] < 1:
        return "call must be a whole number from 1"
    fault = item.get("fault")
    if not isinstance(fault, str) or not (fault in NAMED or (fault.isdigit() and int(fault) in NAMES)):
        return "unknown fault"
    wrong = [name for name, kind in DETAILS.items() if name in item and not isinstance(item[name], kind)]
    return f"wrong type of {wrong[0]}" if wrong else None
