"""Profiles that Spark matches: its executors run the kernel, add up what can be added, and hand over hashes.

Why the outcome equals that of any other frame, bit for bit:

- hashes and reasons come from `match_batch`, the same function on the same Arrow columns; a profile's outcome depends
  on nothing but the profile;
- numbers of profiles, of domains and of hashes are sums or sets, whatever the order of the rows;
- examples are chosen by a hash of the value, not by their place.

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

#: Profiles that come here at once: about 45 megabytes. Spark gets the next ones ready meanwhile.
AT_ONCE = 500_000
#: Each partition is a Spark job: if a portion has more than this many, they are coalesced first.
_MOST_PARTITIONS = 16


@contextmanager
def matched_on_spark(profiles: SparkProfiles) -> Iterator[SparkStream]:
    """Match profiles on the executors of their frame, which keep the outcome until the block is left."""
    with spark_errors():
        packed = profiles.frame.mapInArrow(partial(pack, profiles.pipeline), SPARK_SCHEMA).persist()
    try:
        yield SparkStream(profiles, packed)
    finally:
        with spark_errors():
            packed.unpersist()


class SparkStream:
    """Profiles that Spark matches; what it keeps meanwhile are keys and hashes, and domains with their numbers.

    Parameters
    ----------
    profiles
        The segment and its frame.
    packed
        The Spark DataFrame of what `pack` makes of it.
    """

    ordered = False

    def __init__(self, profiles: SparkProfiles, packed: Any) -> None:
        self._rows = profiles.segment.rows
        self._packed = packed
        self.schema = matched_schema(profiles.pipeline.columns.schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the matched profiles, some at a time.

        Raises
        ------
        SegmentError
            Spark failed, or the frame gave other rows than when its key was chosen.
        """
        with spark_errors():
            sizes = [each.profiles for each in self._partitions]
            if sum(sizes) != self._rows:
                raise SegmentError(
                    "The Spark frame gave other rows when it was read a second time.",
                    "Save it as a table or file first, and make the segment of that.",
                    code="unstable_frame",
                )
            for row in self._in_portions(sizes).toLocalIterator(prefetchPartitions=True):
                for batch in unpack(row[0]):
                    yield batch.cast(self.schema)

    def _in_portions(self, sizes: list[int]) -> Any:
        """Return the batches in partitions of which each may come here at once, and that are not too many."""
        packed, portions = self._packed.select("batch"), sum(sizes) // AT_ONCE + 1
        fits = max(sizes, default=0) <= AT_ONCE and len(sizes) <= _MOST_PARTITIONS * portions
        return packed if fits else packed.repartition(portions)

    @cached_property
    def _partitions(self) -> list[Any]:
        """Profiles, and those with a domain, by partition; asking makes all executors match at once."""
        from pyspark.sql import functions as on_spark

        partition = on_spark.spark_partition_id().alias("partition")
        sums = [on_spark.sum(name).alias(name) for name in ("profiles", "addressed")]
        found: list[Any] = self._packed.groupBy(partition).agg(*sums).collect()
        return found

    def domains(self) -> dict[str, int]:
        """Return profiles by domain; Spark counts them, and none that few share leaves it."""
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
        """Return masked values by reason; Spark chooses them, and a domain that few share stays there."""
        from pyspark.sql import functions as on_spark

        domains = self.domains()
        with spark_errors():
            each = self._packed.select(on_spark.explode("examples").alias("each")).select("each.*")
            place = on_spark.row_number().over(_by_mark())
            first = each.distinct().withColumn("place", place).where(on_spark.col("place") <= EXAMPLES)
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
