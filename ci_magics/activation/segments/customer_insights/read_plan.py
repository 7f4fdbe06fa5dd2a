"""Read the members of a segment, and resume an interrupted reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.activation.segments.customer_insights.complete import require_there
from ci_magics.activation.segments.customer_insights.csv_route import CsvRoute
from ci_magics.activation.segments.customer_insights.dataverse_route import DataverseRoute, prefers_ids
from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.activation.segments.customer_insights.routes import RestRoute, Route
from ci_magics.activation.segments.customer_insights.spool import Reading
from ci_magics.activation.segments.customer_insights.transfer import read_files, read_pages
from ci_magics.display.numbers import counted, counted_in_words
from ci_magics.errors import CiError, SegmentError
from ci_magics.segmentation.profile_columns import ProfileColumns

#: Up to this many members, reading by page is fast enough: 100 calls, which take a minute.
FEW = 10_000
#: Error codes when the URL of a page has expired, or when its segment no longer exists.
_GONE = frozenset({"HTTP 400", "HTTP 404", "HTTP 410", "BadRequest", "NotFound", "files_changed"})


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


def read_members(reading: Reading, way: ReadPlan, show: Callable[[str], None]) -> None:
    """Read the remaining members. If the service no longer knows the saved position, start over once.

    Parameters
    ----------
    reading
        Stores the members and the position.
    way
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
    _say(reading, way, show)
    try:
        way.go(reading)
    except KeyboardInterrupt:
        raise SegmentError(
            f"Reading '{way.wanted.segment.label}' was stopped after "
            f"{counted_in_words(reading.state.pages, 'page')} and "
            f"{counted_in_words(reading.state.rows, 'member')}.",
            "Run it again: it goes on from there.",
            code="reading_stopped",
        ) from None
    except CiError as error:
        if error.code not in _GONE:
            raise
        require_there(reading, way.wanted)
        if not earlier or reading.state.pages != earlier:
            raise
        show("The saved position has expired; starting over.")
        reading.clear()
        way.go(reading)


def _say(reading: Reading, way: ReadPlan, show: Callable[[str], None]) -> None:
    """Show that the reading resumes, or that it will take long."""
    members = way.wanted.members or 0
    if reading.state.pages:
        show(
            f"Going on with an earlier reading, after {counted(reading.state.pages)} pages and "
            f"{counted_in_words(reading.state.rows, 'member')}."
        )
    elif way.is_slow:
        show(
            f"Page by page, {counted_in_words(members, 'member', 'takes')} about "
            f"{counted_in_words(members // 10_000, 'minute')}: Customer "
            "Insights allows 100 calls of 100 members a minute. With --via csv or dataverse it is quicker."
        )
