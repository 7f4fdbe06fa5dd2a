"""Read whole tables of Customer Insights as CSV partitions from pre-signed URLs (``proxy=true``).

Microsoft's Power BI connector reads tables in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
import urllib3

from ci_magics.advice import Opt, advise
from ci_magics.errors import ServiceError
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.microsoft.retries import Patience, TransientError, retry
from ci_magics.microsoft.unreachable import cause_of

_T = TypeVar("_T")
_TIMEOUT = (10.0, 100.0)
_EXPIRED = frozenset({401, 403, 404, 410})


@dataclass(frozen=True)
class Partition:
    """A file with part of a table's rows; its URL is a secret until it expires."""

    number: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class PartitionExpiredError(Exception):
    """The URL of a partition has expired; request new ones."""


def partitions(insights: CustomerInsights, instance_id: str, entity: str) -> list[Partition]:
    """Request the files of a table.

    Parameters
    ----------
    insights
        The client.
    instance_id
        The id of the environment.
    entity
        The name of the table.

    Raises
    ------
    ServiceError
        There are no files, or one is outside of Azure storage.
    """
    url = insights.data_url(instance_id, entity, "$select=*&proxy=true")
    body = insights.conversation.get(f"the files of {entity}", url)
    asked = body.get("httpRequests") if isinstance(body, Mapping) else None
    if not isinstance(asked, list) or not all(isinstance(each, Mapping) and each.get("uri") for each in asked):
        raise ServiceError(
            f"Customer Insights hands out no files of {entity}.",
            advise("Read it with ", Opt("via", "rest"), "."),
            code="no_partitions",
        )
    for each in asked:
        if not insights.endpoints.is_storage(str(each["uri"])):
            raise insights.endpoints.foreign("a file")
    return [Partition(number, str(each["uri"]), _headers(each.get("headers"))) for number, each in enumerate(asked)]


def read_partition(insights: CustomerInsights, partition: Partition, work: Callable[[PartitionStream], _T]) -> _T:
    """Read a file, and start over if the connection breaks.

    Parameters
    ----------
    insights
        The client whose session is used. The request carries no credentials; the URL is sufficient.
    partition
        The file.
    work
        Reads the stream; must start over on each call.

    Returns
    -------
    _T
        What ``work`` returned.

    Raises
    ------
    PartitionExpiredError
        The URL has expired.
    ServiceError
        The file cannot be fetched.
    """
    reason = "the connection broke each time"

    def once() -> _T:
        nonlocal reason
        try:
            with _opened(insights, partition) as stream:
                try:
                    return work(stream)
                except Exception:
                    if not stream.broken:
                        raise
        except requests.HTTPError as error:
            reason = f"the storage answers with {error}"
        except requests.RequestException as error:
            reason = cause_of(error).reason
        broken = ServiceError(
            f"A file of Customer Insights cannot be fetched to its end: {reason}.",
            "Run it again: files that were read are not read again.",
            code="partition_broken",
        )
        raise TransientError(broken)

    return retry(once, Patience(), insights.conversation.clock, lambda _sentence: None)


class PartitionStream:
    """The bytes of a file as they arrive, with the file interface that Arrow's reader needs.

    Parameters
    ----------
    raw
        The raw response of urllib3.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.broken = False
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; empty at the end.

        Parameters
        ----------
        size
            Maximum number of bytes; negative for all that are left.
        """
        try:
            return bytes(self._raw.read(size if size >= 0 else None, decode_content=True))
        except (urllib3.exceptions.HTTPError, OSError):
            self.broken = True
            raise OSError("the connection broke") from None

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def seekable(self) -> bool:
        """Return False: the stream only moves forward."""
        return False

    def close(self) -> None:
        """Do nothing: the caller that opened it closes it."""


@contextmanager
def _opened(insights: CustomerInsights, partition: Partition) -> Iterator[PartitionStream]:
    response = insights.conversation.session.get(
        partition.url, headers=dict(partition.headers), timeout=_TIMEOUT, allow_redirects=False, stream=True
    )
    with response:
        if response.status_code in _EXPIRED:
            raise PartitionExpiredError
        if response.status_code != 200:
            raise requests.HTTPError(f"HTTP {response.status_code}")
        yield PartitionStream(response.raw)


def _headers(given: Any) -> dict[str, str]:
    """Return the headers with which to request a file."""
    if isinstance(given, list):
        pairs = [(each.get("key") or each.get("name"), each.get("value")) for each in given if isinstance(each, dict)]
    else:
        pairs = list(given.items()) if isinstance(given, Mapping) else []
    return {str(name): str(value) for name, value in pairs if name and value is not None}
