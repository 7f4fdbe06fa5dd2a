"""Confidence intervals for a proportion and for the difference of two."""

from __future__ import annotations

import math

#: Standard deviations on each side of a 95% confidence interval.
_DEVIATIONS = 1.96

Interval = tuple[float, float]


def share_interval(counted: int, of: int) -> Interval:
    """Return the 95% confidence interval of a proportion (Wilson's interval, which is valid for 0 and 1 too).

    Parameters
    ----------
    counted
        Number of successes.
    of
        Number of trials, at least one.
    """
    share, spread = counted / of, _DEVIATIONS**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = _DEVIATIONS * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference_interval(one: tuple[int, int], other: tuple[int, int]) -> Interval:
    """Return the 95% confidence interval of the difference of two proportions (Newcombe 1998, method 10).

    Parameters
    ----------
    one, other
        Successes and trials of each; the difference is the first proportion minus the second.
    """
    shares = [counted / of for counted, of in (one, other)]
    (low, high), (other_low, other_high) = share_interval(*one), share_interval(*other)
    difference = shares[0] - shares[1]
    below = math.hypot(shares[0] - low, other_high - shares[1])
    above = math.hypot(high - shares[0], shares[1] - other_low)
    return difference - below, difference + above
