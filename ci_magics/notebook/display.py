"""Progress in place: one line of text that is rewritten, and left behind when the run ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ci_magics.activation.progress import Progress

_PATIENCE = 0.5


class ProgressLine:
    """Show how far a run is, once it takes longer than half a second.

    Parameters
    ----------
    live
        Whether somebody is looking: nothing is shown when a notebook runs as a test or a job.
    monotonic
        Seconds that only grow.
    """

    def __init__(self, *, live: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._monotonic = monotonic
        self._started = monotonic()
        self._handle: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show one moment."""
        elapsed = self._monotonic() - self._started
        if not self._live or elapsed < _PATIENCE:
            return
        from IPython.display import Pretty, display

        line = Pretty(progress_text(progress, elapsed))  # type: ignore[no-untyped-call]  # IPython's
        if self._handle is None:
            self._handle = display(line, display_id=True)  # type: ignore[no-untyped-call]  # IPython's
        else:
            self._handle.update(line)


def progress_text(progress: Progress, elapsed: float) -> str:
    """Return a moment as a line: what is done, how much of it, and how long it will take."""
    from ci_magics.showing.numbers import counted

    if not progress.total:
        return f"{progress.step} …"
    share = progress.share
    line = f"{progress.step}: {counted(progress.done)} of {counted(progress.total)} ({share:.0%})"
    left = elapsed / share - elapsed if 0 < share < 1 else 0
    return f"{line}, about {left:.0f} s left" if left >= 1 else line
