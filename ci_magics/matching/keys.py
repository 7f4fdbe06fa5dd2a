"""Look up the keys of profiles by their hashes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.matching.hashes import Hashes, as_series
from ci_magics.matching.matched import Profiles
from ci_magics.matching.normalize import rules_of
from ci_magics.segmentation.key_text import text_series


def keys_of(profiles: Profiles, normalization: str, hashes: Hashes) -> pl.DataFrame:
    """Return the keys of the profiles with these hashes.

    Returns
    -------
    polars.DataFrame
        Columns ``position`` (in ``hashes``) and ``key`` (see `key_text`); a hash of two profiles
        appears twice, and a hash that no profile has any longer has no key.
    """
    wanted = pl.DataFrame({"hash": as_series(hashes), "position": np.arange(len(hashes))})
    found = [
        wanted.join(_hashes_and_keys(batch), on="hash").select("position", "key")
        for batch in profiles.batches(["key", *(f"sha256_{rule}" for rule in rules_of(normalization))])
    ]
    keys = pl.concat(found) if found else pl.DataFrame(schema={"position": pl.Int64, "key": pl.String})
    left_out = wanted.join(keys, on="position", how="anti").select("position", pl.lit(None, pl.String).alias("key"))
    return pl.concat([keys, left_out]).unique(maintain_order=True).sort("position", maintain_order=True)


def _hashes_and_keys(batch: pa.RecordBatch) -> pl.DataFrame:
    keys = text_series(batch.column(0)).alias("key")
    frames = [
        pl.DataFrame({"hash": pl.Series(pl.from_arrow(column.cast(pa.large_binary()))), "key": keys})
        for column in batch.columns[1:]
    ]
    return pl.concat(frames).drop_nulls("hash")
