"""How thorough tests are: what counts between two edits, or all that a machine can try.

``CI_MAGICS_TESTS=thorough`` tries five times as many examples of each rule, and lets Polars use all cores, as users do.
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("CI_MAGICS_TESTS") == "thorough"


def examples(most: int) -> int:
    """Return how many examples hypothesis tries of a rule.

    Parameters
    ----------
    most
        How many they are when tests are thorough.
    """
    return most if THOROUGH else max(8, most // 5)


def share_the_machine() -> None:
    """Let Polars use one core, in this process and those that it starts.

    Tests run side by side and hash a handful of rows: threads that wait for each other cost more than they give.
    """
    if not THOROUGH:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
