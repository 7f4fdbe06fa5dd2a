"""Recompute a result when the choices change: debounced, in the background, and only for the latest choices."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ci_magics.notebook.forms.pattern import Form, handled

#: Seconds after the last change, so that typing does not trigger work for each letter.
MOMENT = 0.4
Stopped = Callable[[], bool]


class Live:
    """A result that follows the choices of a form.

    Parameters
    ----------
    form
        Shows errors in its status line.
    work
        Computes the result. It receives a function that returns True once the result is no longer needed.
    moment
        Seconds without changes before the work starts.
    """

    def __init__(self, form: Form, work: Callable[[Stopped], None], moment: float = MOMENT) -> None:
        self._form = form
        self._work = work
        self._moment = moment
        self._latest = threading.Event()
        self._one_at_a_time = threading.Lock()

    def ask(self) -> None:
        """Schedule the work and cancel earlier requests."""
        self.cancel()
        mine = threading.Event()
        self._latest = mine
        self._form.in_background(lambda: self._run_after_delay(mine))

    def cancel(self) -> None:
        """Cancel the scheduled or running work."""
        self._latest.set()

    def now(self) -> None:
        """Do the work immediately, in this thread."""
        self.cancel()
        with self._one_at_a_time:
            self._work(lambda: False)

    def _run_after_delay(self, given_up: threading.Event) -> None:
        if given_up.wait(self._moment):
            return
        with self._one_at_a_time:
            if not given_up.is_set():
                handled(self._form, lambda: self._work(given_up.is_set))
