"""The error for a plan that no longer fits what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from ci_magics.errors import ExportRefusedError


def outdated(changed: Sequence[str]) -> ExportRefusedError:
    """Return the refusal of a plan, naming everything that changed."""
    return ExportRefusedError(
        f"The plan is out of date, so nothing was sent: {'; '.join(changed)}.",
        "Make the plan again.",
        code="plan_outdated",
    )


def sent_to(audience: str) -> str:
    """Name a change: another run has sent to an audience meanwhile."""
    return f"something was sent to the audience '{audience}'"
