"""In-place progress: one line of text that is rewritten during a run and stays when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ci_magics.display.output import write

if TYPE_CHECKING:
    from ci_magics.activation.progress import Progress

_DELAY = 0.5
_INTERVAL = 0.1


class ProgressLine:
    """Show the progress of a run that takes longer than half a second. As a context manager, it leaves a final line.

    Parameters
    ----------
    live
        Whether a user is present. If False, nothing is shown, as when a notebook runs as a test or a job.
    monotonic
        A monotonic clock, in seconds.
    write
        Replaces the shown line; by default chosen for the kernel or the terminal.
    """

    def __init__(
        self,
        *,
        live: bool,
        monotonic: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self._live = live
        self._monotonic = monotonic
        self._write = write
        self._started = monotonic()
        self._shown_at = -_INTERVAL
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Show the current progress, at most once per tenth of a second."""
        elapsed = self._monotonic() - self._started
        self._last = progress
        if self._live and elapsed >= _DELAY and elapsed - self._shown_at >= _INTERVAL:
            self._shown_at = elapsed
            self._show(progress_text(progress, elapsed))

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Show the final counts and the duration, if progress was shown at all."""
        if self._shown_at >= 0 and self._last is not None:
            elapsed = self._monotonic() - self._started
            self._show(f"{progress_text(self._last, elapsed, ended=True)}{'' if kind is None else ', stopped'}")
            if isinstance(self._write, _TerminalLine):
                self._write.end()

    def _show(self, line: str) -> None:
        from ci_magics.notebook.front_end import in_kernel

        if self._write is None:
            self._write = _CellLine() if in_kernel() else _TerminalLine()
        self._write(line)


class _CellLine:
    """A line below the cell. It uses display updates, which every Jupyter front end supports, not a widget."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, line: str) -> None:
        from IPython.display import Pretty, display

        shown = Pretty(line)  # type: ignore[no-untyped-call]  # IPython's
        if self._handle is None:
            self._handle = display(shown, display_id=True)  # type: ignore[no-untyped-call]  # IPython's
        else:
            self._handle.update(shown)


class _TerminalLine:
    """The last line of the terminal, rewritten after a carriage return."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, line: str) -> None:
        write(f"\r{line:<{self._width}}")
        self._width = len(line)

    def end(self) -> None:
        """Move to the next line."""
        write("\n")


def progress_text(progress: Progress, elapsed: float, *, ended: bool = False) -> str:
    """Format progress as one line.

    Parameters
    ----------
    progress
        The step with its counts.
    elapsed
        Seconds since the start.
    ended
        Whether to show the total duration instead of the time left.
    """
    from ci_magics.display.numbers import format_count

    duration = f"in {elapsed:.1f} s" if ended else ""
    if not progress.total:
        return f"{progress.step} {duration or '…'}"
    line = f"{progress.step}: {format_count(progress.done)} of {format_count(progress.total)} ({progress.share:.0%})"
    if elapsed >= 1 and progress.done:
        line += f", {format_count(round(progress.done / elapsed))} per second"
    if ended:
        return f"{line}, {duration}"
    seconds_left = elapsed / progress.share - elapsed if 0 < progress.share < 1 else 0
    return f"{line}, about {seconds_left:.0f} s left" if seconds_left >= 1 else line
