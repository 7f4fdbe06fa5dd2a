"""The customers of the emulated instance: any number, computed on demand.

A customer is a row number, from which all attributes are computed. So a page in the middle of millions of rows costs no
more than the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from ci_magics.emulation.invented.attributes import ALL_ATTRIBUTES, customer_ids
from ci_magics.emulation.invented.drawing import Rows, unmixed

_AT_ONCE = 100_000


def span(start: int, stop: int) -> Rows:
    """Return a range of row numbers.

    Parameters
    ----------
    start
        The first row.
    stop
        The row after the last.
    """
    return np.arange(start, stop, dtype=np.uint64)


def profiles(rows: Rows, names: Iterable[str]) -> pl.DataFrame:
    """Return some attributes of some customers.

    Parameters
    ----------
    rows
        The row numbers.
    names
        The attributes.
    """
    return pl.DataFrame({name: ALL_ATTRIBUTES[name].invent(rows) for name in names})


def chunks(size: int) -> Iterator[Rows]:
    """Yield all row numbers in chunks."""
    for start in range(0, size, _AT_ONCE):
        yield span(start, min(start + _AT_ONCE, size))


def row_of(customer_id: str, size: int) -> int | None:
    """Return the row of a customer, or None.

    Parameters
    ----------
    customer_id
        The CustomerId.
    size
        The number of customers.
    """
    try:
        row = unmixed(int(customer_id[:16], 16))
    except ValueError:
        return None
    return row if row < size and customer_ids(span(row, row + 1))[0] == customer_id else None
