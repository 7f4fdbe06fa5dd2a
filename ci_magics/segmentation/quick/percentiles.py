"""Percentiles of a streamed column, in bounded memory."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

#: The sample size: a percentile of so many values is off by about a tenth of a percent of the profiles.
SAMPLE = 262_144
_SEED = 12
_DAYS = dt.timedelta(days=7)


class Percentiles:
    """Keep all values, or a random sample of many: each value draws a random number, and the lowest numbers stay.

    The same values in the same order give the same sample, however they are divided into batches.
    """

    def __init__(self, size: int = SAMPLE) -> None:
        self._size = size
        self._random = np.random.default_rng(_SEED)
        self._draws = np.empty(0)
        self._values: pl.Series | None = None

    def add(self, values: pl.Series) -> None:
        """Add values; nulls and infinite values are ignored."""
        values = values.drop_nulls()
        values = values.filter(values.is_finite()) if values.dtype.is_float() else values
        draws = np.concatenate([self._draws, self._random.random(len(values))])
        joined = values if self._values is None else pl.concat([self._values, values])
        if len(draws) > self._size:
            kept = np.sort(np.argpartition(draws, self._size)[: self._size])
            draws, joined = draws[kept], joined[kept]
        self._draws, self._values = draws, joined

    def bounds(self, percentiles: Sequence[float]) -> list[Any]:
        """Return the values at some percentiles, without duplicates and without the minimum.

        Times that span weeks are truncated to midnight.
        """
        if self._values is None or not len(self._values):
            return []
        ordered = self._values.sort()
        positions = [0, *(min(int(len(ordered) * share / 100), len(ordered) - 1) for share in percentiles)]
        values = [_plain(ordered[position]) for position in positions]
        if isinstance(values[0], dt.datetime) and values[-1] - values[0] > _DAYS:
            values = [each.date() for each in values]
        least, *rest = values
        return sorted({each for each in rest if each > least})


def _plain(value: Any) -> Any:
    """Convert a value to one that rules use."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.replace(tzinfo=None, fold=0) if isinstance(value, dt.datetime) else value
