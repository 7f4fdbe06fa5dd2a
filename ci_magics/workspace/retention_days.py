"""The retention period for unused data."""

from __future__ import annotations

import os

from ci_magics.errors import ArgumentError

#: Days to keep unused snapshots and earlier versions; the keys of rejected profiles too, but at most 30 days.
VARIABLE = "CI_MAGICS_RETENTION_DAYS"
DAYS = 90


def retention_days() -> int:
    """Return how many days unused snapshots and earlier versions of segments are kept.

    Raises
    ------
    ArgumentError
        The variable is not a number of days.
    """
    wanted = os.environ.get(VARIABLE, str(DAYS)).strip()
    if not wanted.isascii() or not wanted.isdigit():
        raise ArgumentError(
            f"{VARIABLE} is not a number of days.", f"Set it to a whole number such as {DAYS}.", code="retention_days"
        )
    return int(wanted)
