"""The only place that reads the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: Clocks of machines differ by less. A stored time further in the future than this came from a wrong clock.
CLOCKS_DIFFER = timedelta(minutes=5)


class WaitStoppedError(Exception):
    """The user stopped the work, so a wait ended early."""


class Clock(Protocol):
    """The time functions that the client needs; tests replace them."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, interruptible by Ctrl-C."""
        ...

    def stop(self) -> None:
        """End all current and future waits, in every thread."""
        ...


class SystemClock:
    """The system clock."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, interruptible by Ctrl-C.

        Parameters
        ----------
        seconds
            How long to wait.

        Raises
        ------
        WaitStoppedError
            Another thread called `stop`.
        """
        if self._stopped.wait(seconds):
            raise WaitStoppedError

    def stop(self) -> None:
        """End all current and future waits, in every thread."""
        self._stopped.set()


def present() -> datetime:
    """Return the current time in UTC, for code that does not wait and has no `Clock`."""
    return SystemClock().now()
