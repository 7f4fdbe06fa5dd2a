"""Estimate how many people an audience will reach, from earlier audiences of the account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_magics.display.numbers import pluralize


@dataclass(frozen=True)
class PastReach:
    """The reach of an earlier audience.

    Parameters
    ----------
    sent
        The number of its hashes.
    matched
        The number of people that Microsoft matched with them.
    """

    sent: int
    matched: int

    @property
    def share(self) -> float:
        """Matched people per hash; at most one, although a hash can match several people."""
        return min(self.matched / self.sent, 1.0) if self.sent else 0.0


@dataclass(frozen=True)
class Expected:
    """The number of people that an audience may reach.

    Parameters
    ----------
    low, high
        The range: with the lowest and the highest share of the earlier audiences.
    audiences
        How many earlier audiences the estimate is based on.
    """

    low: int
    high: int
    audiences: int

    @property
    def basis(self) -> str:
        """What the estimate is based on, in words."""
        return pluralize(self.audiences, "earlier audience")


def expect(hashes: int, earlier: Sequence[PastReach]) -> Expected | None:
    """Estimate the reach of a number of hashes; None if no earlier audience has a size."""
    shares = [each.share for each in earlier if each.sent]
    if not shares:
        return None
    return Expected(round(hashes * min(shares)), round(hashes * max(shares)), len(shares))
