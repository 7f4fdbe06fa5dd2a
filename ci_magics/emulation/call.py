"""A request as the services see it, and validated readers of its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ci_magics.emulation.replies import api_fault_detail

_LONG = re.compile("-?[0-9]{1,19}")


@dataclass
class UploadedFile:
    """A file in a multipart body."""

    name: str
    content: bytes


@dataclass
class Call:
    """One request.

    Parameters
    ----------
    method, path, query, headers, body
        As received; header names in any case.
    host
        The Host header, with which returned URLs begin.
    arguments
        Named parts of the path.
    refused
        The indexes of items that an injected fault rejects.
    raw_query
        The query string, not decoded.
    fault, fault_details
        The injected fault, for operations that handle it themselves.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    host: str
    arguments: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    files: list[UploadedFile] = field(default_factory=list)
    user_id: str = ""
    customer_id: str = ""
    account_id: str = ""
    refused: frozenset[int] = frozenset()
    raw_query: str = ""
    fault: str = ""
    fault_details: dict[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The address by which the client reached the emulator."""
        return f"http://{self.host}"

    def json(self) -> dict[str, Any]:
        """Return the body's JSON object."""
        if "json" not in (self.headers.get("Content-Type") or ""):
            raise api_fault_detail(201, "Content-Type must be application/json.")
        try:
            body = json.loads(self.body)
        except ValueError:
            raise api_fault_detail(201, "The body is not JSON.") from None
        if body is None:
            raise api_fault_detail(100)
        if not isinstance(body, dict):
            raise api_fault_detail(201, "The body is not a JSON object.")
        return body


def long_id(value: Any, name: str) -> str:
    """Validate a 64-bit id.

    Ids are JSON strings in Microsoft's documentation. Whether the real service accepts bare numbers is unknown, so the
    emulator does not.

    Parameters
    ----------
    value
        The JSON value.
    name
        The field's name, for the error.
    """
    if not isinstance(value, str) or not _LONG.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
        raise api_fault_detail(201, f"{name} must be a string of digits.")
    return value


def optional_list(body: dict[str, Any], name: str) -> list[Any] | None:
    """Return a list, or None if it is null or absent.

    Parameters
    ----------
    body
        The JSON object.
    name
        The field's name.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise api_fault_detail(201, f"{name} must be an array.")
    return value


def required_object(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a required object.

    Parameters
    ----------
    body
        The JSON object.
    name
        The field's name.
    """
    value = body.get(name)
    if not isinstance(value, dict):
        raise api_fault_detail(203, f"{name} is required.")
    return value
