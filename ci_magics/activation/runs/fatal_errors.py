"""Which errors end a push for good, and which only interrupt it."""

from __future__ import annotations

from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError, UnreachableError

#: Rate limits, read-only mode and internal errors: the same request may be taken later.
_PASSING = frozenset({0, 117, 1010, 1011, 3226, 3227, 4204, "upload_lost"})


def is_final(error: CiError) -> bool:
    """Tell whether Microsoft has refused a request for good, so that sending it again is no use."""
    if not isinstance(error, ServiceError) or isinstance(error, OutcomeUnknownError | UnreachableError):
        return False  # a lost answer, no network, a sign-in that has ended: what was begun can be finished later
    if isinstance(error.code, str) and error.code.startswith(("HTTP 5", "HTTP 429")):
        return False
    return error.code not in _PASSING
