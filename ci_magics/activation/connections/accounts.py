"""All accounts that you can sign in to: connections to Microsoft Advertising, and instances of Customer Insights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ci_magics.activation.connections.sign_in import noted_sign_in
from ci_magics.advice import NAME, Do, Opt
from ci_magics.display.result_table import Column, ResultList, as_day, as_minute, frame_only
from ci_magics.workspace.access import NOTHING_SHARED, Verb, require
from ci_magics.workspace.store import Workspace

_HIDDEN = "shared with you"


@dataclass(frozen=True)
class AccountLine:
    """One account: a connection to Microsoft Advertising, or an instance of Customer Insights.

    Parameters
    ----------
    name, type, environment
        Its name, the service, and its environment.
    leads_to
        The ids of the account, or the name of the instance.
    created_at, shared_with
        When it was created, and who may use it besides administrators; empty if it is only shared with the current
        user.
    signed_in_at
        When the current user signed in to it; None if that was not needed or not done yet.
    missing_consents
        The options that give the missing consents; None if no consent is needed, or the account is only shared with the
        current user.
    """

    name: str
    type: str
    environment: str
    leads_to: str
    created_at: datetime | None
    shared_with: tuple[str, ...]
    signed_in_at: datetime | None
    missing_consents: tuple[str, ...] | None = None


def _signed_in(account: AccountLine) -> str:
    if account.signed_in_at is not None:
        return as_minute(account.signed_in_at)
    return "as the emulator's user" if account.environment == "emulator" else "not yet"


def _consents(missing: tuple[str, ...] | None) -> str:
    if missing is None:
        return ""
    if not missing:
        return "both given"
    options = " ".join(str(Opt(each, True)) for each in missing)
    return f"nothing can be sent: {options}"


@dataclass(frozen=True, repr=False)
class AccountList(ResultList[AccountLine]):
    """The accounts that the current user may use, as a table.

    Parameters
    ----------
    accounts
        The accounts.
    if_none
        The text to show if there are none; by default how to make one.
    """

    accounts: tuple[AccountLine, ...]
    if_none: str = ""

    _columns = (
        Column("Name", "name"),
        Column("Account", "type"),
        Column("Environment", "environment"),
        Column("Leads to", "leads_to"),
        Column("Made (UTC)", "created_at", as_day),
        Column("Who may use it", "shared_with"),
        *frame_only("signed_in_at"),
        Column("Signed in (UTC)", _signed_in),
        Column("Consents", "missing_consents", _consents),
    )

    @property
    def _rows(self) -> tuple[AccountLine, ...]:
        return self.accounts

    @property
    def _if_empty(self) -> str:
        make, read = Do("connect", NAME), Do("insights", NAME)
        return self.if_none or f"No account yet. Make a connection: {make}; open Customer Insights: {read}."

    def names(self) -> list[str]:
        """Return the names of the accounts."""
        return [each.name for each in self.accounts]


def list_accounts(workspace: Workspace) -> AccountList:
    """Return the connections to Microsoft Advertising and the instances of Customer Insights in a workspace."""
    require(workspace, Verb.LIST_CONNECTIONS)
    advertising = [
        AccountLine(
            each.name,
            "Microsoft Advertising",
            each.environment,
            _HIDDEN if each.details_hidden else f"customer {each.customer_id}, account {each.account_id}",
            None if each.details_hidden else each.created_at,
            () if each.details_hidden else each.shared_with,
            _moment(workspace, each.id),
            None if each.details_hidden else each.missing_consents,
        )
        for each in workspace.connections
    ]
    insights = [
        AccountLine(
            each.name,
            "Customer Insights",
            each.environment,
            f"instance {each.name}",
            each.created_at,
            (),
            _moment(workspace, each.id),
        )
        for each in workspace.insights
    ]
    hidden = not advertising and len(workspace.all_connections)
    return AccountList((*advertising, *insights), NOTHING_SHARED if hidden else "")


def _moment(workspace: Workspace, subject_id: str) -> datetime | None:
    noted = noted_sign_in(workspace, subject_id)
    return noted.signed_in_at if noted else None
