"""The error for a plan that no longer matches the data it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from ci_magics.errors import ExportRefusedError


def outdated(changed: Sequence[str]) -> ExportRefusedError:
    """Return the error for an outdated plan, with everything that changed."""
    return ExportRefusedError(
        f"The plan is out of date, so nothing was sent: {'; '.join(changed)}.",
        "Make the plan again.",
        code="plan_outdated",
    )


def sent_to(audience: str) -> str:
    """Return the sentence that another run has sent to an audience since."""
    return f"something was sent to the audience '{audience}'"
