"""Whole tables of Customer Insights as files: pre-signed addresses of CSV partitions (``proxy=true``).

This is the way in which Microsoft's Power BI connector reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
import urllib3

from ci_magics.errors import ServiceError
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.microsoft.unreachable import cause_of

_T = TypeVar("_T")
_TIMEOUT = (10.0, 100.0)
_TRIES = 5
_EXPIRED = frozenset({401, 403, 404, 410})


@dataclass(frozen=True)
class Partition:
    """A file with some of a table's rows; its address is a secret for as long as it lasts."""

    number: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class PartitionExpiredError(Exception):
    """The address of a partition is not valid any more: ask for new ones."""


def partitions(insights: CustomerInsights, instance_id: str, entity: str) -> list[Partition]:
    """Ask for the files of a table.

    Raises
    ------
    ServiceError
        There are none, or one of them is somewhere else than in Azure's storage.
    """
    url = insights.data_url(instance_id, entity, "$select=*&proxy=true")
    body = insights.conversation.get(f"the files of {entity}", url)
    asked = body.get("httpRequests") if isinstance(body, Mapping) else None
    if not isinstance(asked, list) or not all(isinstance(each, Mapping) and each.get("uri") for each in asked):
        raise ServiceError(
            f"Customer Insights hands out no files of {entity}.", "Read it by --via rest.", code="no_partitions"
        )
    for each in asked:
        if not insights.conversation.endpoints.is_storage(str(each["uri"])):
            raise insights.conversation.endpoints.foreign("a file")
    return [Partition(number, str(each["uri"]), _headers(each.get("headers"))) for number, each in enumerate(asked)]


def read_partition(insights: CustomerInsights, partition: Partition, work: Callable[[PartitionStream], _T]) -> _T:
    """Read a file from its beginning, again where the connection breaks.

    Parameters
    ----------
    insights
        Whose session is used; the request carries no credentials, the address is enough.
    partition
        The file.
    work
        Reads the stream; starts over at each call.

    Raises
    ------
    PartitionExpiredError
        The address is not valid any more.
    ServiceError
        The file cannot be fetched.
    """
    clock = insights.conversation.clock
    reason = "the connection broke each time"
    for attempt in range(_TRIES):
        if attempt:
            clock.sleep(float(2 ** (attempt - 1)))
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
    raise ServiceError(
        f"A file of Customer Insights cannot be fetched to its end: {reason}.",
        "Run it again: files that were read are not read again.",
        code="partition_broken",
    )


class PartitionStream:
    """The bytes of a file as they come in; what Arrow's reader needs of a file.

    Parameters
    ----------
    raw
        The answer.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.broken = False
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end."""
        try:
            return bytes(self._raw.read(size if size >= 0 else None, decode_content=True))
        except (urllib3.exceptions.HTTPError, OSError):
            self.broken = True
            raise OSError("the connection broke") from None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def writable(self) -> bool:
        """Tell that it cannot be written."""
        return False

    def seekable(self) -> bool:
        """Tell that it goes one way."""
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
    """Return the headers that a file is to be asked for with."""
    if isinstance(given, list):
        pairs = [(each.get("key") or each.get("name"), each.get("value")) for each in given if isinstance(each, dict)]
    else:
        pairs = list(given.items()) if isinstance(given, Mapping) else []
    return {str(name): str(value) for name, value in pairs if name and value is not None}
