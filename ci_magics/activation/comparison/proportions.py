"""How sure one may be of a share that was counted, and of the difference between two."""

from __future__ import annotations

import math

#: Standard deviations on either side that hold the truth in 95 of 100 cases.
_DEVIATIONS = 1.96

Interval = tuple[float, float]


def share_interval(counted: int, of: int) -> Interval:
    """Return where the true share lies in 95 of 100 cases (Wilson's interval, which holds for 0 and for all too).

    Parameters
    ----------
    counted, of
        How many of how many, at least one.
    """
    share, spread = counted / of, _DEVIATIONS**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = _DEVIATIONS * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference_interval(one: tuple[int, int], other: tuple[int, int]) -> Interval:
    """Return where the true difference of two shares lies in 95 of 100 cases (Newcombe 1998, method 10).

    Parameters
    ----------
    one, other
        How many of how many; the difference is the first share less the second.
    """
    shares = [counted / of for counted, of in (one, other)]
    (low, high), (other_low, other_high) = share_interval(*one), share_interval(*other)
    difference = shares[0] - shares[1]
    below = math.hypot(shares[0] - low, other_high - shares[1])
    above = math.hypot(high - shares[0], shares[1] - other_low)
    return difference - below, difference + above
