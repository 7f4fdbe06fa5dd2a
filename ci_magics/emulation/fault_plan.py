"""The faults that tests and demonstrations can request, and their validation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ci_magics.emulation.codes import NAMES
from ci_magics.emulation.insights.faults import (
    DATAVERSE_OPERATIONS,
    INSIGHTS_FAULTS,
    INSIGHTS_OPERATIONS,
    is_insights,
)
from ci_magics.emulation.sign_in.refusals import CODES as ENTRA_CODES
from ci_magics.emulation.state import PlannedFault

_CAMPAIGN = (
    "AddAudiences",
    "UpdateAudiences",
    "DeleteAudiences",
    "GetAudiencesByIds",
    "ApplyCustomerListUserData",
    "ApplyCustomerListItems",
)
_BULK = ("GetBulkUploadUrl", "UploadFile", "GetBulkUploadStatus", "GetResultFile")
#: Operations in which random faults occur if the setting ``fault_rate`` is set.
BY_CHANCE = (*_CAMPAIGN, *_BULK, *INSIGHTS_OPERATIONS, *DATAVERSE_OPERATIONS)
OPERATIONS = (
    *_CAMPAIGN,
    *_BULK,
    "GetUser",
    "SearchAccounts",
    "Discovery",
    "InstanceDiscovery",
    "Authorize",
    "DeviceCode",
    "Token",
    *INSIGHTS_OPERATIONS,
    *DATAVERSE_OPERATIONS,
    "*",
)

STATUSES = (
    "PendingFileUpload",
    "FileUploaded",
    "InProgress",
    "Failed",
    "Expired",
    "Aborted",
    "UploadFileRowCountExceeded",
    "UploadFileFormatNotSupported",
)
HTTP_STATUSES = {"http_401": 401, "http_403": 403, "http_429": 429, "http_500": 500, "http_503": 503}
SHAPES = ("list", "object", "string", "number", "null", "missing")

_ANYWHERE = frozenset(OPERATIONS)
#: Each fault by name, and the operations in which it can occur.
FAULTS: dict[str, frozenset[str]] = {
    # Processed but the answer is lost; the request is lost; the connection is reset in the middle of the body.
    **dict.fromkeys(("lost_reply", "lost_request", "reset_mid_upload"), _ANYWHERE),
    **dict.fromkeys(HTTP_STATUSES, _ANYWHERE),
    **dict.fromkeys(("http_502_html", "huge_body", "empty_body", "slow", "redirect", "token_expired"), _ANYWHERE),
    "invalid_grant": frozenset({"Token", "DeviceCode", "*"}),
    **dict.fromkeys(ENTRA_CODES, frozenset({"Token", "DeviceCode", "Discovery", "*"})),
    "partial": frozenset({*_CAMPAIGN, "UploadFile", "*"}),
    "list_error": frozenset({"UploadFile", "*"}),
    "reordered_result": frozenset({"UploadFile", "*"}),
    "foreign_upload_url": frozenset({"GetBulkUploadUrl", "*"}),
    **dict.fromkeys((f"status_{each}" for each in STATUSES), frozenset({"UploadFile", "GetBulkUploadStatus", "*"})),
    **dict.fromkeys(("result_expired", "damaged_result"), frozenset({"GetResultFile", "*"})),
    **INSIGHTS_FAULTS,
}
DETAILS: dict[str, Callable[[Any], bool]] = {
    "retry_after": lambda value: _is_whole(value) and value >= 0,
    "status": lambda value: _is_whole(value) and 200 <= value <= 599,
    "indexes": lambda value: isinstance(value, list) and all(_is_whole(each) for each in value),
    "code": lambda value: value is None or isinstance(value, str) or _is_whole(value),
    "shape": lambda value: value in SHAPES,
    "as_string": lambda value: isinstance(value, bool),
    "preceded_by": lambda value: _is_whole(value) and value in NAMES,
    "message": lambda value: isinstance(value, str),
    "reordered": lambda value: isinstance(value, bool),
    "seconds": lambda value: is_number(value) and 0 <= value <= 600,
    "outcome": lambda value: value in ("failed", "timedOut", "aborted", "skipped"),
    "times": lambda value: _is_whole(value) and 1 <= value <= 1_000_000,
    "bytes": lambda value: _is_whole(value) and 0 <= value <= 100_000_000,
}


def read_faults(value: Any) -> list[PlannedFault] | str:
    """Return the faults that a control call requests, or a sentence that explains an invalid one."""
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


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _problem(item: Any) -> str | None:
    if not isinstance(item, dict):
        return "each fault must be an object"
    unknown = set(item) - {"operation", "call", "fault", *DETAILS}
    if unknown:
        return f"unknown key {min(unknown)}"
    operation, fault = item.get("operation"), item.get("fault")
    if operation not in OPERATIONS:
        return "unknown operation"
    if not _is_whole(item.get("call")) or item["call"] < 1:
        return "call must be a whole number from 1"
    if not isinstance(fault, str) or not (fault in FAULTS or _is_code(fault)):
        return "unknown fault"
    if operation not in FAULTS.get(fault, _ANYWHERE) or (_is_code(fault) and is_insights(operation)):
        return f"{fault} does not happen to {operation}"
    wrong = [name for name, fits in DETAILS.items() if name in item and not fits(item[name])]
    return f"wrong value of {wrong[0]}" if wrong else None


def _is_code(fault: str) -> bool:
    return (
        fault.isascii() and fault.isdecimal() and len(fault) < 10 and str(int(fault)) == fault and int(fault) in NAMES
    )


def _is_whole(value: Any) -> bool:
    return type(value) is int
