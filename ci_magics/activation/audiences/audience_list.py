"""List the Customer Match lists of an account, and show which of them were filled from this workspace."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from ci_magics.activation.audiences import audience_operations
from ci_magics.activation.connections.services import open_services
from ci_magics.activation.plans.preview import find_connection
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultList, frame_only
from ci_magics.grammar.operation import operation
from ci_magics.grammar.shared import AUDIENCE, CONFIRM, NEW_NAME
from ci_magics.microsoft.advertising import Audience
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

_UNKNOWN = "not counted"


@dataclass(frozen=True)
class AccountAudience:
    """A Customer Match list of an account.

    Parameters
    ----------
    name, id, scope
        As in Microsoft Advertising.
    membership_days
        How many days a member stays; -1 for no end.
    search_size, audience_network_size
        People that Microsoft matched; None until it has counted them.
    segment
        The segment that it was last filled from; empty if it was not filled from this workspace.
    members
        Hashes that were sent from this workspace and accepted; None if it was not filled from here.
    """

    name: str
    id: str
    scope: str
    membership_days: int | None
    search_size: int | None
    audience_network_size: int | None
    segment: str
    members: int | None


def _membership(days: int | None) -> str:
    if days is None:
        return ""
    return "forever" if days == -1 else pluralize(days, "day")


def _size(size: int | None) -> str:
    return _UNKNOWN if size is None else format_count(size)


@dataclass(frozen=True, repr=False)
class AudienceList(ResultList[AccountAudience]):
    """The lists of an account.

    Parameters
    ----------
    destination
        The connection's environment and account; the first line of every display.
    connection
        The name of the connection.
    audiences
        The lists, sorted by name.
    """

    destination: str
    connection: str
    audiences: tuple[AccountAudience, ...]
    _workspace: Workspace = field(repr=False, compare=False)
    _show: Callable[[str], None] = field(repr=False, compare=False)

    _columns = (
        Column("Audience", "name"),
        Column("Number", "id"),
        *frame_only("scope", "membership_days", "search_size", "audience_network_size"),
        Column("Segment", "segment", lambda name: name or "not filled from here"),
        Column("Sent", "members", lambda count: "" if count is None else format_count(count)),
        Column("Matched in search", lambda each: _size(each.search_size)),
        Column("Matched on the network", lambda each: _size(each.audience_network_size)),
        Column("Members stay", lambda each: _membership(each.membership_days)),
    )
    _if_empty = "The account has no Customer Match list yet."

    @property
    def _rows(self) -> tuple[AccountAudience, ...]:
        return self.audiences

    @property
    def _title(self) -> str:
        return self.destination

    @property
    def _title_html(self) -> str:
        return f"<div><b>{html.escape(self.destination)}</b></div>"

    @operation(Verb.RENAME_AUDIENCE, example='"Contoso EU" "Big spenders" "Large spenders" --confirm "Big spenders"')
    def rename(
        self, audience: Annotated[str, AUDIENCE], new: Annotated[str, NEW_NAME], *, confirm: Annotated[str, CONFIRM]
    ) -> AudienceList:
        """Rename a list and return the lists again; segments and ledgers stay linked to it.

        Parameters
        ----------
        audience
            Name or id of the list.
        new
            The new name.
        confirm
            The current name, to confirm.

        Raises
        ------
        AccessError
            The current user may not do this.
        ArgumentError
            The confirmation is not the list's name, or the new name is not valid.
        NotFoundError
            The list does not exist.
        ExportRefusedError
            A run is sending to it.
        ServiceError
            Microsoft refused, for example because the name is taken.
        """
        audience_operations.rename_audience(
            self._workspace, self.connection, audience, new, confirm=confirm, show=self._show
        )
        return self._again()

    @operation(Verb.EMPTY_AUDIENCE, example='"Contoso EU" "Big spenders" --confirm "Big spenders"')
    def empty(self, audience: Annotated[str, AUDIENCE], *, confirm: Annotated[str, CONFIRM]) -> AudienceList:
        """Remove all members of a list, no matter who added them, and return the lists again.

        No profile is sent, so no consent is needed. Unfinished runs are canceled for this list. Raises the same errors
        as `rename`.

        Parameters
        ----------
        audience
            Name or id of the list.
        confirm
            The name of the list, to confirm.
        """
        audience_operations.empty_audience(self._workspace, self.connection, audience, confirm=confirm, show=self._show)
        return self._again()

    @operation(Verb.DELETE_AUDIENCE, example='"Contoso EU" "Big spenders" --confirm "Big spenders"')
    def delete(self, audience: Annotated[str, AUDIENCE], *, confirm: Annotated[str, CONFIRM]) -> AudienceList:
        """Delete a list with the workspace's record of it, and return the remaining ones.

        Unfinished runs are canceled for this list. Raises the same errors as `rename`.

        Parameters
        ----------
        audience, confirm
            As in `empty`.
        """
        audience_operations.delete_audience(
            self._workspace, self.connection, audience, confirm=confirm, show=self._show
        )
        return self._again()

    def names(self) -> list[str]:
        """Return their names."""
        return [each.name for each in self.audiences]

    def _again(self) -> AudienceList:
        return audiences(self.connection, workspace=self._workspace, show=self._show)


def audiences(
    to: Connection | str, *, workspace: WorkspaceLike | None = None, show: Callable[[str], None] = announce
) -> AudienceList:
    """Return the Customer Match lists of a connection's account, to view, rename, empty or delete them.

    Parameters
    ----------
    to
        The connection or its name. No consent is needed, because no profile is sent.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see, such as a sign-in code.

    Raises
    ------
    AccessError
        The connection is not shared with the current user.
    SignInError
        Nobody is signed in, and there is no user to ask.

    Examples
    --------
    >>> ci.audiences("Contoso EU").delete("Big spenders", confirm="Big spenders")  # doctest: +SKIP
    """
    workspace = store_of(workspace)
    connection = find_connection(workspace, to)
    require(workspace, Verb.LIST_AUDIENCES, connection)
    services = open_services(workspace, connection, show=show)
    found = sorted(services.advertising.audiences(), key=lambda each: each.name.casefold())
    seen = tuple(_seen(each, audience_operations.record_of(workspace, services, connection, each.id)) for each in found)
    return AudienceList(connection.destination, connection.name, seen, workspace, show)


def _seen(audience: Audience, record: AudienceRecord | None) -> AccountAudience:
    return AccountAudience(
        name=audience.name,
        id=audience.id,
        scope=audience.scope,
        membership_days=audience.membership_days,
        search_size=audience.search_size,
        audience_network_size=audience.audience_network_size,
        segment=record.segment_name if record else "",
        members=record.members if record else None,
    )
