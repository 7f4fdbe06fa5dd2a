"""Pages of a service that hands out one after the other, each read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from ci_magics.errors import ServiceError

_EMPTY_PAGES = 10  # in a row
_LINKS = ("@odata.nextLink", "odata.nextLink", "nextLink")


@dataclass(frozen=True)
class Page:
    """Some rows, and where the next ones are.

    Parameters
    ----------
    rows
        Objects as they came.
    address
        Where this page is.
    next
        Where the next one is: from there a reading goes on, also in another process. None behind the last.
    total
        How many rows there are in all, if the service says so.
    """

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    address: str
    next: str | None
    total: int | None


def page_of(body: Any, address: str, service: str, key: str) -> Page:
    """Read one page, each of whose rows must have a key.

    Raises
    ------
    ServiceError
        It is none.
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
    """Return a link as it is; one without a host is meant from the page that holds it."""
    return link if link.lower().startswith(("https://", "http://")) else urljoin(address, link)


def pages_from(start: str, ask: Callable[[str], Page], key: str, service: str) -> Iterator[Page]:
    """Follow pages from an address to the last one.

    A page that came before, or that leads back, is asked for once more: that may be a slip of the service.

    Parameters
    ----------
    start
        Address of the first page.
    ask
        Fetches one.
    key
        The column that tells rows apart.
    service
        Its name, for messages.

    Raises
    ------
    ServiceError
        The service goes round in circles.
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
    """The pages that were read, by eight bytes of a hash for each, and their addresses."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._marks: set[bytes] = set()
        self._addresses: set[bytes] = set()
        self._empty = 0

    def leads_back(self, page: Page) -> bool:
        """Tell whether the rows of a page came before, or its link leads to where one has been.

        A page without rows may lead to itself, which means: ask again; but not forever.
        """
        if not page.rows:
            return self._empty >= _EMPTY_PAGES
        ahead = _mark(page.next) if page.next else None
        circle = ahead is not None and (ahead in self._addresses or ahead == _mark(page.address))
        return circle or self._rows(page) in self._marks

    def note(self, page: Page) -> None:
        """Remember a page that is handed on."""
        if not page.rows:
            self._empty += 1
            return
        self._empty = 0
        self._marks.add(self._rows(page))
        self._addresses.add(_mark(page.address))

    def _rows(self, page: Page) -> bytes:
        return _mark("\n".join(str(row.get(self._key)) for row in page.rows))


def _mark(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()[:8]


def _repeated(service: str) -> ServiceError:
    """Return the error for a service that goes round in circles."""
    return ServiceError(
        f"{service} sent the same page twice, so the rest cannot be told from what was read.",
        "Run it again, which goes on from there, or read it another way (--via).",
        code="page_repeated",
    )
