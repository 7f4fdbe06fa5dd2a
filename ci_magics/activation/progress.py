"""How far a run is, for the code that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One moment of a run.

    Parameters
    ----------
    step
        What is being done, as a short sentence.
    done, total
        Profiles; total is 0 where a step has no count.
    """

    step: str
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """How much of the step is done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0


Reporter = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Show nothing."""
