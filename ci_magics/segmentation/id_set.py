"""A set of ids that is small and quick to look into: a sorted array of their bytes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_NONE = np.empty(0, "S1")


class IdSet:
    """Ids, each once.

    Parameters
    ----------
    columns
        Columns of ids; nulls are left out.
    """

    def __init__(self, columns: Iterable[pa.Array]) -> None:
        parts = [_bytes_of(each.drop_null()) for each in columns]
        self._ids: npt.NDArray[np.bytes_] = np.unique(np.concatenate([_NONE, *parts]))

    def __len__(self) -> int:
        return len(self._ids)

    def among(self, ids: pa.Array) -> pa.Array:
        """Tell for each id whether it is in the set."""
        return pa.array(self._found(ids)[1])

    def left_out(self, columns: Iterable[pa.Array]) -> pa.Array:
        """Return the ids of the set that are in none of some columns."""
        met = np.zeros(len(self._ids), bool)
        for each in columns:
            places, found = self._found(each)
            met[places[found]] = True
        return pa.array([each.decode() for each in self._ids[~met]], pa.large_string())

    def _found(self, ids: pa.Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        given = _bytes_of(ids.fill_null(""))
        if not len(self._ids):
            return np.zeros(len(given), np.intp), np.zeros(len(given), bool)
        places = np.searchsorted(self._ids, given).clip(max=len(self._ids) - 1)
        return places, self._ids[places] == given


def _bytes_of(ids: pa.Array) -> npt.NDArray[np.bytes_]:
    if not len(ids):
        return _NONE
    return np.asarray(ids.cast(pa.large_binary()).to_numpy(zero_copy_only=False), dtype="S")
