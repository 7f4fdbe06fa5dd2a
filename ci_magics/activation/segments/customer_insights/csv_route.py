"""Read the members of a segment from files: partitions of whole tables, several in parallel.

The files of a segment have a header row. If it includes the address, only these files are read. Otherwise they give the
ids, and the addresses come from the files of the unified profile, which have no header row.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa

from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.errors import ServiceError
from ci_magics.matching.parallel import in_parallel
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.microsoft.insights_values import CUSTOMER, CUSTOMER_ID
from ci_magics.microsoft.partitions import (
    Partition,
    PartitionExpiredError,
    PartitionStream,
    partitions,
    read_partition,
)
from ci_magics.segmentation.id_set import IdSet
from ci_magics.segmentation.sources.reading import reading
from ci_magics.segmentation.sources.records import csv_batches, csv_columns, record_schema

AT_ONCE = 4
_T = TypeVar("_T")
_FILE = "a file of Customer Insights"
#: File URLs expire. A file is tried with three URLs; if all have expired, it is not a coincidence.
_ATTEMPTS = 3


class Files:
    """The files of a table. Requests new URLs when the old ones have expired.

    Parameters
    ----------
    insights
        API client.
    instance_id, entity
        Instance and table.
    """

    def __init__(self, insights: CustomerInsights, instance_id: str, entity: str) -> None:
        self._insights = insights
        self._of = (instance_id, entity)
        self._all = self._ask()
        self._turn = threading.Lock()
        self.mark = hashlib.sha256("\n".join(urlsplit(each.url).path for each in self._all).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._all)

    def read(self, number: int, work: Callable[[PartitionStream], _T]) -> _T:
        """Read one file; see `read_partition`.

        Parameters
        ----------
        number
            Index of the file.
        work
            Reads the stream; must start over on each call.

        Raises
        ------
        ServiceError
            The URLs have expired repeatedly, the files have changed, or the file cannot be fetched.
        """
        for _attempt in range(_ATTEMPTS):
            known = self._all
            try:
                with reading(_FILE):
                    return read_partition(self._insights, known[number], work)
            except PartitionExpiredError:
                self._renew(known)
        raise ServiceError(
            "Customer Insights hands out addresses of files that are not valid.", "Run it again.", code="file_expired"
        )

    def _ask(self) -> list[Partition]:
        return partitions(self._insights, *self._of)

    def _renew(self, known: Sequence[Partition]) -> None:
        with self._turn:
            if self._all is known:  # otherwise another thread has renewed the URLs already
                fresh = self._ask()
                if len(fresh) != len(known):
                    raise _changed()
                self._all = fresh


@dataclass
class CsvRoute:
    """Read the files of a segment and, if needed, those of the unified profile.

    Parameters
    ----------
    insights
        API client.
    instance_id, segment
        Instance and segment to read.
    columns
        Profile columns to read.
    """

    insights: CustomerInsights
    instance_id: str
    segment: str
    columns: InsightsColumns
    _members: Files | None = field(default=None, init=False, repr=False)
    _ids: IdSet | None = field(default=None, init=False, repr=False)

    def open(self, position: dict[str, Any]) -> tuple[Files, list[int]]:
        """Return the files to read, and the indexes of those that were not read yet.

        Raises
        ------
        ServiceError
            The files differ from those that an earlier reading began with.
        """
        files = Files(self.insights, self.instance_id, self.segment)
        header = files.read(0, csv_columns) if len(files) else []
        if self.columns.email not in header:
            self._members, self._ids = files, IdSet(_ids_in(files))
            files = Files(self.insights, self.instance_id, CUSTOMER)
        if position.get("mark", files.mark) != files.mark:
            raise _changed()
        done = set(position.get("done", ()))
        return files, [number for number in range(len(files)) if number not in done]

    def lagging(self, keys: Iterable[pa.Array]) -> Iterator[pa.RecordBatch]:
        """Yield the members that have no profile yet, given the keys of those that were read."""
        if self._ids is None or self._members is None:
            return
        rest = self._ids.without(keys)
        for ids in _ids_in(self._members) if len(rest) else ():
            late = ids.filter(rest.contains(ids))
            nothing = [pa.nulls(len(late), each.type) for each in self.columns.schema]
            yield pa.RecordBatch.from_arrays([late, *nothing[1:]], schema=self.columns.schema)

    def batches(self, stream: PartitionStream) -> Iterator[pa.RecordBatch]:
        """Yield the members in a file."""
        names = self.columns.all if self._ids is not None else None
        for batch in csv_batches(stream, self.columns.schema, names):
            yield batch if self._ids is None else batch.filter(self._ids.contains(batch.column(CUSTOMER_ID)))


def _ids_in(files: Files) -> Iterator[pa.Array]:
    """Yield the ids in the files of a segment, several files in parallel."""
    schema = record_schema({CUSTOMER_ID: False})

    def ids(number: int) -> list[pa.Array]:
        return files.read(number, lambda stream: [each.column(0) for each in csv_batches(stream, schema)])

    for part in in_parallel(ids, range(len(files))):
        yield from part


def _changed() -> ServiceError:
    return ServiceError(
        "The files of Customer Insights have changed while they were read.",
        "Run it again; it starts over.",
        code="files_changed",
    )
