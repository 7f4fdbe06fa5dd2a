"""A compact set of keys with fast lookup: eight bytes for each key."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ci_magics.segmentation.key_text import key_marks

_Marks = npt.NDArray[np.uint64]


class IdSet:
    """Keys of any type, told apart by 64 bits of a hash of their text; see `key_marks`.

    Parameters
    ----------
    columns
        Columns of keys, each with its own type; nulls are left out.
    """

    def __init__(self, columns: Iterable[pa.Array]) -> None:
        marks = [np.empty(0, np.uint64), *(key_marks(each)[~_empty(each)] for each in columns)]
        joined = np.concatenate(marks)
        joined.sort()
        self._marks: _Marks = joined[np.append(True, joined[1:] != joined[:-1])] if len(joined) else joined

    def __len__(self) -> int:
        return len(self._marks)

    def among(self, ids: pa.Array) -> pa.Array:
        """Tell for each key whether it is in the set."""
        return pa.array(self._found(ids)[1])

    def shared(self, other: IdSet) -> int:
        """Return how many keys are in both."""
        return len(np.intersect1d(self._marks, other._marks, assume_unique=True))

    def left_out(self, columns: Iterable[pa.Array]) -> IdSet:
        """Return the keys of the set that are in none of some columns."""
        met = np.zeros(len(self._marks), bool)
        for each in columns:
            places, found = self._found(each)
            met[places[found]] = True
        rest = IdSet(())
        rest._marks = self._marks[~met]
        return rest

    def _found(self, ids: pa.Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        if not len(self._marks):
            return np.zeros(len(ids), np.intp), np.zeros(len(ids), bool)
        marks = key_marks(ids)
        order = np.argsort(marks)  # sorted lookups stay in the cache: eight times as fast
        places = np.empty(len(marks), np.intp)
        places[order] = np.searchsorted(self._marks, marks[order]).clip(max=len(self._marks) - 1)
        return places, (self._marks[places] == marks) & ~_empty(ids)


def _empty(ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which keys are missing: null, or NaN among numbers."""
    return np.asarray(ids.is_null(nan_is_null=pa.types.is_floating(ids.type)))
