"""Pseudorandom numbers for the rows of a generated population: always the same for the same row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Rows = npt.NDArray[np.uint64]
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_BITS = 2**64 - 1


def mixed(values: Rows) -> Rows:
    """Scramble numbers with the finalizer of SplitMix64, which is bijective."""
    mixing = (values + np.uint64(_GOLDEN)).astype(np.uint64)
    mixing = (mixing ^ (mixing >> np.uint64(30))) * np.uint64(_FIRST)
    mixing = (mixing ^ (mixing >> np.uint64(27))) * np.uint64(_SECOND)
    return mixing ^ (mixing >> np.uint64(31))


def unmixed(value: int) -> int:
    """Return the number that `mixed` scrambled into ``value``."""
    value = _unshifted(value, 31) * pow(_SECOND, -1, 2**64) & _BITS
    value = _unshifted(value, 27) * pow(_FIRST, -1, 2**64) & _BITS
    return (_unshifted(value, 30) - _GOLDEN) & _BITS


def _unshifted(value: int, bits: int) -> int:
    """Invert ``x ^ (x >> bits)``: each step recovers another ``bits`` bits from the top."""
    found = value
    for _ in range(64 // bits + 1):
        found = value ^ (found >> bits)
    return found


def drawn(rows: Rows, what: int) -> Rows:
    """Return a pseudorandom number for each row.

    Parameters
    ----------
    rows
        The row numbers.
    what
        The purpose; numbers for different purposes are independent. From 0 to 63.
    """
    return mixed(rows * np.uint64(64) + np.uint64(what))


def chosen(rows: Rows, what: int, values: Sequence[str | None]) -> pl.Series:
    """Choose one of a few texts for each row.

    Parameters
    ----------
    rows
        The row numbers.
    what
        The purpose, as for `drawn`.
    values
        The texts.
    """
    return pl.Series(values, dtype=pl.String).gather((drawn(rows, what) % np.uint64(len(values))).astype(np.int64))


def hexadecimal(first: Rows, second: Rows) -> pl.Series:
    """Return two numbers per row as 32 lower-case hexadecimal digits.

    Parameters
    ----------
    first
        The numbers for the first sixteen digits.
    second
        The numbers for the last sixteen digits.
    """
    pairs = np.column_stack([first, second]).astype(">u8")
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(first), [None, pa.py_buffer(pairs.tobytes())])
    return pl.Series("", array).bin.encode("hex")
