"""The only place that reads the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from weakref import WeakSet

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

    def branch(self) -> Clock:
        """Return a clock for part of the work, with the same time.

        Stopping this clock stops the branch too; stopping the branch stops nothing else.
        """
        ...


class SystemClock:
    """The system clock.

    Attributes
    ----------
    real
        Whether waits take real time; tests derive clocks that let time pass at once.
    """

    def __init__(self) -> None:
        self.real = type(self).sleep is SystemClock.sleep
        self._stopped = threading.Event()
        self._branches: WeakSet[SystemClock] = WeakSet()

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
        for each in tuple(self._branches):
            each.stop()

    def branch(self) -> Clock:
        """Return a clock for part of the work, with the same time.

        Stopping this clock stops the branch too; stopping the branch stops nothing else.
        """
        branch = _Branch(self)
        self._branches.add(branch)
        if self._stopped.is_set():
            branch.stop()
        return branch


class _Branch(SystemClock):
    def __init__(self, parent: SystemClock) -> None:
        super().__init__()
        self._parent = parent  # also keeps it alive: through it, stopping an older clock reaches this one
        self.real = parent.real

    def now(self) -> datetime:
        return self._parent.now()

    def monotonic(self) -> float:
        return self._parent.monotonic()

    def sleep(self, seconds: float) -> None:
        # In real time, a branch waits itself, so that it can be stopped alone. Other clocks let their time pass.
        if self.real:
            super().sleep(seconds)
        else:
            self._parent.sleep(seconds)


def present() -> datetime:
    """Return the current time in UTC, for code that does not wait and has no `Clock`."""
    return SystemClock().now()
