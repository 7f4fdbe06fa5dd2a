"""Work something out again whenever the choices change: after a moment, beside the kernel, and only the latest."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ci_magics.notebook.forms.pattern import Form, handled

#: Seconds after the last change, so that typing is not interrupted at each letter.
MOMENT = 0.4
Stopped = Callable[[], bool]


class Live:
    """A result that follows the choices of a form.

    Parameters
    ----------
    form
        Whose status line shows errors.
    work
        Works it out; asks the function that it is given, now and then, whether it is wanted any more.
    moment
        Seconds to wait for further changes.
    """

    def __init__(self, form: Form, work: Callable[[Stopped], None], moment: float = MOMENT) -> None:
        self._form = form
        self._work = work
        self._moment = moment
        self._latest = threading.Event()
        self._one_at_a_time = threading.Lock()

    def ask(self) -> None:
        """Say that the choices have changed: what was asked for before is given up."""
        self.cancel()
        mine = threading.Event()
        self._latest = mine
        self._form.in_background(lambda: self._after_a_moment(mine))

    def cancel(self) -> None:
        """Give up what was asked for."""
        self._latest.set()

    def now(self) -> None:
        """Work it out at once, here."""
        self.cancel()
        with self._one_at_a_time:
            self._work(lambda: False)

    def _after_a_moment(self, given_up: threading.Event) -> None:
        if given_up.wait(self._moment):
            return
        with self._one_at_a_time:
            if not given_up.is_set():
                handled(self._form, lambda: self._work(given_up.is_set))
