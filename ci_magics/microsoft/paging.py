"""Pagination: follow the pages of a service and detect loops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from ci_magics.advice import Opt, advise
from ci_magics.errors import ServiceError

_EMPTY_PAGES = 10  # in a row
_LINKS = ("@odata.nextLink", "odata.nextLink", "nextLink")


@dataclass(frozen=True)
class Page:
    """A page of rows and the URL of the next one.

    Parameters
    ----------
    rows
        The JSON objects as received.
    address
        The URL of this page.
    next
        The URL of the next page, where a later read can resume, also in another process. None on the last page.
    total
        The total number of rows, if the service reports it.
    """

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    address: str
    next: str | None
    total: int | None


def page_of(body: Any, address: str, service: str, key: str) -> Page:
    """Parse a page and check that each row has a key.

    Parameters
    ----------
    body
        The JSON value of the response.
    address
        The URL of the page.
    service
        The name of the service, for messages.
    key
        The column that every row must have.

    Raises
    ------
    ServiceError
        The response is not a page of rows.
    """
    value = body.get("value") if isinstance(body, Mapping) else None
    if not isinstance(value, list) or not all(isinstance(each, Mapping) and each.get(key) for each in value):
        raise ServiceError(
            f"{service} answered with something that is no page of rows.", "Run it again later.", code="no_page"
        )
    link = next((str(body[name]) for name in _LINKS if body.get(name)), None)
    total = body.get("@odata.count")
    known = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return Page(value, address, _whole(address, link) if link else None, total if known else None)


def _whole(address: str, link: str) -> str:
    """Return an absolute URL; a relative link refers to the page that contains it."""
    return link if link.lower().startswith(("https://", "http://")) else urljoin(address, link)


def pages_from(start: str, ask: Callable[[str], Page], key: str, service: str) -> Iterator[Page]:
    """Follow pages from a URL to the last one.

    A page that repeats, or leads back to an earlier one, is requested once more, in case the error is transient.

    Parameters
    ----------
    start
        URL of the first page.
    ask
        Fetches a page.
    key
        The column that identifies a row.
    service
        The name of the service, for messages.

    Raises
    ------
    ServiceError
        The pages form a loop.
    """
    trail, address = _Trail(key), start
    while True:
        page = ask(address)
        if trail.leads_back(page):
            page = ask(address)
            if trail.leads_back(page):
                raise _repeated(service)
        trail.note(page)
        yield page
        if page.next is None:
            return
        address = page.next


class _Trail:
    """The pages read so far: eight bytes of a hash for each page's rows and for each URL."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._marks: set[bytes] = set()
        self._addresses: set[bytes] = set()
        self._empty = 0

    def leads_back(self, page: Page) -> bool:
        """Return whether a page repeats earlier rows or links to an earlier page.

        A page without rows may link to itself, which means "ask again", but only a limited number of times.

        Parameters
        ----------
        page
            The page that was just read.
        """
        if not page.rows:
            return self._empty >= _EMPTY_PAGES
        ahead = _mark(page.next) if page.next else None
        circle = ahead is not None and (ahead in self._addresses or ahead == _mark(page.address))
        return circle or self._rows(page) in self._marks

    def note(self, page: Page) -> None:
        """Remember a page that was returned.

        Parameters
        ----------
        page
            The page.
        """
        if not page.rows:
            self._empty += 1
            return
        self._empty = 0
        self._marks.add(self._rows(page))
        self._addresses.add(_mark(page.address))

    def _rows(self, page: Page) -> bytes:
        return _mark("\n".join(str(row.get(self._key)) for row in page.rows))


def _mark(text: str) -> bytes:
    # With 64 bits, a collision is improbable below billions of pages.
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()[:8]


def _repeated(service: str) -> ServiceError:
    """Build the error for pages that form a loop."""
    return ServiceError(
        f"{service} sent the same page twice, so the rest cannot be told from what was read.",
        advise("Run it again, which goes on from there, or read it by another route (", Opt("via"), ")."),
        code="page_repeated",
    )
