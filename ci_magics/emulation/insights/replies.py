"""Answers of Customer Insights: errors, timestamps, and the spelling of enumerations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ci_magics.emulation.replies import Refusal, Reply

_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    409: "Conflict",
}


def api_error(status: int, message: str) -> Refusal:
    """Build an ApiErrorResult, the format of all but the data operations.

    Parameters
    ----------
    status
        The HTTP status.
    message
        The error message.
    """
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
    """Build an ODataError, the format of the data operations.

    Parameters
    ----------
    status
        The HTTP status.
    message
        The error message.
    target
        What the error is about, if known.
    """
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
    """Build an error of the API gateway, which handles keys and rate limits.

    Parameters
    ----------
    status
        The HTTP status.
    message
        The error message.
    headers
        Additional headers.
    """
    return Refusal(Reply({"statusCode": status, "message": message}, status, headers or {}))


def dataverse_error(status: int, code: str, message: str) -> Refusal:
    """Build an error of the Dataverse Web API.

    Parameters
    ----------
    status
        The HTTP status.
    code
        The error code.
    message
        The error message.
    """
    return Refusal(Reply({"error": {"code": code, "message": message}}, status, {"OData-Version": "4.0"}))


def not_signed_in() -> Refusal:
    """Build the answer of Customer Insights to a token that is missing, expired or for another service."""
    refusal = api_error(401, "The token is missing, expired or for another service.")
    refusal.reply.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return refusal


def not_signed_in_to_dataverse() -> Refusal:
    """Build the answer of Dataverse to such a token; it has no body."""
    challenge = "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize"
    return Refusal(Reply(b"", 401, {"WWW-Authenticate": challenge}, "text/html"))


def failure_at(path: str, status: int) -> Refusal | None:
    """Build the answer to an unknown request, or to an internal error of the emulator.

    Parameters
    ----------
    path
        The request's path.
    status
        The HTTP status.

    Returns
    -------
    Refusal or None
        None if the path belongs to another service.
    """
    words = {404: "There is no such resource.", 405: "The method is not allowed."}.get(status, "An error has occurred.")
    if path.startswith("/api/data/"):
        return dataverse_error(status, "0x8006088a" if status == 404 else "0x80060888", words)
    if path.startswith("/v1/"):
        return gateway_error(status, words)
    return api_error(status, words) if path.startswith("/api/") else None


def storage_error(status: int, code: str) -> Refusal:
    """Build an error of Azure Storage, which serves partitions.

    Parameters
    ----------
    status
        The HTTP status.
    code
        The error code.
    """
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Refusal(Reply(body, status, {"x-ms-error-code": code}, "application/xml"))


def moment(seconds: float | None) -> str | None:
    """Format a timestamp."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spelled(word: str, spelling: str) -> str:
    """Spell an enumeration value: the Swagger file says ``camelCase``, live answers were observed in ``PascalCase``.

    Parameters
    ----------
    word
        The value.
    spelling
        ``camel`` or ``pascal``.
    """
    first = word[:1].lower() if spelling == "camel" else word[:1].upper()
    return first + word[1:]


def recased(value: Any, keys: frozenset[str], spelling: str) -> Any:
    """Spell the values of some keys, at any depth.

    Parameters
    ----------
    value
        The JSON value.
    keys
        The keys of enumerations.
    spelling
        ``camel`` or ``pascal``.
    """
    if isinstance(value, list):
        return [recased(each, keys, spelling) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: spelled(each, spelling) if key in keys and isinstance(each, str) else recased(each, keys, spelling)
        for key, each in value.items()
    }
