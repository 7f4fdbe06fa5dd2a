"""Profiles that must not be sent: their key, basic hash or enhanced hash is on a list."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.matching.hashes import Hashes, as_series
from ci_magics.segmentation.id_set import IdSet


@dataclass(frozen=True)
class Suppression:
    """A list of people who must not be sent.

    Parameters
    ----------
    hashes
        Their hashes, under both rules.
    keys
        Their keys; None if the segment has another key column.
    """

    hashes: Hashes = field(repr=False)
    keys: IdSet | None = field(default=None, repr=False)

    def columns(self) -> list[str]:
        """Return the columns that the decision needs."""
        return ["sha256_basic", "sha256_enhanced", *(["key"] if self.keys is not None else [])]

    def contains_profiles(self, batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tell for each profile of a batch whether it must not be sent."""
        listed = as_series(self.hashes)
        found = np.zeros(batch.num_rows, dtype=np.bool_)
        for name in ("sha256_basic", "sha256_enhanced"):
            values = pl.Series(pl.from_arrow(batch.column(name).cast(pa.large_binary())))
            found |= values.is_in(listed.implode()).fill_null(value=False).to_numpy()
        if self.keys is not None:
            found |= np.asarray(self.keys.contains(batch.column("key")))
        return found
