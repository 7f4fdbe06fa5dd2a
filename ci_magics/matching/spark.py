"""Match profiles in Spark: its executors run the kernel, aggregate the counts, and return hashes.

The result is exactly that of any other frame, because:

- hashes and reasons come from `match_batch`, the same function on the same Arrow columns; a profile's result depends
  only on the profile;
- numbers of profiles, of domains and of hashes are sums or sets, whatever the order of the rows;
- examples are chosen by a hash of the value, not by their position.

The order of the rows is not guaranteed: Spark has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.matching.doubts import MISTYPED
from ci_magics.matching.matched import matched_schema
from ci_magics.matching.packed import SPARK_SCHEMA, pack, unpack
from ci_magics.matching.tally import EXAMPLES, SHOWN_DOMAINS, SMALLEST_DOMAIN, masked, shown_domains
from ci_magics.segmentation.spark import SparkProfiles, spark_errors

#: Profiles to fetch at once: about 45 megabytes. Meanwhile, Spark prepares the next ones.
ROWS_AT_ONCE = 500_000
#: Each partition is a Spark job: if a portion has more than this many, they are coalesced first.
_MOST_PARTITIONS = 16


@contextmanager
def matched_on_spark(profiles: SparkProfiles) -> Iterator[SparkStream]:
    """Match profiles on the executors of their frame; Spark caches the result until the context ends."""
    with spark_errors():
        packed = profiles.frame.mapInArrow(partial(pack, profiles.pipeline), SPARK_SCHEMA).persist()
    try:
        yield SparkStream(profiles, packed)
    finally:
        with spark_errors():
            packed.unpersist()


class SparkStream:
    """Profiles that Spark matches; Spark caches only keys, hashes, and domain counts.

    Parameters
    ----------
    profiles
        The segment and its frame.
    packed
        The Spark DataFrame that `pack` returned.
    """

    ordered = False

    def __init__(self, profiles: SparkProfiles, packed: Any) -> None:
        self._rows = profiles.segment.rows
        self._packed = packed
        self.schema = matched_schema(profiles.pipeline.columns.schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the matched profiles in batches.

        Raises
        ------
        SegmentError
            Spark failed, or the frame returned different rows than when its key was chosen.
        """
        with spark_errors():
            sizes = [each.profiles for each in self._partitions]
            if sum(sizes) != self._rows:
                raise SegmentError(
                    "The Spark frame returned different rows when it was read a second time.",
                    "Save it as a table or file first, and make the segment from that.",
                    code="unstable_frame",
                )
            for row in self._in_portions(sizes).toLocalIterator(prefetchPartitions=True):
                for batch in unpack(row[0]):
                    yield batch.cast(self.schema)

    def _in_portions(self, sizes: list[int]) -> Any:
        """Return the batches in a moderate number of partitions, each small enough to fetch at once."""
        packed, portions = self._packed.select("batch"), sum(sizes) // ROWS_AT_ONCE + 1
        fits = max(sizes, default=0) <= ROWS_AT_ONCE and len(sizes) <= _MOST_PARTITIONS * portions
        return packed if fits else packed.repartition(portions)

    @cached_property
    def _partitions(self) -> list[Any]:
        """The numbers of profiles and of those with a domain, by partition. This makes all executors match at once."""
        from pyspark.sql import functions as on_spark

        partition = on_spark.spark_partition_id().alias("partition")
        sums = [on_spark.sum(name).alias(name) for name in ("profiles", "addressed")]
        found: list[Any] = self._packed.groupBy(partition).agg(*sums).collect()
        return found

    def domains(self) -> dict[str, int]:
        """Return profiles by domain; Spark counts them, and rare domains do not leave it."""
        return self._domains

    @cached_property
    def _domains(self) -> dict[str, int]:
        from pyspark.sql import functions as on_spark

        with spark_errors():
            each = self._packed.select(on_spark.explode("domains").alias("each")).select("each.*")
            counts = each.groupBy("domain").agg(on_spark.sum("profiles").alias("profiles"))
            order = [on_spark.desc("profiles"), on_spark.asc("domain")]
            named = counts.where(on_spark.col("profiles") >= SMALLEST_DOMAIN).orderBy(*order).limit(SHOWN_DOMAINS)
            addressed = sum(each.addressed for each in self._partitions)
            return shown_domains([(row["domain"], row["profiles"]) for row in named.collect()], addressed)

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason; Spark chooses them, and rare domains do not leave it."""
        from pyspark.sql import functions as on_spark

        domains = self.domains()
        with spark_errors():
            each = self._packed.select(on_spark.explode("examples").alias("each")).select("each.*")
            position = on_spark.row_number().over(_by_mark())
            first = each.distinct().withColumn("place", position).where(on_spark.col("place") <= EXAMPLES)
            may_be_named = on_spark.col("domain").isin(list(domains)) | (on_spark.col("reason") == MISTYPED)
            domain = on_spark.when(may_be_named, on_spark.col("domain"))
            unnamed = on_spark.when(on_spark.col("domain").isNotNull(), on_spark.lit(""))
            shown = first.orderBy("reason", "place").select(
                "reason", "first", on_spark.coalesce(domain, unnamed).alias("domain")
            )
            return masked([tuple(row) for row in shown.collect()], domains)


def _by_mark() -> Any:
    from pyspark.sql import Window

    return Window.partitionBy("reason").orderBy("mark")
