"""Pack matched profiles for Spark: many in one Spark row, as Arrow bytes, with totals that Spark can add up.

`pack` runs on the executors. It and everything that it imports must stay small: no workspace, no notebook, no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.matching.matched import match_batch
from ci_magics.matching.normalize import Hashed
from ci_magics.matching.tally import domain_counts, example_values
from ci_magics.segmentation.profile_pipeline import ProfilePipeline

#: The Spark schema of the rows that `pack` returns.
SPARK_SCHEMA = (
    "profiles bigint, addressed bigint, batch binary, domains array<struct<domain: string, profiles: bigint>>, "
    "examples array<struct<reason: string, mark: string, first: string, domain: string>>"
)
#: The most profiles in one Spark row: about six megabytes.
ROWS_PER_BATCH = 65_536


class _BatchTally:
    """The domains and examples of one batch; a partial tally that Spark aggregates."""

    def __init__(self) -> None:
        self.domains = self.examples = pl.DataFrame()

    def add(self, addresses: Hashed) -> None:
        self.domains, self.examples = domain_counts(addresses), example_values(addresses)


def pack(pipeline: ProfilePipeline, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Match the profiles of one partition.

    Raises
    ------
    SegmentError
        The condition or the kernel failed; the message quotes no value, because Spark logs it.
    """
    try:
        for profiles in _merge_small(pipeline.profiles(batches)):
            yield _packed(profiles)
    except (pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error, TypeError, ValueError) as error:
        raise SegmentError(
            "The profiles could not be matched where Spark runs.",
            "Do all executors have the same versions of ci-magics, Polars and pyarrow as this notebook?",
            code=type(error).__name__,
        ) from None


def unpack(packed: bytes) -> Iterator[pa.RecordBatch]:
    """Return the matched profiles of one Spark row."""
    with pa.ipc.open_stream(packed) as stream:
        yield from stream


def _packed(profiles: pa.RecordBatch) -> pa.RecordBatch:
    tally = _BatchTally()
    matched = match_batch(profiles, tally)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, matched.schema) as stream:
        stream.write_batch(matched)
    batch = pa.array([sink.getvalue().to_pybytes()], pa.binary())
    counts = [pa.array([count], pa.int64()) for count in (matched.num_rows, tally.domains["profiles"].sum())]
    columns = [*counts, batch, _as_list_value(tally.domains), _as_list_value(tally.examples)]
    return pa.RecordBatch.from_arrays(columns, names=["profiles", "addressed", "batch", "domains", "examples"])


def _as_list_value(frame: pl.DataFrame) -> pa.ListArray:
    """Return a frame as a single value: a list of its rows."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    kinds = [pa.string() if pa.types.is_large_string(kind) else kind for kind in table.schema.types]
    arrays = [column.combine_chunks().cast(kind) for column, kind in zip(table.columns, kinds, strict=True)]
    rows = pa.StructArray.from_arrays(arrays, names=table.schema.names)
    return pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)


def _merge_small(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Merge small batches: Spark's have ten thousand rows, and the kernel is faster with more."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if waiting and sum(each.num_rows for each in [*waiting, batch]) > ROWS_PER_BATCH:
            yield _joined(waiting)
            waiting = []
        waiting.append(batch)
    if any(each.num_rows for each in waiting):
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
