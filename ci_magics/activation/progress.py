"""The progress of a run, for the code that displays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The progress of a run at one moment.

    Parameters
    ----------
    step
        The current step, as a short sentence.
    done, total
        Number of profiles; ``total`` is 0 if the step has no count.
    """

    step: str
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """The part of the step that is done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0


Reporter = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Show nothing."""
