"""Which errors end a push, and which only interrupt it."""

from __future__ import annotations

from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError, UnreachableError

#: Rate limits, read-only mode and internal errors: Microsoft may accept the same request later.
_PASSING = frozenset({0, 117, 1010, 1011, 3226, 3227, 4204, "upload_lost"})


def is_final(error: CiError) -> bool:
    """Return whether Microsoft rejected a request permanently, so that a retry cannot succeed."""
    if not isinstance(error, ServiceError) or isinstance(error, OutcomeUnknownError | UnreachableError):
        return False  # lost response, no network, expired sign-in: the push can be resumed
    if isinstance(error.code, str) and error.code.startswith(("HTTP 5", "HTTP 429")):
        return False
    return error.code not in _PASSING
