"""The words for how a run stands, and for how far a request of it is."""

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
    """Return the status of several audiences together.

    What goes on comes first: a run is running, queued or canceled as soon as one of its audiences is. Otherwise it
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
    """Return the sentence that says how old the segments of a run were; empty where they were evaluated for it.

    Parameters
    ----------
    dates
        One for each audience, as 2026-11-01, or empty.
    """
    old = sorted({each for each in dates if each})
    return f"Sent as of {' and '.join(old)}: not evaluated since." if old else ""


def undated(reason: str) -> str:
    """Return a reason as a summary has it, which says the same on any day: without the dates of `sent_as_of`."""
    return _SENT_AS_OF.sub("Sent as of an earlier day: not evaluated since.", reason)
