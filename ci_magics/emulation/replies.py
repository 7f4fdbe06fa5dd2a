"""Answers of the services, in the formats that Microsoft documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ci_magics.emulation.codes import error_code, message

_UNAUTHENTICATED = frozenset({105, 109})
_FORBIDDEN = frozenset({106, 108, 120, 122, 123, 124, 125, 126, 1001})


@dataclass
class Reply:
    """An answer: a JSON value, text, bytes, or an iterator of bytes for streaming."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    breaks_off: bool = False  # break the connection after the body, as if more data followed

    def encoded(self) -> bytes | Iterator[bytes]:
        """Return the body as bytes or an iterator of bytes."""
        if isinstance(self.body, Iterator | bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Refusal(Exception):  # noqa: N818 - an answer, not an error of the program
    """An answer that ends the processing of a request."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def status_of(code: int) -> int:
    """Return the HTTP status of a fault. Only 109 -> 401 was observed; the others are a guess."""
    if code in _UNAUTHENTICATED:
        return 401
    if code in _FORBIDDEN:
        return 403
    if code == 117:
        return 429
    return 500 if code == 0 else 400


def ad_api_fault(code: int) -> Refusal:
    """Build an AdApiFaultDetail: sign-in, rate and system errors. Its elements have ``Detail``, in the singular."""
    element = {"Code": code, "Detail": None, "ErrorCode": error_code(code), "Message": message(code)}
    return Refusal(Reply({"TrackingId": None, "Type": "AdApiFaultDetail", "Errors": [element]}, status_of(code)))


def api_fault_detail(code: int, details: str | None = None) -> Refusal:
    """Build an ApiFaultDetail: the whole request is invalid. Its elements have ``Details``, in the plural.

    Parameters
    ----------
    code
        The error code.
    details
        The text of Details, if any.
    """
    element = {"Code": code, "Details": details, "ErrorCode": error_code(code), "Message": message(code)}
    body = {"TrackingId": None, "Type": "ApiFaultDetail", "OperationErrors": [element], "BatchErrors": []}
    return Refusal(Reply(body, status_of(code)))


def api_fault(code: int, details: str | None = None) -> Refusal:
    """Build an ApiFault, the format of Customer Management, which has no ErrorCode.

    Parameters
    ----------
    code
        The error code.
    details
        The text of Details, if any.
    """
    element = {"Code": code, "Details": details, "Message": message(code)}
    return Refusal(Reply({"TrackingId": None, "Type": "ApiFault", "OperationErrors": [element]}, status_of(code)))


def upload_fault(code: int, request_id: str | None) -> Refusal:
    """Build the flat error of the upload address.

    Parameters
    ----------
    code
        The error code.
    request_id
        The upload's id, if known.
    """
    body = {
        "TrackingId": None,
        "RequestId": request_id,
        "Code": code,
        "ErrorCode": error_code(code),
        "Message": message(code),
    }
    status = status_of(code)
    return Refusal(Reply(body, 400 if status == 403 else status))


def fault_for(operation: str, code: int) -> Refusal:
    """Build the fault for a code in the operation's format.

    Parameters
    ----------
    operation
        The operation's name.
    code
        The error code.
    """
    if operation == "UploadFile":
        return upload_fault(code, None)
    if code < 200 or code in (1010, 1011):
        return ad_api_fault(code)
    if operation in ("GetUser", "SearchAccounts"):
        return api_fault(code)
    return api_fault_detail(code)


def batch_error(code: int | str | None, index: int, field_path: str | None = None) -> dict[str, Any]:
    """Build one element of PartialErrors (page "BatchError").

    Parameters
    ----------
    code
        The error code; None leaves the property out, which only a fault requests.
    index
        The index of the item in the request.
    field_path
        The invalid field, if known.
    """
    element = {
        "Type": "BatchError",
        "Code": code,
        "Details": None,
        "ErrorCode": error_code(code),
        "FieldPath": field_path,
        "ForwardCompatibilityMap": None,
        "Index": index,
        "Message": message(code),
    }
    return element if code is not None else {name: element[name] for name in element if name != "Code"}


def operation_error(code: int | str) -> dict[str, Any]:
    """Build one element of a bulk status's Errors (page "OperationError")."""
    return {
        "Type": "OperationError",
        "Code": code,
        "Details": None,
        "ErrorCode": error_code(code),
        "Message": message(code),
    }
