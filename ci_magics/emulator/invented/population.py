"""The customers of the emulated instance: any number of them, none of them held.

A customer is a row number; whatever is asked about it is invented from that number, so that a page in the middle of
millions costs no more than the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from ci_magics.emulator.invented.attributes import ALL_ATTRIBUTES, customer_ids
from ci_magics.emulator.invented.drawing import Rows, unmixed

_AT_ONCE = 100_000


def span(start: int, stop: int) -> Rows:
    """Return the row numbers from ``start`` to before ``stop``."""
    return np.arange(start, stop, dtype=np.uint64)


def profiles(rows: Rows, names: Iterable[str]) -> pl.DataFrame:
    """Return some attributes of some customers."""
    return pl.DataFrame({name: ALL_ATTRIBUTES[name].invent(rows) for name in names})


def chunks(size: int) -> Iterator[Rows]:
    """Yield all row numbers, some at a time."""
    for start in range(0, size, _AT_ONCE):
        yield span(start, min(start + _AT_ONCE, size))


def row_of(customer_id: str, size: int) -> int | None:
    """Return the row whose CustomerId this is."""
    try:
        row = unmixed(int(customer_id[:16], 16))
    except ValueError:
        return None
    return row if row < size and customer_ids(span(row, row + 1))[0] == customer_id else None
