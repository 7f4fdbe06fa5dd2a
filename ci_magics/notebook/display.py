"""Progress in place: one line of text that is rewritten, and left behind when the run ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ci_magics.display.output import write

if TYPE_CHECKING:
    from ci_magics.activation.progress import Progress

_PATIENCE = 0.5
_PAUSE = 0.1


class ProgressLine:
    """Show how far a run is, once it takes longer than half a second; used in a ``with`` it leaves one last line.

    Parameters
    ----------
    live
        Whether somebody is looking: nothing is shown when a notebook runs as a test or a job.
    monotonic
        Seconds that only grow.
    write
        Shows a line instead of the one before; found by where the notebook runs unless given.
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
        self._shown_at = -_PAUSE
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Show one moment; those that follow each other faster than an eye are left out."""
        elapsed = self._monotonic() - self._started
        self._last = progress
        if self._live and elapsed >= _PATIENCE and elapsed - self._shown_at >= _PAUSE:
            self._shown_at = elapsed
            self._show(progress_text(progress, elapsed))

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Leave what was done, and how long it took; nothing where nothing was shown."""
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
    """A line below the cell, which every front end of Jupyter can rewrite: no widget is needed."""

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
    """The terminal's last line, which a carriage return starts over."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, line: str) -> None:
        write(f"\r{line:<{self._width}}")
        self._width = len(line)

    def end(self) -> None:
        """Go on below the line."""
        write("\n")


def progress_text(progress: Progress, elapsed: float, *, ended: bool = False) -> str:
    """Return a moment as a line: what is done, how much of it, how fast, and how long it will take or took."""
    from ci_magics.display.numbers import counted

    took = f"in {elapsed:.1f} s" if ended else ""
    if not progress.total:
        return f"{progress.step} {took or '…'}"
    line = f"{progress.step}: {counted(progress.done)} of {counted(progress.total)} ({progress.share:.0%})"
    if elapsed >= 1 and progress.done:
        line += f", {counted(round(progress.done / elapsed))} per second"
    if ended:
        return f"{line}, {took}"
    left = elapsed / progress.share - elapsed if 0 < progress.share < 1 else 0
    return f"{line}, about {left:.0f} s left" if left >= 1 else line
