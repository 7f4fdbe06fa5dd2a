"""Sets of SHA-256 hashes as sorted arrays of 32 bytes each, without duplicates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint8]
"""Shape (n, 32)."""


def of_bytes(packed: bytes) -> Hashes:
    """Return concatenated hashes as an array, in the same order."""
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, 32)


def distinct(values: Hashes) -> Hashes:
    """Return the hashes sorted, without duplicates."""
    ordered, repeated = _ordered(values)
    return ordered if not repeated.any() else ordered[~repeated]


def union(one: Hashes, other: Hashes) -> Hashes:
    """Return the hashes in either set.

    Parameters
    ----------
    one
        The first set.
    other
        The second set.
    """
    if not len(one) or not len(other):
        return one if len(one) else other
    return distinct(np.concatenate([one, other]))


def difference(one: Hashes, other: Hashes) -> Hashes:
    """Return the hashes of the first set that are not in the second.

    Parameters
    ----------
    one
        The first set.
    other
        The second set.
    """
    if not len(one) or not len(other):
        return one
    # The second set is included twice, so that each of its hashes has an equal neighbor.
    ordered, repeated = _ordered(np.concatenate([one, other, other]))
    alone = ~repeated
    alone[:-1] &= ~repeated[1:]
    return ordered[alone]


def count_common(one: Hashes, other: Hashes) -> int:
    """Return the number of hashes in both sets.

    Parameters
    ----------
    one
        The first set.
    other
        The second set.
    """
    return int(_ordered(np.concatenate([one, other]))[1].sum())


def count_below(values: Hashes, share: float) -> int:
    """Return the number of hashes in the lowest part of the hash space; deterministic.

    Parameters
    ----------
    values
        The hashes.
    share
        The part of the hash space, from 0 to 1.
    """
    if not len(values):
        return 0
    return int((_words(values)[:, 0] < np.uint64(int(share * (2**64 - 1)))).sum()) if share < 1 else len(values)


def lines(values: Hashes) -> bytes:
    """Return the hashes in lower-case hexadecimal, one per line."""
    if not len(values):
        return b""
    return values.tobytes().hex("\n", 32).encode() + b"\n"


def _ordered(values: Hashes) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return the hashes sorted, and which of them equal their predecessor.

    The first eight bytes nearly always differ, so only they are used for sorting; if they do not, all bytes are.
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
    """Return which rows equal their predecessor.

    Also return whether any rows share the first eight bytes without being equal; they may be out of order.
    """
    repeated = np.zeros(len(ordered), dtype=np.bool_)
    touching = np.flatnonzero(ordered[1:, 0] == ordered[:-1, 0]) + 1
    equal = (ordered[touching] == ordered[touching - 1]).all(axis=1)
    repeated[touching[equal]] = True
    return repeated, not equal.all()


def _words(values: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(values).view(">u8").astype(np.uint64).reshape(-1, 4)
