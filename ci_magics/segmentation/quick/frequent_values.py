"""The most frequent values of a streamed column, in bounded memory."""

from __future__ import annotations

from typing import Any

import polars as pl

#: How many distinct values are counted at a time.
CAPACITY = 50_000


class FrequentValues:
    """Count values, exactly as long as there are at most `capacity` distinct values.

    Beyond that, all counts are lowered by the same number whenever there are too many, and values whose count reaches
    zero are dropped (Misra and Gries, "Finding repeated elements", 1982). Then no count is too low by more than
    ``1 / capacity`` of all values, so a more frequent value is never missed.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts = pl.DataFrame()

    def add(self, values: pl.Series) -> None:
        """Count more values; nulls are ignored."""
        found = values.drop_nulls().alias("value").value_counts(name="count").cast({"count": pl.Int64})
        if self._counts.width:
            found = pl.concat([self._counts, found]).group_by("value").agg(pl.col("count").sum())
        if found.height > self._capacity:
            surplus = found["count"].sort(descending=True).to_list()[self._capacity]
            found = found.with_columns(pl.col("count") - surplus).filter(pl.col("count") > 0)
        self._counts = found

    def top(self, number: int) -> list[Any]:
        """Return the most frequent values; values with equal counts are sorted."""
        if not self._counts.height:
            return []
        ranked = self._counts.sort(["count", "value"], descending=[True, False])
        return list(ranked["value"].head(number))
