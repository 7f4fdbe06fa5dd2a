"""Customer Insights' own API: instances, segments, entities, members, refresh jobs (client library 1.0.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from ci_magics.discreet import discreet_methods
from ci_magics.errors import NotFoundError, ServiceError
from ci_magics.microsoft.insights_values import (
    CUSTOMER,
    CUSTOMER_ID,
    Entity,
    Instance,
    Job,
    Schedule,
    SourceSegment,
    entity_of,
    instance_of,
    job_of,
    schedule_of,
    segment_of,
)
from ci_magics.microsoft.paging import Page, page_of, pages_from
from ci_magics.microsoft.source_http import SourceConversation

PAGE_SIZE = 100  # "a maximum of 100 objects by default"
_WORKFLOW = "main"
_FIRST_PAUSE = 0.2
_T = TypeVar("_T")


@discreet_methods
class CustomerInsights:
    """The operations that reading a segment needs, each one call.

    Parameters
    ----------
    conversation
        Signed in to Customer Insights.
    """

    def __init__(self, conversation: SourceConversation) -> None:
        self.conversation = conversation
        self._base = conversation.endpoints.base

    def instances(self) -> list[Instance]:
        """Return the environments that the signed-in person may see."""
        return self._list("the instances", f"{self._base}/instances", instance_of)

    def organization_url(self, instance_id: str) -> str:
        """Return the address of the Dataverse organization that an instance writes to; empty when it has none."""
        body = self._object("the instance", f"{self._of(instance_id)}")
        organization = body.get("cdsOrgInfo")
        return str(organization.get("url") or "") if isinstance(organization, Mapping) else ""

    def segments(self, instance_id: str, *, history_days: int = 0) -> list[SourceSegment]:
        """Return the segments with state and number of members; with their history when days are given."""
        query = {"includeHistoricStats": str(history_days > 0).lower(), "historicStatsDays": history_days or 10}
        return self._list("the segments", f"{self._of(instance_id)}/manage/segments?{urlencode(query)}", segment_of)

    def entity(self, instance_id: str, name: str = CUSTOMER) -> Entity:
        """Return a table's columns and what they mean.

        Raises
        ------
        NotFoundError
            There is no such table.
        """
        url = f"{self._of(instance_id)}/manage/entities/{quote(name, safe='')}?attributesAnnotations=true"
        return entity_of(self._object(f"the entity {name}", url))

    def entities(self, instance_id: str) -> list[Entity]:
        """Return all tables."""
        query = "attributesAnnotations=true&includeQuarantined=false&includeSelfConflatedEntity=false"
        url = f"{self._of(instance_id)}/manage/entities?{query}"
        return _read("the entities", [self._object("the entities", url)], lambda body: _entities(body))[0]

    def rows(self, instance_id: str, entity: str = CUSTOMER) -> int | None:
        """Return how many rows a table has, if Customer Insights says so (``entitysize``)."""
        url = f"{self._of(instance_id)}/manage/entities/{quote(entity, safe='')}/entitysize"
        count = self._object(f"the size of {entity}", url).get("rowCount")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def members(
        self, instance_id: str, segment: str, columns: Sequence[str], start: str | None = None
    ) -> Iterator[Page]:
        """Return the members of a segment in order of their key, page by page.

        Customer Insights documents ``$top`` and ``$skip`` and may send a link to the next page; a link is followed,
        else the rows that came are skipped.

        Parameters
        ----------
        instance_id, segment
            Which one.
        columns
            What of each profile is asked for.
        start
            Address of the page to begin with, from an earlier reading.

        Raises
        ------
        ServiceError
            A page repeats, or a link leads to another host.
        """
        query = {
            "$filter": f"IsMemberOfSegment('{_in_quotes(segment)}')",
            "$select": ",".join(columns),
            "$orderby": CUSTOMER_ID,
            "$top": str(PAGE_SIZE),
        }
        first = f"{self._of(instance_id)}/data/{CUSTOMER}?{urlencode(query, safe='$')}"
        progress = _Skipped(first)

        def ask(address: str) -> Page:
            body = self.conversation.get(f"the members of {segment}", address)
            page = page_of(body, address, "Customer Insights", CUSTOMER_ID)
            if page.next:
                self.conversation.endpoints.require_own(page.next, "the next page")
                return page
            return progress.followed(page)

        return pages_from(start or progress.address(0), ask, CUSTOMER_ID, "Customer Insights")

    def start_refresh(self, instance_id: str, segment: str) -> Job:
        """Ask for a segment to be evaluated again (a job of ``operationType`` segmentation)."""
        query = {"operationType": "segmentation", "identifiers": segment, "forceRunRequested": "true"}
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs?{urlencode(query)}"
        body = self.conversation.post(f"the refresh of {segment}", url)
        return _read("the job", [body], job_of)[0]

    def job(self, instance_id: str, job_id: str) -> Job:
        """Return how far a job is."""
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs/{quote(job_id, safe='')}?includeTasks=true"
        return job_of(self._object("the job", url))

    def jobs(self, instance_id: str, most: int = 20) -> list[Job]:
        """Return the latest jobs."""
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs?top={most}&includeTasks=false"
        return self._list("the jobs", url, job_of)

    def wait(self, instance_id: str, job_id: str, on_job: Callable[[Job], None] | None = None) -> Job:
        """Ask until a job has ended; can be interrupted.

        The first question comes after 0.2 s, the pauses grow by half to 5 s in the first minute, then to 60 s.
        """
        clock = self.conversation.clock
        started, pause = clock.monotonic(), _FIRST_PAUSE
        while True:
            clock.sleep(pause)
            job = self.job(instance_id, job_id)
            if on_job:
                on_job(job)
            if not job.is_running:
                return job
            pause = min(pause * 1.5, 5.0 if clock.monotonic() - started < 60 else 60.0)

    def schedules(self, instance_id: str) -> list[Schedule]:
        """Return when Customer Insights refreshes by itself."""
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/schedules"
        return self._list("the schedules", url, schedule_of)

    def data_url(self, instance_id: str, entity: str, query: str) -> str:
        """Return the address of a table's rows."""
        return f"{self._of(instance_id)}/data/{quote(entity, safe='')}?{query}"

    def _of(self, instance_id: str) -> str:
        return f"{self._base}/instances/{quote(instance_id, safe='')}"

    def _object(self, operation: str, url: str) -> Mapping[str, Any]:
        try:
            body = self.conversation.get(operation, url)
        except ServiceError as error:
            if error.code in ("HTTP 404", "NotFound"):
                raise NotFoundError(error.sentence, error.next_step, code=error.code) from None
            raise
        return _require(operation, body if isinstance(body, Mapping) else None)

    def _list(self, operation: str, url: str, read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
        body = self.conversation.get(operation, url)
        items = body.get("value") if isinstance(body, Mapping) else body  # documented as a bare array
        return _read(operation, _require(operation, items if isinstance(items, list) else None), read)


class _Skipped:
    """How many rows were read where the service sends no link, so that the next page can be asked for."""

    def __init__(self, first: str) -> None:
        self._first = first

    def address(self, skip: int) -> str:
        """Return the address of the page behind so many rows."""
        return f"{self._first}&$skip={skip}"

    def followed(self, page: Page) -> Page:
        """Return a page with the address of the one behind it; only an empty page, or the count, says it was the last.

        A page that is shorter than was asked for is no end: a service may hand out less at a time.
        """
        base, _mark, skip = page.address.rpartition("&$skip=")
        if not page.rows or base != self._first or not skip.isdecimal():
            return page
        done = int(skip) + len(page.rows)
        if page.total is not None and done >= page.total:
            return page
        return Page(page.rows, page.address, self.address(done), page.total)


def _entities(body: Mapping[str, Any]) -> list[Entity]:
    return [entity_of(each) for each in body["entities"]]


def _in_quotes(text: str) -> str:
    return text.replace("'", "''")


def _require(operation: str, value: _T | None) -> _T:
    if value is None:
        raise _not_understood(operation)
    return value


def _read(operation: str, items: Sequence[Any], read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
    try:
        return [read(each) for each in items]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _not_understood(operation) from None


def _not_understood(operation: str) -> ServiceError:
    return ServiceError(
        f"Customer Insights answered {operation} in a way that is not understood.",
        "Please report this as a bug of ci-magics.",
        code="not_understood",
    )
