"""Matched profiles as Spark carries them: many in one of its rows, as bytes of Arrow, with sums that Spark can add up.

`pack` runs on the executors. It and all that it imports must stay small: no workspace, no notebook, no network.
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

#: The rows of Spark that `pack` makes, in Spark's words.
SPARK_SCHEMA = (
    "profiles bigint, addressed bigint, batch binary, domains array<struct<domain: string, profiles: bigint>>, "
    "examples array<struct<reason: string, mark: string, first: string, domain: string>>"
)
#: Profiles in one of Spark's rows, at most: some six megabytes.
TOGETHER = 65_536


class _Noted:
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
        The condition or the kernel failed; the sentence quotes no value, as it goes into Spark's log.
    """
    try:
        for profiles in _together(pipeline.profiles(batches)):
            yield _packed(profiles)
    except (pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error, TypeError, ValueError) as error:
        raise SegmentError(
            "The profiles could not be matched where Spark runs.",
            "Do all executors have the same versions of ci-magics, Polars and pyarrow as this notebook?",
            code=type(error).__name__,
        ) from None


def unpack(packed: bytes) -> Iterator[pa.RecordBatch]:
    """Return the matched profiles of one of Spark's rows."""
    with pa.ipc.open_stream(packed) as stream:
        yield from stream


def _packed(profiles: pa.RecordBatch) -> pa.RecordBatch:
    noted = _Noted()
    matched = match_batch(profiles, noted)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, matched.schema) as stream:
        stream.write_batch(matched)
    batch = pa.array([sink.getvalue().to_pybytes()], pa.binary())
    counts = [pa.array([count], pa.int64()) for count in (matched.num_rows, noted.domains["profiles"].sum())]
    columns = [*counts, batch, _listed(noted.domains), _listed(noted.examples)]
    return pa.RecordBatch.from_arrays(columns, names=["profiles", "addressed", "batch", "domains", "examples"])


def _listed(frame: pl.DataFrame) -> pa.ListArray:
    """Return a frame as one value: a list of its rows."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    kinds = [pa.string() if pa.types.is_large_string(kind) else kind for kind in table.schema.types]
    arrays = [column.combine_chunks().cast(kind) for column, kind in zip(table.columns, kinds, strict=True)]
    rows = pa.StructArray.from_arrays(arrays, names=table.schema.names)
    return pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join small batches: Spark's have ten thousand rows, and the kernel is quicker with more."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if waiting and sum(each.num_rows for each in [*waiting, batch]) > TOGETHER:
            yield _joined(waiting)
            waiting = []
        waiting.append(batch)
    if any(each.num_rows for each in waiting):
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
