"""Sets of SHA-256 values as arrays of 32 bytes each, sorted and without duplicates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint8]
"""Shape (n, 32)."""


def of_bytes(packed: bytes) -> Hashes:
    """Return the values that lie one after the other in ``packed``, in that order."""
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, 32)


def distinct(values: Hashes) -> Hashes:
    """Return the values sorted, each once."""
    ordered, repeated = _ordered(values)
    return ordered if not repeated.any() else ordered[~repeated]


def union(one: Hashes, other: Hashes) -> Hashes:
    """Return what is in either set."""
    if not len(one) or not len(other):
        return one if len(one) else other
    return distinct(np.concatenate([one, other]))


def difference(one: Hashes, other: Hashes) -> Hashes:
    """Return what is in the first set and not in the second."""
    if not len(one) or not len(other):
        return one
    # The second set stands twice, so that whatever is in it has an equal neighbor.
    ordered, repeated = _ordered(np.concatenate([one, other, other]))
    alone = ~repeated
    alone[:-1] &= ~repeated[1:]
    return ordered[alone]


def count_common(one: Hashes, other: Hashes) -> int:
    """Return how many values are in both sets."""
    return int(_ordered(np.concatenate([one, other]))[1].sum())


def count_below(values: Hashes, share: float) -> int:
    """Return how many values lie in the lowest share of all possible ones: the same values give the same answer."""
    if not len(values):
        return 0
    return int((_words(values)[:, 0] < np.uint64(int(share * (2**64 - 1)))).sum()) if share < 1 else len(values)


def lines(values: Hashes) -> bytes:
    """Return the values as lower-case hexadecimal text, one a line."""
    if not len(values):
        return b""
    return values.tobytes().hex("\n", 32).encode() + b"\n"


def _ordered(values: Hashes) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return the values sorted, and which of them equal the one before.

    The first eight bytes nearly always decide, so only they are sorted by; where they do not, all bytes are.
    """
    words = _words(values)
    order = np.argsort(words[:, 0])
    ordered = words[order]
    repeated, undecided = _neighbors(ordered)
    if undecided:
        ordered = words[np.lexsort(words.T[::-1])]
        repeated, _ = _neighbors(ordered)
    return ordered.astype(">u8").view(np.uint8).reshape(-1, 32), repeated


def _neighbors(ordered: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.bool_], bool]:
    repeated = np.zeros(len(ordered), dtype=np.bool_)
    touching = np.flatnonzero(ordered[1:, 0] == ordered[:-1, 0]) + 1
    equal = (ordered[touching] == ordered[touching - 1]).all(axis=1)
    repeated[touching[equal]] = True
    return repeated, not equal.all()


def _words(values: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(values).view(">u8").astype(np.uint64).reshape(-1, 4)
