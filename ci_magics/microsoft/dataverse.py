"""Read-only client for memberships and profiles in Dataverse's Web API (Customer Insights page "Dataverse APIs")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from ci_magics.discreet import discreet_methods
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.insights_endpoints import SourceEndpoints
from ci_magics.microsoft.paging import Page, page_of, pages_from

PAGE_SIZE = 5000  # default and maximum (page "Page results")
#: This many conditions on a key fit easily into a URL of 32 KB (page "Query data", limits).
IDS_PER_CALL = 200
PREFIX = "msdynci_"
ID = "msdynci_customerid"
TYPE = "msdynci_segmentmembershiptype"
_MEMBERSHIPS = "msdynci_segmentmemberships"
_PROFILES = "msdynci_customerprofiles"


@discreet_methods
class Dataverse:
    """Memberships and profiles, page by page.

    Parameters
    ----------
    conversation
        A conversation signed in to the organization.
    endpoints
        The URLs of the organization.
    page_size
        Rows per page, at most 5,000.
    """

    def __init__(self, conversation: Conversation, endpoints: SourceEndpoints, page_size: int = PAGE_SIZE) -> None:
        self.conversation = conversation
        self.endpoints = endpoints
        self._base = endpoints.base
        self._headers = {
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
            "Prefer": f"odata.maxpagesize={page_size}",
        }

    def memberships(self, segment: str, start: str | None = None) -> Iterator[Page]:
        """Return the ids of a segment's members in order, page by page; an id may occur once for each provider.

        Parameters
        ----------
        segment
            The output name of the segment.
        start
            URL of the page to resume at, from an earlier read; the first page by default.
        """
        listed = f'"{segment}"'.replace("'", "''")
        query = {
            "$filter": f"contains(msdynci_segments,'{listed}')",
            "$select": f"{ID},{TYPE}",
            "$orderby": f"{ID} asc",
        }
        return self._pages(start or self._address(_MEMBERSHIPS, query), f"the members of {segment}")

    def profiles(self, columns: Sequence[str], start: str | None = None) -> Iterator[Page]:
        """Return all profiles in id order, page by page.

        Parameters
        ----------
        columns
            Columns to return.
        start
            URL of the page to resume at, from an earlier read; the first page by default.
        """
        query = {"$select": ",".join(columns), "$orderby": f"{ID} asc"}
        return self._pages(start or self._address(_PROFILES, query), "the profiles")

    def profiles_of(self, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Page]:
        """Return the profiles with the given ids.

        Parameters
        ----------
        ids
            At most `IDS_PER_CALL` ids.
        columns
            Columns to return.
        """
        wanted = " or ".join(f"{ID} eq '{each}'" for each in (text.replace("'", "''") for text in ids))
        query = {"$select": ",".join(columns), "$filter": wanted}
        return self._pages(self._address(_PROFILES, query), "the profiles")

    def _address(self, table: str, query: dict[str, str]) -> str:
        return f"{self._base}/{table}?{urlencode(query, safe='$,')}"

    def _pages(self, start: str, what: str) -> Iterator[Page]:
        def ask(address: str) -> Page:
            page = page_of(self.conversation.get(what, address, self._headers), address, "Dataverse", ID)
            if page.next:
                self.endpoints.require_own(page.next, "the next page")
            return page

        return pages_from(start, ask, ID, "Dataverse")
