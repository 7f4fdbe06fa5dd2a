"""A request as the services see it, and the readers that check its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ci_magics.emulator.replies import api_fault_detail

_LONG = re.compile("-?[0-9]{1,19}")


@dataclass
class UploadedFile:
    """One part of a multipart body that is a file."""

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
        The Host header: URLs that are handed out begin with it.
    arguments
        Named parts of the path.
    refused
        Items that an injected fault refuses, by their index.
    raw_query
        The query as it stands in the address.
    fault, fault_details
        What an injected fault makes of the answer, where the operation itself must know.
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
        """The address by which the client reached us."""
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
    """Return a 64-bit id.

    They are JSON strings in Microsoft's documents; whether the real service takes bare numbers is not known, so the
    emulator does not.
    """
    if not isinstance(value, str) or not _LONG.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
        raise api_fault_detail(201, f"{name} must be a string of digits.")
    return value


def optional_list(body: dict[str, Any], name: str) -> list[Any] | None:
    """Return a list, or None where it is null or absent."""
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise api_fault_detail(201, f"{name} must be an array.")
    return value


def required_object(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object that must be there."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise api_fault_detail(203, f"{name} is required.")
    return value
