"""The members of a segment by way of files: partitions of whole tables, several at a time.

The files of a segment have a header row; where that has the address too, they are all that is read. Otherwise they give
the ids, and the address comes from the files of the unified profile, which have no header row.
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
#: Addresses of files expire; new ones that have expired too are asked for once more, and then it is no chance.
_ATTEMPTS = 3


class Files:
    """The files of a table; new addresses are asked for when the old ones have expired.

    Parameters
    ----------
    insights
        The API.
    instance_id, entity
        Which table.
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
        """Read one of them; see `read_partition`."""
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
            if self._all is known:
                fresh = self._ask()
                if len(fresh) != len(known):
                    raise _changed()
                self._all = fresh


@dataclass
class CsvRoute:
    """Files of a segment, and where needed those of the unified profile.

    Parameters
    ----------
    insights
        The API.
    instance_id, segment
        What is read.
    columns
        What of each profile is asked for.
    """

    insights: CustomerInsights
    instance_id: str
    segment: str
    columns: InsightsColumns
    _members: Files | None = field(default=None, init=False, repr=False)
    _ids: IdSet | None = field(default=None, init=False, repr=False)

    def open(self, position: dict[str, Any]) -> tuple[Files, list[int]]:
        """Return the files that are to be read, and the numbers of those that were not yet.

        Raises
        ------
        ServiceError
            They are not the ones that an earlier reading has begun with.
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
        """Return the members that have no profile yet, given the keys of those that were read."""
        if self._ids is None or self._members is None:
            return
        rest = self._ids.left_out(keys)
        for ids in _ids_in(self._members) if len(rest) else ():
            late = ids.filter(rest.among(ids))
            nothing = [pa.nulls(len(late), each.type) for each in self.columns.schema]
            yield pa.RecordBatch.from_arrays([late, *nothing[1:]], schema=self.columns.schema)

    def batches(self, stream: PartitionStream) -> Iterator[pa.RecordBatch]:
        """Return the members in a file."""
        names = self.columns.all if self._ids is not None else None
        for batch in csv_batches(stream, self.columns.schema, names):
            yield batch if self._ids is None else batch.filter(self._ids.among(batch.column(CUSTOMER_ID)))


def _ids_in(files: Files) -> Iterator[pa.Array]:
    """Return the ids in the files of a segment, several files at a time."""
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
