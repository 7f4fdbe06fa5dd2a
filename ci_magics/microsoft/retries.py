"""Retry requests and poll for results: the only loops that repeat something for Microsoft's services.

`codes` decides which errors are transient (guides "Handle service errors", "Services protocol").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import requests

from ci_magics.advice import Do, advise
from ci_magics.clock import Clock
from ci_magics.errors import CiError, OutcomeUnknownError
from ci_magics.microsoft.unreachable import cause_of

T = TypeVar("T")

_FIRST_PAUSE, _GROWTH = 0.2, 1.5
_LONGEST_PAUSE_AT_FIRST, _LONGEST_PAUSE, _AT_FIRST = 5.0, 60.0, 60.0


class TransientError(Exception):
    """An error that may go away by itself.

    Parameters
    ----------
    error
        What to raise if retries do not help.
    wait
        Seconds to wait before the next attempt; exponential backoff if None.
    may_have_arrived
        Whether the request may have been carried out anyway.
    is_renewed
        Whether the next attempt has a new access token.
    """

    def __init__(
        self,
        error: CiError,
        wait: float | None = None,
        *,
        may_have_arrived: bool = False,
        is_renewed: bool = False,
    ) -> None:
        super().__init__()
        self.error = error
        self.wait = wait
        self.may_have_arrived = may_have_arrived
        self.is_renewed = is_renewed


@dataclass(frozen=True)
class Patience:
    """How often and how long a request is retried.

    Parameters
    ----------
    attempts
        Maximum number of attempts.
    seconds
        Total of the waits that a service may ask for while it throttles. Then neither these attempts nor a new access
        token count as attempts. None if every attempt counts.
    """

    attempts: int = 5
    seconds: float | None = None


def retry(once: Callable[[], T], patience: Patience, clock: Clock, tell: Callable[[str], None]) -> T:
    """Call a function until it raises no `TransientError`, and return its result.

    The waits are those that the service asks for, else 1, 2, 4, 8 seconds.

    Parameters
    ----------
    once
        Sends a request once.
    patience
        How often and how long to retry.
    clock
        Waits.
    tell
        Called with a sentence before each wait of a second or more.

    Returns
    -------
    T
        What ``once`` returned.

    Raises
    ------
    CiError
        The error inside the last `TransientError`.
    """
    left = _PatienceLeft(patience)
    while True:
        try:
            return once()
        except TransientError as error:
            passing = error
        seconds = left.seconds_until_retry(passing)
        if seconds >= 1:
            tell(f"{passing.error.sentence} Trying again in {seconds:.0f} s.")
        clock.sleep(seconds)


class _PatienceLeft:
    """What is left of the patience for one request."""

    def __init__(self, patience: Patience) -> None:
        self._attempts = patience.attempts
        self._seconds = patience.seconds
        self._failed = 0

    def seconds_until_retry(self, passing: TransientError) -> float:
        """Return the seconds to wait before the next attempt, or raise the error if there is none.

        Parameters
        ----------
        passing
            The error of the last attempt.
        """
        if self._seconds is not None and passing.is_renewed:
            return 0.0
        if self._seconds is not None and passing.wait:
            self._seconds -= passing.wait
            if self._seconds < 0:
                raise passing.error from None
            return passing.wait
        self._failed += 1
        if self._failed >= self._attempts:
            raise passing.error from None
        backoff = float(2 ** (self._failed - 1))
        return backoff if passing.wait is None or self._seconds is not None else passing.wait


def poll(ask: Callable[[], T], is_over: Callable[[T], bool], clock: Clock, on_each: Callable[[T], None]) -> T:
    """Ask for a state until it is final, and return it; can be interrupted.

    The first request is after 0.2 s. Pauses grow by half, to 5 s in the first minute, then to 60 s.

    Parameters
    ----------
    ask
        Requests the state.
    is_over
        Whether a state is final.
    clock
        Waits.
    on_each
        Called with each state, for progress.
    """
    started, pause = clock.monotonic(), _FIRST_PAUSE
    while True:
        clock.sleep(pause)
        state = ask()
        on_each(state)
        if is_over(state):
            return state
        is_new = clock.monotonic() - started < _AT_FIRST
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_AT_FIRST if is_new else _LONGEST_PAUSE)


def lost(
    service: str,
    operation: str,
    error: requests.RequestException,
    *,
    repeatable: bool,
    reads_only: bool = False,
    is_emulator: bool = False,
) -> TransientError | CiError:
    """Classify a broken connection: nothing was sent only if the connection was never made.

    Parameters
    ----------
    service
        The name of the service, for messages.
    operation
        Microsoft's name of the operation, for messages.
    error
        What the request raised.
    repeatable
        Whether the request is idempotent.
    reads_only
        Whether the request changes nothing, so that a lost response leaves nothing in doubt.
    is_emulator
        Whether the request went to the emulator.

    Returns
    -------
    TransientError or CiError
        A `TransientError` to retry, else the error to raise.
    """
    cause = cause_of(error)
    if reads_only or not cause.may_have_arrived:
        unreachable = cause.error(service, is_emulator=is_emulator)
        return TransientError(unreachable) if cause.passes else unreachable
    unknown = outcome_unknown(service, operation, None)
    return TransientError(unknown, may_have_arrived=True) if repeatable else unknown


def outcome_unknown(service: str, operation: str, tracking_id: str | None) -> OutcomeUnknownError:
    """Build the error for a request that was sent but whose outcome is unknown.

    Parameters
    ----------
    service
        The name of the service, for messages.
    operation
        Microsoft's name of the operation, for messages.
    tracking_id
        The TrackingId, if there is one.
    """
    return OutcomeUnknownError(
        f"{service} gave no usable answer to {operation}: it may or may not have been carried out.",
        advise("Look at ", Do("status"), " before you run it again."),
        code="outcome_unknown",
        tracking_id=tracking_id,
    )
