"""Read the members of a segment into the spool, and match them on the way. A reading can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from ci_magics.activation.segments.customer_insights.csv_route import AT_ONCE, CsvRoute
from ci_magics.activation.segments.customer_insights.routes import Chunk, Route
from ci_magics.activation.segments.customer_insights.spool import Reading
from ci_magics.clock import Clock
from ci_magics.matching.matched import match_batch
from ci_magics.matching.tally import Tally
from ci_magics.microsoft.partitions import PartitionStream
from ci_magics.segmentation.key_text import key_marks
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.sources.rows import Rows, repetition

#: Profiles are matched and stored when there are this many, or after this many seconds. A crash loses no more.
_ENOUGH_ROWS = 10_000
_ENOUGH_SECONDS = 5.0


def read_pages(
    reading: Reading, route: Route, columns: ProfileColumns, clock: Clock, report: Callable[[int], None]
) -> None:
    """Read by page. Rows that were read are kept, even after an error.

    Parameters
    ----------
    reading
        Stores the rows and the position.
    route
        Route to the members.
    columns
        How to make a profile from a row.
    clock
        Clock to measure the time since the last write.
    report
        Called with the number of members that were read.
    """
    gathered: list[Chunk] = []
    kept_at = clock.monotonic()

    def keep() -> None:
        stretches = gathered.copy()
        gathered.clear()
        if stretches:
            _keep_stretches(reading, stretches, columns)

    try:
        for stretch in route.stretches(reading.state.position):
            gathered.append(stretch)
            waiting = sum(each.rows.num_rows for each in gathered)
            report(reading.state.rows + waiting)
            if waiting >= _ENOUGH_ROWS or clock.monotonic() - kept_at > _ENOUGH_SECONDS:
                keep()
                kept_at = clock.monotonic()
    finally:
        keep()
    reading.finish()


def read_files(reading: Reading, route: CsvRoute, columns: ProfileColumns, report: Callable[[int], None]) -> None:
    """Read several files in parallel. Each file is stored once it is complete.

    Parameters
    ----------
    reading
        Stores the rows and the position.
    route
        Route to the members.
    columns
        How to make a profile from a row.
    report
        Called with the number of members that were read.
    """
    files, numbers = route.open(reading.state.position)

    def matched(stream: PartitionStream, tally: Tally) -> Iterator[pa.RecordBatch]:
        for batch in route.batches(stream):
            yield match_batch(columns.profiles(batch), tally)

    def keep(number: int) -> None:
        def work(stream: PartitionStream) -> None:
            tally = Tally()
            reading.keep(matched(stream, tally), tally, _with_file(files.mark, number), pages=1)

        files.read(number, work)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _done in pool.map(keep, numbers):
            report(reading.state.rows)
    tally = Tally()
    # Members without a profile are known only after all files were read.
    rest = list(route.lagging(batch.column("key") for batch in reading.batches()))
    late = [match_batch(columns.profiles(each), tally) for each in rest]
    reading.keep(late, tally, dict, lagging=sum(each.num_rows for each in late), finished=True)


def each_once(reading: Reading) -> tuple[Callable[[], Iterator[pa.RecordBatch]], int]:
    """Return the profiles without repeated keys, and the number of rows that are left out.

    Keys are compared by 64 bits of a hash.

    Parameters
    ----------
    reading
        The complete reading.

    Returns
    -------
    tuple
        A function that yields the profiles, and the number of repeated rows.
    """
    empty, repeated = repetition(Rows(reading.schema, lambda _columns: reading.batches("key")), "key")
    if not empty + repeated:
        return reading.batches, 0
    marks = [key_marks(batch.column(0)) for batch in reading.batches("key")]
    joined = np.concatenate(marks)
    first = np.zeros(len(joined), bool)  # mask of the first row of each key
    first[np.unique(joined, return_index=True)[1]] = True

    def filtered() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in reading.batches():
            yield batch.filter(pa.array(first[start : start + batch.num_rows]))
            start += batch.num_rows

    return filtered, int(len(joined) - first.sum())


def _keep_stretches(reading: Reading, stretches: list[Chunk], columns: ProfileColumns) -> None:
    tally = Tally()
    rows = pa.Table.from_batches([each.rows for each in stretches]).combine_chunks().to_batches()
    matched = (match_batch(columns.profiles(each), tally) for each in rows)
    last = stretches[-1]
    totals = [each.total for each in stretches if each.total is not None]
    reading.keep(
        matched,
        tally,
        lambda _earlier: last.position,
        lagging=sum(each.lagging for each in stretches),
        pages=len(stretches),
        **({"total": totals[-1]} if totals else {}),
    )


def _with_file(mark: str, number: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda earlier: {"mark": mark, "done": sorted({*earlier.get("done", ()), number})}
