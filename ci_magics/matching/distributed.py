"""The kernel for engines without segment support: a function for their ``map_batches``.

Dask, Ray Data and Daft call it on their workers; the page ``docs/distributed.md`` has a snippet for each. A Spark
DataFrame does not need it: ``ci.segment`` accepts one directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ci_magics.errors import ArgumentError
from ci_magics.matching.matched import match_batch
from ci_magics.matching.normalize import rules_of
from ci_magics.segmentation.key_text import can_be_key
from ci_magics.segmentation.profile_columns import ProfileColumns

if TYPE_CHECKING:
    import pandas as pd

_RULES = rules_of("both")


def match_arrow(profiles: pa.Table | pa.RecordBatch, *, email: str, key: str) -> pa.Table:
    """Match a batch of profiles under both rules.

    The result depends only on the batch, so batches can be matched in any order, on any machine.

    Parameters
    ----------
    profiles
        Some rows; other columns are ignored.
    email, key
        The columns that hold the address and the identifier.

    Returns
    -------
    pyarrow.Table
        One row per profile, in the same order, and no address: the key under its own name (its hash if it looks like
        an address), ``prehashed``, and for each rule ``reason_RULE`` (null if valid) and ``sha256_RULE`` (lower-case
        hexadecimal, null if invalid).

    Raises
    ------
    ArgumentError
        A column does not exist, or the key is not a text, number or time.
    """
    _require_columns(profiles.schema.names, email, key)
    if not can_be_key(profiles.schema.field(key).type):
        raise ArgumentError(
            f"The column {key} cannot identify profiles.", "Name a column of texts, numbers or times.", code="not_a_key"
        )
    columns = ProfileColumns.of(profiles.schema, email, key, None)
    single_batch = pa.Table.from_batches([profiles]) if isinstance(profiles, pa.RecordBatch) else profiles
    batches = single_batch.select(columns.needed).combine_chunks().to_batches() or [
        _empty(single_batch.schema, columns)
    ]
    return pa.concat_tables([_with_text_hashes(match_batch(columns.profiles(batch)), key) for batch in batches])


def match_frame(profiles: pd.DataFrame, *, email: str, key: str) -> pd.DataFrame:
    """Match a pandas frame of profiles; see `match_arrow`."""
    from ci_magics.segmentation.sources.frames import as_table, column_names

    _require_columns(column_names(profiles), email, key)
    table = as_table(profiles, list(dict.fromkeys([email, key])))
    matched: pd.DataFrame = match_arrow(table, email=email, key=key).to_pandas()
    return matched


def _require_columns(names: Sequence[str], *wanted: str) -> None:
    for column in wanted:
        if column not in names:
            raise ArgumentError(
                f"The batch has no column '{column}'.", "Name its columns: email=..., key=....", code="no_column"
            )


def _empty(schema: pa.Schema, columns: ProfileColumns) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], pa.schema([schema.field(each) for each in columns.needed]))


def _with_text_hashes(matched: pa.RecordBatch, key: str) -> pa.Table:
    """Convert hashes to hexadecimal text, which every engine supports."""
    columns = {key: matched.column("key"), "prehashed": matched.column("prehashed")}
    for rule in _RULES:
        digest = pl.Series(pl.from_arrow(matched.column(f"sha256_{rule}").cast(pa.large_binary())))
        columns[f"reason_{rule}"] = matched.column(f"reason_{rule}").cast(pa.string())
        columns[f"sha256_{rule}"] = digest.bin.encode("hex").to_arrow().cast(pa.string())
    return pa.table(columns)
