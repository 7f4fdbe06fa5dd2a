"""The one door through which time comes in."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: A kept moment that is further ahead than this was noted under a wrong clock; the clocks of machines differ by less.
CLOCKS_DIFFER = timedelta(minutes=5)


class WaitStoppedError(Exception):
    """A wait ended early because the person stopped the work."""


class Clock(Protocol):
    """What the client needs of time, so that tests can hold it."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, interruptible by Ctrl-C."""
        ...

    def stop(self) -> None:
        """End all waits, in every thread, now and from now on."""
        ...


class SystemClock:
    """The clock of the machine."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, interruptible by Ctrl-C.

        Raises
        ------
        WaitStoppedError
            `stop` was called from another thread.
        """
        if self._stopped.wait(seconds):
            raise WaitStoppedError

    def stop(self) -> None:
        """End all waits, in every thread, now and from now on."""
        self._stopped.set()


def present() -> datetime:
    """Return the present moment, in UTC, where nothing is waited for and so no clock is at hand."""
    return SystemClock().now()
