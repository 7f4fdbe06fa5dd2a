"""From a segment of Customer Insights to a segment of the workspace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from ci_magics.activation.csv_route import CsvRoute
from ci_magics.activation.dataverse_route import DataverseRoute, prefers_ids
from ci_magics.activation.definitions import Definition
from ci_magics.activation.insights_columns import InsightsColumns, choose_columns
from ci_magics.activation.insights_reading import each_once, read_files, read_pages
from ci_magics.activation.insights_routes import VIAS, RestRoute, Route
from ci_magics.activation.insights_segment import InsightsSegment
from ci_magics.activation.insights_spool import Reading
from ci_magics.activation.keeping import keep_segment
from ci_magics.activation.progress import Progress, Reporter, silent
from ci_magics.errors import ArgumentError, CiError, NotFoundError, SegmentError, nearest_name
from ci_magics.matching.matched import matched_schema
from ci_magics.matching.tally import Tally
from ci_magics.microsoft.insights_values import CUSTOMER_ID
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.segment import Segment, require_name
from ci_magics.workspace.store import Workspace

#: Up to so many members, page by page is quick enough: a hundred calls, a minute's worth.
_FEW = 10_000
#: What a service answers when the address of a page has expired.
_STALE = frozenset({"HTTP 400", "HTTP 404", "HTTP 410", "BadRequest", "NotFound", "files_changed"})


@dataclass(frozen=True)
class InsightsPassing:
    """Profiles that were read and matched."""

    schema: pa.Schema
    ordered: bool
    read: Callable[[], Iterator[pa.RecordBatch]]
    tally: Tally

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the profiles."""
        yield from self.read()

    def domains(self) -> dict[str, int]:
        """Return profiles by domain."""
        return self.tally.domains()

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason."""
        return self.tally.examples()


def keep_insights(
    workspace: Workspace,
    name: str,
    wanted: InsightsSegment,
    *,
    email: str | None,
    key: str | None,
    show: Callable[[str], None],
    progress: Reporter = silent,
) -> Segment:
    """Read the members of a segment of Customer Insights, and keep them under a name.

    A reading that was interrupted goes on where it ended, as long as the segment was not refreshed meanwhile.

    Parameters
    ----------
    workspace
        Where to keep it.
    name
        What to call it.
    wanted
        The segment there.
    email
        The attribute with the address; found by what it means unless given.
    key
        ``CustomerId`` or nothing.
    show
        Called with sentences about how fresh and how complete the members are.
    progress
        Called with how many members have come.

    Raises
    ------
    SegmentError
        It has no customers as members, was deleted or refreshed while it was read, or members are missing.
    """
    require_name(name)
    wanted.require_eligible()
    if key not in (None, CUSTOMER_ID):
        raise ArgumentError(
            f"Profiles of Customer Insights are known by their {CUSTOMER_ID}.", "Leave out --key.", code="insights_key"
        )
    for sentence in wanted.freshness():
        show(sentence)
    source = wanted.source
    columns = choose_columns(source.services.insights.entity(source.record.instance_id), email)
    via = _chosen_via(wanted)
    taken = ProfileColumns.of(columns.schema, columns.email, CUSTOMER_ID, columns.consents)
    reading = Reading(workspace, _identity(wanted, via, columns), matched_schema(taken.schema))
    with reading.held():
        way = _Way(wanted, via, columns, taken, progress)
        _read(reading, way, show)
        _verify(reading, wanted, show)
        batches, repeated = each_once(reading)
        _require_count(reading, repeated, wanted, show)
        made = Segment(
            id=str(uuid.uuid4()),
            name=name,
            rows=0,
            email=columns.email,
            key=CUSTOMER_ID,
            where=None,
            columns=columns.all,
            unused_consent=columns.consents,
        )
        passing = InsightsPassing(reading.schema, via == "rest", batches, reading.remembered())
        definition = Definition(
            kind="insights", source=wanted.name, email=email, instance=source.record.name, via=wanted.via
        )
        kept = keep_segment(workspace, made, passing, definition, show)
        reading.clear()
    return kept


def require_via(via: str | None) -> None:
    """Refuse a route that there is not.

    Raises
    ------
    ArgumentError
        Naming those that there are.
    """
    if via is None or via in VIAS:
        return
    nearest = nearest_name(via, VIAS)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"There is no way '{via}'.{hint}", f"Use {', '.join(VIAS)}.", code="unknown_via")


def _chosen_via(wanted: InsightsSegment) -> str:
    return wanted.via or ("rest" if (wanted.members or 0) <= _FEW else "csv")


def _identity(wanted: InsightsSegment, via: str, columns: InsightsColumns) -> dict[str, object]:
    record = wanted.source.record
    return {
        "environment": record.environment,
        "instance": record.instance_id,
        "segment": wanted.name,
        "evaluated": str(wanted.refreshed),
        "members": wanted.members,
        "via": via,
        "columns": columns.names,
    }


@dataclass(frozen=True)
class _Way:
    """How a segment's members are read.

    Parameters
    ----------
    wanted
        The segment.
    via
        The route.
    columns, taken
        What is asked for, and what of it makes a profile.
    progress
        Called with how many members have come.
    """

    wanted: InsightsSegment
    via: str
    columns: InsightsColumns
    taken: ProfileColumns
    progress: Reporter

    def go(self, reading: Reading) -> None:
        """Read what is not read yet."""
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
        """Whether reading takes minutes, because of how many calls are allowed."""
        is_real = self.wanted.source.record.environment != "emulator"
        return is_real and self.via == "rest" and (self.wanted.members or 0) > _FEW

    def _report(self, rows: int) -> None:
        self.progress(Progress(f"Reading '{self.wanted.segment.label}'", rows, max(self.wanted.members or 0, rows)))


def _read(reading: Reading, way: _Way, show: Callable[[str], None]) -> None:
    """Read what is not read yet; a position that the service does not know any more is given up once."""
    earlier, label, members = reading.state.pages, way.wanted.segment.label, way.wanted.members or 0
    if reading.state.finished:
        return
    if not earlier and way.is_slow:
        show(
            f"Page by page, {members:,} members take about {members // 10_000} minutes: Customer "
            "Insights allows 100 calls of 100 members a minute. With --via csv or dataverse it is quicker."
        )
    if earlier:
        show(f"Going on with an earlier reading, after {earlier:,} pages and {reading.state.rows:,} members.")
    try:
        way.go(reading)
    except KeyboardInterrupt:
        raise SegmentError(
            f"Reading '{label}' was stopped after {reading.state.pages:,} pages and {reading.state.rows:,} members.",
            "Run it again: it goes on from there.",
            code="reading_stopped",
        ) from None
    except CiError as error:
        _require_there(reading, way.wanted)
        if not earlier or error.code not in _STALE or reading.state.pages != earlier:
            raise
        show("Where the earlier reading ended is not known there any more; beginning anew.")
        reading.clear()
        way.go(reading)


def _require_there(reading: Reading, wanted: InsightsSegment) -> InsightsSegment:
    """Return the segment as it is now.

    Raises
    ------
    SegmentError
        It was deleted.
    """
    try:
        return wanted.source.segment(wanted.name)
    except NotFoundError:
        reading.clear()
        raise SegmentError(
            f"The segment '{wanted.segment.label}' was deleted in Customer Insights while it was being read.",
            "What there is in the workspace stays as it was.",
            code="segment_deleted",
        ) from None


def _verify(reading: Reading, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Require that the segment is still the one whose members were read."""
    now = _require_there(reading, wanted)
    if now.refreshed != wanted.refreshed:
        reading.clear()
        raise SegmentError(
            f"Customer Insights refreshed '{wanted.segment.label}' while it was being read, so members may be missing.",
            "Run it again.",
            code="segment_refreshed",
        )
    if reading.state.lagging:
        show(
            f"{reading.state.lagging:,} members have no profile yet: profiles lag behind memberships until the system "
            "refresh completes. They count as without an address."
        )


def _require_count(reading: Reading, repeated: int, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Compare what came with what the service said."""
    came, total = reading.state.rows - repeated, reading.state.total
    if repeated:
        show(f"{repeated:,} members came twice and are kept once.")
    if (total is not None and came != total) or (not came and wanted.members):
        reading.clear()
        raise SegmentError(
            f"Customer Insights said that '{wanted.segment.label}' has {total or wanted.members:,} members, and sent "
            f"{came:,}.",
            "Run it again, or read it another way (--via); nothing was changed.",
            code="members_missing",
        )
    if wanted.members is not None and came != wanted.members:
        show(f"Customer Insights counted {wanted.members:,} members when it refreshed the segment; {came:,} came.")
