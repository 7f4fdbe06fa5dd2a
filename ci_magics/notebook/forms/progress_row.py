"""The progress of long work: a bar, a text, and a stop button."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import ipywidgets as widgets

from ci_magics.activation.progress import Progress
from ci_magics.notebook.display import progress_text
from ci_magics.notebook.forms.fields import button, progress_bar, row, show


class ProgressRow:
    """The progress of one run.

    Parameters
    ----------
    on_stop
        Called when the user stops the run, to end waits. The next report then ends the run.
    monotonic
        A monotonic clock, in seconds.
    """

    def __init__(self, on_stop: Callable[[], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._on_stop = on_stop
        self._monotonic = monotonic
        self._began = monotonic()
        self._stop_requested = threading.Event()
        self.bar = progress_bar()
        self.text = widgets.Label()
        self.text.add_class("ci-progress-text")
        self.stop_button = button("Stop", "stop", lambda _event: self.stop(), hint="Stop; it can be resumed")
        self.box = row(self.bar, self.text, self.stop_button, name="progress-row")
        show(self.box, False)

    def begin(self) -> None:
        """Reset and show the row."""
        self._stop_requested.clear()
        self._began = self._monotonic()
        self.bar.value, self.text.value = 0.0, ""
        self.stop_button.disabled = False
        show(self.stop_button, True)
        show(self.box, True)

    def report(self, progress: Progress) -> None:
        """Show progress.

        Raises
        ------
        KeyboardInterrupt
            The user has stopped the run.
        """
        self.bar.value = progress.share
        self.text.value = progress_text(progress, self._monotonic() - self._began)
        if self._stop_requested.is_set():
            raise KeyboardInterrupt

    def end(self, progress: Progress | None = None) -> None:
        """Show the final state; hide the row if there is none."""
        show(self.stop_button, False)
        if progress is None:
            show(self.box, False)
            return
        self.bar.value = progress.share
        self.text.value = progress_text(progress, self._monotonic() - self._began)

    def stop(self) -> None:
        """Stop the work at its next step, or end its current wait."""
        self._stop_requested.set()
        self.stop_button.disabled = True
        self._on_stop()
