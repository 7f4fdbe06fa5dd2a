"""Status names of runs and of their requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

QUEUED = "Queued"
RUNNING = "Running"
COMPLETED = "Completed"
WITH_ERRORS = "Completed with errors"
FAILED = "Failed"
SKIPPED = "Skipped"
CANCELED = "Canceled"

#: States of a `StepRecord`.
PLANNED, SENT, ANSWERED, REFUSED = "planned", "sent", "answered", "refused"
_SENT_AS_OF = re.compile(r"Sent as of [-\d]+(?: and [-\d]+)*: not evaluated since\.")


def overall(statuses: Sequence[str]) -> str:
    """Return the combined status of several audiences.

    Unfinished work comes first: a run is running, queued, or canceled as soon as one of its audiences is. Otherwise it
    failed unless at least one audience was completed.
    """
    if len(set(statuses)) == 1:
        return statuses[0]
    for status in (RUNNING, QUEUED, CANCELED):
        if status in statuses:
            return status
    worked = {COMPLETED, WITH_ERRORS} & set(statuses)
    return WITH_ERRORS if worked else FAILED


def sent_as_of(dates: Iterable[str]) -> str:
    """Return the sentence that says how old the segments of a run were; empty if they were evaluated for it.

    Parameters
    ----------
    dates
        One for each audience, as 2026-11-01, or empty.
    """
    old = sorted({each for each in dates if each})
    return f"Sent as of {' and '.join(old)}: not evaluated since." if old else ""


def undated(reason: str) -> str:
    """Replace the dates of `sent_as_of` in a reason, so that a summary is the same on any day."""
    return _SENT_AS_OF.sub("Sent as of an earlier day: not evaluated since.", reason)
