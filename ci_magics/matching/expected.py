"""How many people an audience will reach, judged by what earlier audiences of the account reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_magics.display.numbers import counted_in_words


@dataclass(frozen=True)
class Reached:
    """The size that an earlier audience reached.

    Parameters
    ----------
    sent
        Hashes that it holds.
    matched
        People that Microsoft matched with them.
    """

    sent: int
    matched: int

    @property
    def share(self) -> float:
        """Matched people per hash, at most one: a hash may stand for several people."""
        return min(self.matched / self.sent, 1.0) if self.sent else 0.0


@dataclass(frozen=True)
class Expected:
    """The size that an audience may reach, in people.

    Parameters
    ----------
    low, high
        The range: as the least and as the best of the earlier audiences.
    audiences
        How many earlier audiences the estimate is based on.
    """

    low: int
    high: int
    audiences: int

    @property
    def basis(self) -> str:
        """What the estimate is based on, in words."""
        return counted_in_words(self.audiences, "earlier audience")


def expect(hashes: int, earlier: Sequence[Reached]) -> Expected | None:
    """Return the size that so many hashes may reach; None where no earlier audience has a size."""
    shares = [each.share for each in earlier if each.sent]
    if not shares:
        return None
    return Expected(round(hashes * min(shares)), round(hashes * max(shares)), len(shares))
