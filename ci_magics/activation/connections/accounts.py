"""All accounts that you can sign in to: connections to Microsoft Advertising, and instances of Customer Insights."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ci_magics.activation.connections.sign_in import noted_sign_in
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table
from ci_magics.workspace.access import NOTHING_SHARED, Verb, require
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("Name", "Account", "Environment", "Leads to", "Made (UTC)", "Who may use it", "Signed in (UTC)", "Consents")
_NONE = "No account yet. Make a connection: %ci_connect NAME; open Customer Insights: %ci_connect --insights NAME."
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


@dataclass(frozen=True)
class AccountList(Displayable):
    """The accounts that the current user may use, as a table.

    Parameters
    ----------
    accounts
        The accounts.
    if_none
        The text to show if there are none.
    """

    accounts: tuple[AccountLine, ...]
    if_none: str = _NONE

    def __iter__(self) -> Iterator[AccountLine]:
        return iter(self.accounts)

    def __len__(self) -> int:
        return len(self.accounts)

    def names(self) -> list[str]:
        """Return the names of the accounts."""
        return [each.name for each in self.accounts]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per account."""
        import pandas as pd

        return pd.DataFrame([vars(each) for each in self.accounts], columns=list(AccountLine.__dataclass_fields__))

    def __repr__(self) -> str:
        return text_table(_HEADS, self._rows()) if self.accounts else self.if_none

    def _repr_html_(self) -> str:
        return table(_HEADS, self._rows()) if self.accounts else f"<div>{html.escape(self.if_none)}</div>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                each.name,
                each.type,
                each.environment,
                each.leads_to,
                f"{each.created_at:%Y-%m-%d}" if each.created_at else "",
                ", ".join(each.shared_with),
                _signed_in(each),
                _consents(each),
            )
            for each in self.accounts
        ]


def list_accounts(*, workspace: Workspace | None = None) -> AccountList:
    """Return the connections to Microsoft Advertising and the instances of Customer Insights in a workspace."""
    workspace = workspace or open_workspace()
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
    return AccountList((*advertising, *insights), NOTHING_SHARED if hidden else _NONE)


def _moment(workspace: Workspace, subject_id: str) -> datetime | None:
    noted = noted_sign_in(workspace, subject_id)
    return noted.signed_in_at if noted else None


def _signed_in(account: AccountLine) -> str:
    if account.signed_in_at is not None:
        return f"{account.signed_in_at:%Y-%m-%d %H:%M}"
    return "as the emulator's user" if account.environment == "emulator" else "not yet"


def _consents(account: AccountLine) -> str:
    if account.missing_consents is None:
        return ""
    if not account.missing_consents:
        return "both given"
    options = " ".join(f"--{each.replace('_', '-')}" for each in account.missing_consents)
    return f"nothing can be sent: {options}"
