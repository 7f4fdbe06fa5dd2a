"""Read the members of a segment from Dataverse: memberships first, then the profiles with those ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.activation.segments.customer_insights.insights_segment import not_eligible
from ci_magics.activation.segments.customer_insights.routes import Chunk
from ci_magics.advice import Opt, advise
from ci_magics.errors import ServiceError
from ci_magics.microsoft.dataverse import ID, IDS_PER_CALL, PAGE_SIZE, TYPE, Dataverse
from ci_magics.microsoft.insights_values import CUSTOMER, folded
from ci_magics.microsoft.paging import Page
from ci_magics.segmentation.sources.records import batch_of_records

#: Far below the 52 concurrent requests that Dataverse allows for each user.
_AT_ONCE = 4
_Row = Mapping[str, Any]


@dataclass(frozen=True)
class DataverseRoute:
    """Read from Dataverse in one of two ways: request few profiles by id, or scan all profiles and keep the members.

    Parameters
    ----------
    dataverse
        Client for the organization.
    segment, label
        Name and label of the segment to read.
    columns
        Profile columns to read.
    by_id
        Whether to request profiles by id.
    """

    dataverse: Dataverse
    segment: str
    label: str
    columns: InsightsColumns
    by_id: bool

    def chunks(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Yield members, sorted by id."""
        return self._requested(position) if self.by_id else self._passing_by(position)

    def _requested(self, position: dict[str, Any]) -> Iterator[Chunk]:
        last = str(position.get("after", ""))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for page in self.dataverse.memberships(self.segment, position.get("members")):
                ids = self._ids(page, last)
                pieces = [ids[start : start + IDS_PER_CALL] for start in range(0, len(ids), IDS_PER_CALL)]
                found = {row[ID]: row for rows in pool.map(self._profiles_of, pieces) for row in rows}
                last = ids[-1] if ids else last
                yield self._chunk_of_ids(ids, found, {"members": page.next, "after": last} if page.next else {})

    def _profiles_of(self, ids: Sequence[str]) -> list[_Row]:
        pages = self.dataverse.profiles_of(ids, self.columns.dataverse_names)
        return [row for page in pages for row in page.rows]

    def _passing_by(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Merge memberships and profiles. Both are sorted by id, so only few rows are in memory."""
        waiting = _Waiting(self, position)
        before = ""
        for page in self.dataverse.profiles(self.columns.dataverse_names, position.get("profiles")):
            # The merge is correct only if Dataverse sorts the profiles, so check the order.
            found = {str(row[ID]): row for row in page.rows}
            if list(found) != sorted(found) or (found and min(found) <= before):
                raise _no_order()
            before = max(found, default=before)
            ids = waiting.until(before if page.next else None)
            # Resume at the current page of memberships: its ids up to `after` are skipped, the rest still wait.
            at = {"profiles": page.next, "members": waiting.address, "after": waiting.after}
            yield self._chunk_of_ids(ids, found, at if page.next and not waiting.at_end else {})
            if waiting.at_end:
                return

    def _ids(self, page: Page, last: str) -> list[str]:
        """Return the ids of a page after the last one, without duplicates: an id occurs once for each provider."""
        if {folded(each or CUSTOMER) for each in {row.get(TYPE) for row in page.rows}} - {folded(CUSTOMER)}:
            raise not_eligible(self.label)
        ids = list(dict.fromkeys(str(row[ID]) for row in page.rows))
        if ids != sorted(ids):
            raise _no_order()
        return [each for each in ids if each > last]

    def _chunk_of_ids(self, ids: Sequence[str], found: Mapping[str, _Row], position: dict[str, Any]) -> Chunk:
        names = self.columns.dataverse_names
        rows = [found.get(each) or {ID: each} for each in ids]
        lagging = sum(each not in found for each in ids)
        return Chunk(batch_of_records(rows, names, self.columns.schema), position, lagging=lagging)


class _Waiting:
    """The ids of members whose profiles have not been read yet.

    Parameters
    ----------
    route
        Route of the members.
    position
        Where an earlier reading stopped.
    """

    def __init__(self, route: DataverseRoute, position: dict[str, Any]) -> None:
        self._route = route
        self._pages = route.dataverse.memberships(route.segment, position.get("members"))
        self._ids: list[str] = []
        self._seen = self.after = str(position.get("after", ""))
        self.address: str | None = position.get("members")
        self._ended = False
        self._fetch()

    @property
    def at_end(self) -> bool:
        """Whether all members have been returned."""
        return self._ended and not self._ids

    def until(self, last: str | None) -> list[str]:
        """Return the ids up to and including one, or all that are left."""
        taken: list[str] = []
        while True:
            ready = [each for each in self._ids if last is None or each <= last]
            taken += ready
            self._ids = self._ids[len(ready) :]
            if self._ids or self._ended:
                break
            self._fetch()
        self.after = taken[-1] if taken else self.after
        return taken

    def _fetch(self) -> None:
        while not self._ids and not self._ended:
            page = next(self._pages, None)
            if page is None:
                self._ended = True
                return
            self.address = page.address
            self._ids = self._route._ids(page, self._seen)  # noqa: SLF001 - both classes are parts of one algorithm
            self._seen = self._ids[-1] if self._ids else self._seen
            self._ended = page.next is None


def prefers_ids(members: int | None, profiles: int | None) -> bool:
    """Return whether requesting profiles by id needs fewer requests than scanning all profiles.

    Parameters
    ----------
    members
        Number of members, if known.
    profiles
        Number of all profiles, if known.
    """
    if members is None:
        return profiles is None or profiles > PAGE_SIZE
    return profiles is None or members / IDS_PER_CALL < profiles / PAGE_SIZE


def _no_order() -> ServiceError:
    return ServiceError(
        "Dataverse does not send its rows in the requested order.",
        advise("Read the segment with ", Opt("via", "csv"), " or ", Opt("via", "rest"), "."),
        code="no_order",
    )
