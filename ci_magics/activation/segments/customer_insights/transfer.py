"""Read the members of a segment of Customer Insights: by which route, in parts, and whether all arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.activation.segments.customer_insights.csv_route import AT_ONCE, CsvRoute
from ci_magics.activation.segments.customer_insights.dataverse_route import DataverseRoute, prefers_ids
from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.activation.segments.customer_insights.routes import Chunk, RestRoute, Route
from ci_magics.activation.segments.customer_insights.spool import Reading
from ci_magics.advice import Opt, advise
from ci_magics.clock import Clock
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.errors import CiError, NotFoundError, SegmentError
from ci_magics.matching.matched import match_batch
from ci_magics.matching.tally import Tally
from ci_magics.microsoft.partitions import PartitionStream
from ci_magics.segmentation.key_text import key_marks
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.sources.rows import Rows, repetition

#: Profiles are matched and stored when there are this many, or after this many seconds. A crash loses no more.
_ENOUGH_ROWS = 10_000
_ENOUGH_SECONDS = 5.0
#: Up to this many members, reading by page is fast enough: 100 calls, which take a minute.
FEW = 10_000
#: Error codes when the URL of a page has expired, or when its segment no longer exists.
_GONE = frozenset({"HTTP 400", "HTTP 404", "HTTP 410", "BadRequest", "NotFound", "files_changed"})


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
        chunks = gathered.copy()
        gathered.clear()
        if chunks:
            _keep_chunks(reading, chunks, columns)

    try:
        for chunk in route.chunks(reading.state.position):
            gathered.append(chunk)
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


def _keep_chunks(reading: Reading, chunks: list[Chunk], columns: ProfileColumns) -> None:
    tally = Tally()
    rows = pa.Table.from_batches([each.rows for each in chunks]).combine_chunks().to_batches()
    matched = (match_batch(columns.profiles(each), tally) for each in rows)
    last = chunks[-1]
    totals = [each.total for each in chunks if each.total is not None]
    reading.keep(
        matched,
        tally,
        lambda _earlier: last.position,
        lagging=sum(each.lagging for each in chunks),
        pages=len(chunks),
        **({"total": totals[-1]} if totals else {}),
    )


def _with_file(mark: str, number: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda earlier: {"mark": mark, "done": sorted({*earlier.get("done", ()), number})}


def require_existing(reading: Reading, wanted: InsightsSegment) -> InsightsSegment:
    """Return the current state of the segment.

    Parameters
    ----------
    reading
        The reading; cleared if the segment no longer exists.
    wanted
        The segment when reading began.

    Raises
    ------
    SegmentError
        The segment was deleted or renamed.
    """
    try:
        return wanted.source.segment(wanted.name)
    except NotFoundError:
        reading.clear()
        raise SegmentError(
            f"The segment '{wanted.segment.label}' was deleted or renamed in Customer Insights while "
            "it was being read.",
            "What there is in the workspace stays as it was.",
            code="segment_deleted",
        ) from None


def require_unchanged(reading: Reading, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Check that Customer Insights did not refresh the segment while it was read.

    Parameters
    ----------
    reading
        The reading; cleared if the check fails.
    wanted
        The segment when reading began.
    show
        Called with a message if members have no profile yet.

    Raises
    ------
    SegmentError
        The segment was deleted, renamed, or refreshed.
    """
    now = require_existing(reading, wanted)
    if now.refreshed != wanted.refreshed:
        reading.clear()
        raise SegmentError(
            f"Customer Insights refreshed '{wanted.segment.label}' while it was being read, so members may be missing.",
            "Run it again.",
            code="segment_refreshed",
        )
    if reading.state.lagging:
        show(
            f"{pluralize(reading.state.lagging, 'member', 'has')} no profile yet: profiles lag "
            f"behind memberships until the "
            "system refresh completes. They count as without an address."
        )


def require_count(reading: Reading, repeated: int, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Compare the number of members that were read with the number that the service reported.

    Parameters
    ----------
    reading
        The reading; cleared if the check fails.
    repeated
        Number of rows with a repeated key.
    wanted
        The segment when reading began.
    show
        Called with a message if members are repeated, or if the count differs from that of the last refresh.

    Raises
    ------
    SegmentError
        Members are missing.
    """
    arrived, total = reading.state.rows - repeated, reading.state.total
    if repeated:
        show(f"{pluralize(repeated, 'member')} came twice and {inflect(repeated, 'is')} stored once.")
    if (total is not None and arrived != total) or (not arrived and wanted.members):
        reading.clear()
        reported = total or wanted.members or 0
        raise SegmentError(
            f"Customer Insights said that '{wanted.segment.label}' has "
            f"{pluralize(reported, 'member')}; {format_count(arrived)} arrived.",
            advise("Run it again, or read it by another route (", Opt("via"), "); nothing was changed."),
            code="members_missing",
        )
    if wanted.members is not None and arrived != wanted.members:
        show(
            f"Customer Insights counted {pluralize(wanted.members, 'member')} when it refreshed the segment; "
            f"{format_count(arrived)} arrived."
        )


@dataclass(frozen=True)
class ReadPlan:
    """How to read the members of a segment.

    Parameters
    ----------
    wanted
        The segment.
    via
        Route: ``rest``, ``csv``, or ``dataverse``.
    columns, taken
        Columns to read, and how to make a profile from them.
    progress
        Called with the number of members that were read.
    """

    wanted: InsightsSegment
    via: str
    columns: InsightsColumns
    taken: ProfileColumns
    progress: Reporter

    def go(self, reading: Reading) -> None:
        """Read the remaining members."""
        source, name = self.wanted.source, self.wanted.name
        insights, instance_id = source.services.insights, source.record.instance_id
        if self.via == "csv":
            read_files(reading, CsvRoute(insights, instance_id, name, self.columns), self.taken, self._report)
            return
        route: Route = RestRoute(insights, instance_id, name, self.columns)
        if self.via == "dataverse":
            by_id = prefers_ids(self.wanted.members, insights.rows(instance_id))
            route = DataverseRoute(source.dataverse(), name, self.wanted.segment.label, self.columns, by_id)
        read_pages(reading, route, self.taken, insights.conversation.clock, self._report)

    @property
    def is_slow(self) -> bool:
        """Whether reading takes minutes because of the rate limit."""
        is_real = self.wanted.source.record.environment != "emulator"
        return is_real and self.via == "rest" and (self.wanted.members or 0) > FEW

    def _report(self, rows: int) -> None:
        self.progress(Progress(f"Reading '{self.wanted.segment.label}'", rows, max(self.wanted.members or 0, rows)))


def read_members(reading: Reading, plan: ReadPlan, show: Callable[[str], None]) -> None:
    """Read the remaining members. If the service no longer knows the saved position, start over once.

    Parameters
    ----------
    reading
        Stores the members and the position.
    plan
        How to read the members.
    show
        Called with a message when reading resumes, starts over, or takes long.

    Raises
    ------
    SegmentError
        The user stopped the reading, or the segment was deleted.
    CiError
        The service returned an error or is not reachable. Members that were read are kept.
    """
    if reading.state.finished:
        return
    earlier = reading.state.pages
    _say(reading, plan, show)
    try:
        plan.go(reading)
    except KeyboardInterrupt:
        raise SegmentError(
            f"Reading '{plan.wanted.segment.label}' was stopped after "
            f"{pluralize(reading.state.pages, 'page')} and "
            f"{pluralize(reading.state.rows, 'member')}.",
            "Run it again: it continues from there.",
            code="reading_stopped",
        ) from None
    except CiError as error:
        if error.code not in _GONE:
            raise
        require_existing(reading, plan.wanted)
        if not earlier or reading.state.pages != earlier:
            raise
        show("The saved position has expired; starting over.")
        reading.clear()
        plan.go(reading)


def _say(reading: Reading, plan: ReadPlan, show: Callable[[str], None]) -> None:
    """Show that the reading resumes, or that it will take long."""
    members = plan.wanted.members or 0
    if reading.state.pages:
        show(
            f"Going on with an earlier reading, after {format_count(reading.state.pages)} pages and "
            f"{pluralize(reading.state.rows, 'member')}."
        )
    elif plan.is_slow:
        show(
            f"Page by page, {pluralize(members, 'member', 'takes')} about "
            f"{pluralize(members // 10_000, 'minute')}: Customer "
            f"Insights allows 100 calls of 100 members a minute. With {Opt('via', 'csv')} or dataverse it is quicker."
        )
