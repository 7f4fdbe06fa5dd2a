"""Percentiles of a streamed column, in bounded memory."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

#: How many values are looked at: a percentile of so many is off by a tenth of a percent of the profiles, hardly more.
SAMPLE = 262_144
_SEED = 12
_DAYS = dt.timedelta(days=7)


class Spread:
    """Keeps all values, or of many a fair sample: each value draws a number, and the lowest numbers stay.

    The same values in the same order give the same sample, whatever the batches.
    """

    def __init__(self, size: int = SAMPLE) -> None:
        self._size = size
        self._random = np.random.default_rng(_SEED)
        self._drawn = np.empty(0)
        self._values: pl.Series | None = None

    def add(self, values: pl.Series) -> None:
        """Add values; empty and infinite ones do not count."""
        values = values.drop_nulls()
        values = values.filter(values.is_finite()) if values.dtype.is_float() else values
        drawn = np.concatenate([self._drawn, self._random.random(len(values))])
        joined = values if self._values is None else pl.concat([self._values, values])
        if len(drawn) > self._size:
            stay = np.sort(np.argpartition(drawn, self._size)[: self._size])
            drawn, joined = drawn[stay], joined[stay]
        self._drawn, self._values = drawn, joined

    def bounds(self, percentiles: Sequence[float]) -> list[Any]:
        """Return where the given shares of the values end, in percent: each once, and none that has nothing below it.

        Times that span weeks are cut at midnight.
        """
        if self._values is None or not len(self._values):
            return []
        ordered = self._values.sort()
        places = [0, *(min(int(len(ordered) * share / 100), len(ordered) - 1) for share in percentiles)]
        found = [_plain(ordered[place]) for place in places]
        if isinstance(found[0], dt.datetime) and found[-1] - found[0] > _DAYS:
            found = [each.date() for each in found]
        least, *others = found
        return sorted({each for each in others if each > least})


def _plain(value: Any) -> Any:
    """Return a value in the form that rules use."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.replace(tzinfo=None, fold=0) if isinstance(value, dt.datetime) else value
