"""The finding of one check of an environment."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, LOOK, BAD = "ok", "look", "bad"


@dataclass(frozen=True)
class Finding:
    """The finding of one check.

    Parameters
    ----------
    check
        What was checked.
    state
        `GOOD`, `LOOK` or `BAD`.
    found
        The finding, in one line.
    remedy
        What to do about it; empty if nothing needs to be done.
    """

    check: str
    state: str
    found: str
    remedy: str = ""
