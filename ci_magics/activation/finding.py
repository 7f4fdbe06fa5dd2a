"""What one check of an environment found."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, LOOK, BAD = "ok", "look", "bad"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check
        What was looked at.
    state
        `GOOD`, `LOOK` or `BAD`.
    found
        What there is, in one line.
    remedy
        What to do about it; empty where nothing is to be done.
    """

    check: str
    state: str
    found: str
    remedy: str = ""
