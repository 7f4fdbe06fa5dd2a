"""A compact set of keys with fast lookup: eight bytes for each key."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ci_magics.segmentation.key_text import key_marks

_Hashes = npt.NDArray[np.uint64]


class IdSet:
    """Keys of any type, compared by a 64-bit hash of their text; see `key_marks`.

    Parameters
    ----------
    columns
        Columns of keys, each with its own type; nulls are left out.
    """

    def __init__(self, columns: Iterable[pa.Array]) -> None:
        marks = [np.empty(0, np.uint64), *(key_marks(each)[~_empty(each)] for each in columns)]
        joined = np.concatenate(marks)
        joined.sort()
        self._hashes: _Hashes = joined[np.append(True, joined[1:] != joined[:-1])] if len(joined) else joined

    def __len__(self) -> int:
        return len(self._hashes)

    def contains(self, ids: pa.Array) -> pa.Array:
        """Return for each key whether it is in the set."""
        return pa.array(self._found(ids)[1])

    def count_shared(self, other: IdSet) -> int:
        """Return how many keys are in both."""
        return len(np.intersect1d(self._hashes, other._hashes, assume_unique=True))

    def without(self, columns: Iterable[pa.Array]) -> IdSet:
        """Return the set without the keys in some columns."""
        removed = np.zeros(len(self._hashes), bool)
        for each in columns:
            positions, found = self._found(each)
            removed[positions[found]] = True
        result = IdSet(())
        result._hashes = self._hashes[~removed]
        return result

    def _found(self, ids: pa.Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        if not len(self._hashes):
            return np.zeros(len(ids), np.intp), np.zeros(len(ids), bool)
        marks = key_marks(ids)
        order = np.argsort(marks)  # sorted lookups stay in the cache: eight times as fast
        positions = np.empty(len(marks), np.intp)
        positions[order] = np.searchsorted(self._hashes, marks[order]).clip(max=len(self._hashes) - 1)
        return positions, (self._hashes[positions] == marks) & ~_empty(ids)


def _empty(ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which keys are missing: null, or NaN in a column of numbers."""
    return np.asarray(ids.is_null(nan_is_null=pa.types.is_floating(ids.type)))
