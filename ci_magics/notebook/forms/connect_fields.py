"""The fields of a connection: destination, sharing, consents and sign-in."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from ci_magics.activation.connections.given_values import Ids, read_ids
from ci_magics.errors import CiError
from ci_magics.microsoft.advertising import Account
from ci_magics.notebook.forms.fields import column, dropdown, field_of, offer, show
from ci_magics.notebook.forms.picker import Picker
from ci_magics.notebook.forms.secret_entry import SecretEntry
from ci_magics.operations.declarations import declaration
from ci_magics.workspace.consents import DATA_PRIVACY_TEXT, TERMS_TEXT
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

NEW = ""
NO_ACCOUNT = ""
_SHARES = [
    ("administrators", "administrator"),
    ("contributors too", "contributor"),
    ("viewers too", "viewer"),
]


class ConnectFields:
    """The fields of a connection.

    Parameters
    ----------
    workspace
        Holds the connections.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        connect = declaration("connect")
        self.existing = dropdown("Connection", [("a new one", NEW)], "existing")
        self.name = field_of(connect["name"], "name")
        self.environment = field_of(connect["environment"], "environment")
        self.address = field_of(connect["url"], "address")
        self.accounts = dropdown("Your accounts", [], "accounts")
        self._accounts: dict[str, Account] = {}
        self.customer = field_of(connect["customer_id"], "customer")
        self.account = field_of(connect["account_id"], "account")
        self.offer_accounts({})
        self.share = Picker(connect["share"].label, "share")
        self.share.options = _SHARES
        self.share.choose(["administrator"])
        self.agree = field_of(connect["agree"], "agree")
        self.accept_terms = field_of(connect["accept_terms"], "accept-terms")
        self.flow = field_of(connect["flow"], "flow")
        self.flow.options = [("what fits this machine", ""), *self.flow.options]
        self.flow.value = ""
        self.client_id = field_of(connect["client_id"], "client-id")
        self.tenant = field_of(connect["tenant"], "tenant")
        self.token = SecretEntry(connect["developer_token"].label, "token", hint=connect["developer_token"].option.hint)
        self.consents = column(
            _text(DATA_PRIVACY_TEXT), self.agree, _text(TERMS_TEXT), self.accept_terms, name="consents"
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields by the parameter names of the public function."""
        return {
            "existing": self.existing,
            "name": self.name,
            "environment": self.environment,
            "url": self.address,
            "customer_id": self.customer,
            "account_id": self.account,
            "share": self.share,
            "agree": self.agree,
            "accept_terms": self.accept_terms,
            "flow": self.flow,
            "client_id": self.client_id,
            "tenant": self.tenant,
        }

    def refresh(self) -> None:
        """Reload the list of connections."""
        known = [(f"change {name}", name) for name in self._workspace.connections.names()]
        offer(self.existing, [("a new one", NEW), *known])

    @property
    def chosen(self) -> Connection | None:
        """The connection to change; None to create one."""
        return self._workspace.connections.get(self.existing.value) if self.existing.value else None

    def load(self) -> None:
        """Fill the fields from the chosen connection."""
        connection = self.chosen
        self.name.value = connection.name if connection else ""
        self.environment.value = connection.environment if connection else "emulator"
        self.address.value = ""
        self.customer.value = connection.customer_id if connection else ""
        self.account.value = connection.account_id if connection else ""
        roles = [value for _label, value in _SHARES]
        shared = list(connection.shared_with) if connection else ["administrator"]
        self.share.options = [*_SHARES, *((f"user {each}", each) for each in shared if each not in roles)]
        self.share.choose(shared)
        self.agree.value = connection.agreed if connection else False
        self.accept_terms.value = connection.terms_accepted if connection else False
        self.flow.value = (connection.flow or "") if connection else ""
        self.client_id.value = (connection.client_id or "") if connection else ""
        self.tenant.value = connection.tenant if connection else ""

    def read_address(self) -> None:
        """Read the ids from a pasted address.

        Raises
        ------
        ConnectionSetupError
            It contains no ids.
        """
        if self.address.value.strip():
            ids = read_ids(self.address.value, None, None)
            self.customer.value = ids.customer or self.customer.value
            self.account.value = ids.account or self.account.value

    def ids(self) -> Ids:
        """Return the typed ids.

        Raises
        ------
        ConnectionSetupError
            An id is not a number.
        """
        return read_ids(None, self.customer.value.strip() or None, self.account.value.strip() or None)

    def ids_if_complete(self) -> Ids | None:
        """Return the ids if both are given and valid; else None."""
        try:
            ids = self.ids()
        except CiError:
            return None
        return ids if ids.customer and ids.account else None

    def offer_accounts(self, accounts: Mapping[str, Account]) -> None:
        """Offer the accounts of the signed-in user; hide the list if there are none."""
        self._accounts = dict(accounts)
        listed = [(f"{each.name} ({each.id}), customer {each.customer_id}", each.id) for each in accounts.values()]
        offer(self.accounts, [("choose one", NO_ACCOUNT), *listed])
        show(self.accounts, bool(accounts))
        self.ids_changed()

    def account_chosen(self) -> None:
        """Copy the ids of the chosen account into the id fields."""
        account = self._accounts.get(self.accounts.value)
        if account is not None:
            self.customer.value, self.account.value = account.customer_id, account.id

    def ids_changed(self) -> None:
        """Select the account with the typed ids in the list."""
        account = self._accounts.get(self.account.value.strip())
        typed = account is not None and account.customer_id == self.customer.value.strip()
        self.accounts.value = account.id if account is not None and typed else NO_ACCOUNT

    def show_what_fits(self) -> None:
        """Show the Microsoft Entra fields and the developer token only where they are needed."""
        real = self.environment.value != "emulator"
        show(self.client_id, real)
        show(self.tenant, real)
        show(self.token, self.environment.value == "production")

    def developer_token(self) -> str | None:
        """Return the typed developer token, if the environment needs one."""
        return (self.token.secret or None) if self.environment.value == "production" else None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the public function except the name and the consents; None where not given."""
        ids = self.ids()
        real = self.environment.value != "emulator"
        return {
            "environment": self.environment.value,
            "customer_id": ids.customer,
            "account_id": ids.account,
            "flow": self.flow.value or None,
            "client_id": (self.client_id.value.strip() or None) if real else None,
            "tenant": (self.tenant.value.strip() or None) if real else None,
        }


def _text(text: str) -> widgets.HTML:
    return widgets.HTML(
        f"<blockquote style='margin:4px 0;line-height:1.4;white-space:normal'>{html.escape(text)}</blockquote>",
        layout=widgets.Layout(max_width="720px"),
    )
