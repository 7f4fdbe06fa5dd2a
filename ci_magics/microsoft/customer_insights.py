"""Client for the Customer Insights API: instances, segments, entities, members, refresh jobs (client library 1.0.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from ci_magics.discreet import discreet_methods
from ci_magics.errors import NotFoundError, ServiceError
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.insights_endpoints import SourceEndpoints
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
from ci_magics.microsoft.retries import poll

PAGE_SIZE = 100  # "a maximum of 100 objects by default"
_WORKFLOW = "main"
_T = TypeVar("_T")


@discreet_methods
class CustomerInsights:
    """The operations needed to read a segment, one method per call.

    Parameters
    ----------
    conversation
        A conversation signed in to Customer Insights.
    endpoints
        The URLs of Customer Insights.
    """

    def __init__(self, conversation: Conversation, endpoints: SourceEndpoints) -> None:
        self.conversation = conversation
        self.endpoints = endpoints
        self._base = endpoints.base

    def instances(self) -> list[Instance]:
        """Return the environments that the signed-in user can see."""
        return self._list("the instances", f"{self._base}/instances", instance_of)

    def organization_url(self, instance_id: str) -> str:
        """Return the URL of the Dataverse organization that an instance writes to; empty if there is none.

        Parameters
        ----------
        instance_id
            The id of the environment.
        """
        body = self._object("the instance", f"{self._of(instance_id)}")
        organization = body.get("cdsOrgInfo")
        return str(organization.get("url") or "") if isinstance(organization, Mapping) else ""

    def segments(self, instance_id: str, *, history_days: int = 0) -> list[SourceSegment]:
        """Return the segments with their state and member count, optionally with history.

        Parameters
        ----------
        instance_id
            The id of the environment.
        history_days
            How many days of evaluations to include; 0 for none.
        """
        query = {"includeHistoricStats": str(history_days > 0).lower(), "historicStatsDays": history_days or 10}
        return self._list("the segments", f"{self._of(instance_id)}/manage/segments?{urlencode(query)}", segment_of)

    def entity(self, instance_id: str, name: str = CUSTOMER) -> Entity:
        """Return a table's columns and their semantic types.

        Parameters
        ----------
        instance_id
            The id of the environment.
        name
            The name of the table.

        Raises
        ------
        NotFoundError
            There is no such table.
        """
        url = f"{self._of(instance_id)}/manage/entities/{quote(name, safe='')}?attributesAnnotations=true"
        return entity_of(self._object(f"the entity {name}", url))

    def rows(self, instance_id: str, entity: str = CUSTOMER) -> int | None:
        """Return a table's row count, or None if Customer Insights does not report it (``entitysize``).

        Parameters
        ----------
        instance_id
            The id of the environment.
        entity
            The name of the table.
        """
        url = f"{self._of(instance_id)}/manage/entities/{quote(entity, safe='')}/entitysize"
        count = self._object(f"the size of {entity}", url).get("rowCount")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def members(
        self, instance_id: str, segment: str, columns: Sequence[str], start: str | None = None
    ) -> Iterator[Page]:
        """Return the members of a segment in key order, page by page.

        Customer Insights documents ``$top`` and ``$skip``, and may send a link to the next page. A link is followed;
        without one, the rows received so far are skipped.

        Parameters
        ----------
        instance_id
            The id of the environment.
        segment
            The output name of the segment.
        columns
            Columns of the profiles to return.
        start
            URL of the page to resume at, from an earlier read; the first page by default.

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
                self.endpoints.require_own(page.next, "the next page")
                return page
            return progress.followed(page)

        return pages_from(start or progress.address(0), ask, CUSTOMER_ID, "Customer Insights")

    def start_refresh(self, instance_id: str, segment: str) -> Job:
        """Start the evaluation of a segment (a job with ``operationType`` segmentation).

        Parameters
        ----------
        instance_id
            The id of the environment.
        segment
            The output name of the segment.
        """
        query = {"operationType": "segmentation", "identifiers": segment, "forceRunRequested": "true"}
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs?{urlencode(query)}"
        body = self.conversation.post(f"the refresh of {segment}", url)
        return _read("the job", [body], job_of)[0]

    def job(self, instance_id: str, job_id: str) -> Job:
        """Return the state of a job.

        Parameters
        ----------
        instance_id
            The id of the environment.
        job_id
            The id of the job.
        """
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs/{quote(job_id, safe='')}?includeTasks=true"
        return job_of(self._object("the job", url))

    def jobs(self, instance_id: str, most: int = 20) -> list[Job]:
        """Return the latest jobs.

        Parameters
        ----------
        instance_id
            The id of the environment.
        most
            Maximum number of jobs.
        """
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/jobs?top={most}&includeTasks=false"
        return self._list("the jobs", url, job_of)

    def wait(self, instance_id: str, job_id: str, on_job: Callable[[Job], None] | None = None) -> Job:
        """Poll until a job has ended; can be interrupted.

        Parameters
        ----------
        instance_id
            The id of the environment.
        job_id
            The id of the job.
        on_job
            Called with each state, for progress.
        """
        return poll(
            lambda: self.job(instance_id, job_id),
            lambda job: not job.is_running,
            self.conversation.clock,
            on_job or (lambda _job: None),
        )

    def schedules(self, instance_id: str) -> list[Schedule]:
        """Return the refresh schedules of Customer Insights.

        Parameters
        ----------
        instance_id
            The id of the environment.
        """
        url = f"{self._of(instance_id)}/workflows/{_WORKFLOW}/schedules"
        return self._list("the schedules", url, schedule_of)

    def data_url(self, instance_id: str, entity: str, query: str) -> str:
        """Return the URL of a table's rows.

        Parameters
        ----------
        instance_id
            The id of the environment.
        entity
            The name of the table.
        query
            The query string, already encoded, without ``?``.
        """
        return f"{self._of(instance_id)}/data/{quote(entity, safe='')}?{query}"

    def _of(self, instance_id: str) -> str:
        return f"{self._base}/instances/{quote(instance_id, safe='')}"

    def _object(self, operation: str, url: str) -> Mapping[str, Any]:
        try:
            body = self.conversation.get(operation, url)
        except ServiceError as error:
            if error.code in ("HTTP 404", "NotFound"):
                raise NotFoundError(error.sentence, error.advice, code=error.code) from None
            raise
        return _require(operation, body if isinstance(body, Mapping) else None)

    def _list(self, operation: str, url: str, read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
        body = self.conversation.get(operation, url)
        items = body.get("value") if isinstance(body, Mapping) else body  # documented as a bare array
        return _read(operation, _require(operation, items if isinstance(items, list) else None), read)


class _Skipped:
    """Pagination by ``$skip``, for responses without a link: counts the rows read so far."""

    def __init__(self, first: str) -> None:
        self._first = first

    def address(self, skip: int) -> str:
        """Return the URL of the page after that many rows.

        Parameters
        ----------
        skip
            Number of rows read so far.
        """
        return f"{self._first}&$skip={skip}"

    def followed(self, page: Page) -> Page:
        """Return a page with the URL of the next one; only an empty page, or the total, marks the end.

        A page shorter than requested is not the end: a service may return fewer rows at a time.

        Parameters
        ----------
        page
            The page that was read.
        """
        # A page reached by a link has another form of URL, and is not counted.
        base, _mark, skip = page.address.rpartition("&$skip=")
        if not page.rows or base != self._first or not skip.isdecimal():
            return page
        done = int(skip) + len(page.rows)
        if page.total is not None and done >= page.total:
            return page
        return Page(page.rows, page.address, self.address(done), page.total)


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
