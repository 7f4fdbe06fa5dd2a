"""Matched profiles in memory, for tests without a workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ci_magics.matching.matched import Matched, match_batches, matched_schema
from ci_magics.matching.tally import Tally
from ci_magics.segmentation.sources.rows import BATCH


@dataclass(frozen=True)
class InMemory:
    """Matched profiles in memory."""

    table: pa.Table = field(repr=False)

    @property
    def rows(self) -> int:
        """The number of profiles."""
        return int(self.table.num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return batches with some of the columns."""
        yield from self.table.select([each for each in columns if each in self.table.column_names]).to_batches()


def match_profiles(profiles: pa.Table) -> Matched:
    """Match profiles, and keep the result in memory."""
    tally = Tally()
    batches = list(match_batches(profiles.to_batches(max_chunksize=BATCH), tally))
    table = pa.Table.from_batches(batches, matched_schema(profiles.schema))
    return Matched(InMemory(table), tally.domains(), tally.examples())
