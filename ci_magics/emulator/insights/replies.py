"""Answers of Customer Insights: its errors, its moments, and the spelling of its words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ci_magics.emulator.replies import Refusal, Reply

_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    409: "Conflict",
}


def api_error(status: int, message: str) -> Refusal:
    """Build an ApiErrorResult, the shape of all but the data operations."""
    body: dict[str, Any] = {
        "exception": None,
        "httpStatusCode": str(status),
        "exceptionCulprit": "user" if status < 500 else "system",
        "errorCode": _NAMES.get(status, "InternalServerError"),
        "resultSeverity": "error",
        "message": message,
        "name": None,
        "params": {},
        "ciResults": [],
    }
    return Refusal(Reply(body, status))


def odata_error(status: int, message: str, target: str | None = None) -> Refusal:
    """Build an ODataError, the shape of the data operations."""
    body: dict[str, Any] = {
        "errorCode": _NAMES.get(status, "InternalServerError"),
        "message": message,
        "target": target,
        "details": [],
        "innerError": None,
        "instanceAnnotations": [],
        "typeAnnotation": None,
    }
    return Refusal(Reply(body, status))


def gateway_error(status: int, message: str, headers: dict[str, str] | None = None) -> Refusal:
    """Build an error of the gateway before the service: keys and rates."""
    return Refusal(Reply({"statusCode": status, "message": message}, status, headers or {}))


def dataverse_error(status: int, code: str, message: str) -> Refusal:
    """Build an error of the Dataverse Web API."""
    return Refusal(Reply({"error": {"code": code, "message": message}}, status, {"OData-Version": "4.0"}))


def not_signed_in() -> Refusal:
    """Build the answer of Customer Insights to a token that is missing, expired or for another service."""
    refusal = api_error(401, "The token is missing, expired or for another service.")
    refusal.reply.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return refusal


def not_signed_in_to_dataverse() -> Refusal:
    """Build the answer of Dataverse to such a token: it has no body."""
    challenge = "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize"
    return Refusal(Reply(b"", 401, {"WWW-Authenticate": challenge}, "text/html"))


def failure_at(path: str, status: int) -> Refusal | None:
    """Build the answer to a request that no operation takes, or at which the emulator itself failed.

    Returns None where the path belongs to another service.
    """
    words = {404: "There is no such resource.", 405: "The method is not allowed."}.get(status, "An error has occurred.")
    if path.startswith("/api/data/"):
        return dataverse_error(status, "0x8006088a" if status == 404 else "0x80060888", words)
    if path.startswith("/v1/"):
        return gateway_error(status, words)
    return api_error(status, words) if path.startswith("/api/") else None


def storage_error(status: int, code: str) -> Refusal:
    """Build an error of Azure Storage, where partitions are."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Refusal(Reply(body, status, {"x-ms-error-code": code}, "application/xml"))


def moment(seconds: float | None) -> str | None:
    """Write a moment."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spelled(word: str, spelling: str) -> str:
    """Write a word of an enumeration: the Swagger says ``camelCase``, live answers were seen in ``PascalCase``."""
    first = word[:1].lower() if spelling == "camel" else word[:1].upper()
    return first + word[1:]


def recased(value: Any, keys: frozenset[str], spelling: str) -> Any:
    """Write the values of some keys in one spelling, wherever they stand."""
    if isinstance(value, list):
        return [recased(each, keys, spelling) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: spelled(each, spelling) if key in keys and isinstance(each, str) else recased(each, keys, spelling)
        for key, each in value.items()
    }
