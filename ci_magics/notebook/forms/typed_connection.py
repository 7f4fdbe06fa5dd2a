"""The connection typed into the connect form: look up, create, change, and write as code."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ci_magics as ci
from ci_magics.activation.connections.account_check import SignedInUser, checked, signed_in_user
from ci_magics.activation.connections.developer_token import forget_developer_token, holding
from ci_magics.activation.connections.sign_in import forget_sign_in
from ci_magics.clock import present
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.code_text import Code, code_of
from ci_magics.notebook.forms.connect_fields import ConnectFields
from ci_magics.operations.connections import Connections
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


class TypedConnection:
    """The connection that the fields describe.

    Parameters
    ----------
    workspace
        Holds the connections.
    fields
        The form's fields.
    show
        Receives sentences to show.
    """

    def __init__(self, workspace: Workspace, fields: ConnectFields, show: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._fields = fields
        self._show = show
        self._signed_in: SignedInUser | None = None
        #: Whether the account of the last saved connection is known to exist.
        self.account_is_known = False

    def look_up(self, given: dict[str, Any]) -> Connection:
        """Look up the account; saves nothing.

        Raises
        ------
        ArgumentError
            An id is missing.
        """
        if not (given["customer_id"] and given["account_id"]):
            raise ArgumentError("Both ids are needed.", "Paste the address bar, or type them.", code="no_ids")
        return checked(self._workspace, self._typed(given), self.sign_in(given))

    def sign_in(self, given: dict[str, Any]) -> SignedInUser:
        """Sign in and offer the user's accounts; saves nothing."""
        typed = self._typed(given)
        token = self._fields.developer_token()
        try:
            with holding(typed, token):
                self._signed_in = signed_in_user(self._workspace, typed, self._show)
        finally:
            if self._fields.chosen is None:
                forget_sign_in(self._workspace, typed.id)
                if token:
                    forget_developer_token(typed, self._show)
        self._fields.offer_accounts(self._signed_in.accounts)
        return self._signed_in

    def forget_accounts(self) -> None:
        """Hide the accounts, because another sign-in may give access to others."""
        self._signed_in = None
        self._fields.offer_accounts({})

    def save(self) -> Connection:
        """Create the connection, or change the chosen one.

        Raises
        ------
        ConnectionSetupError
            The user may not use the account, as far as can be checked without a sign-in.
        """
        self._name()
        earlier = self._fields.chosen
        self.account_is_known = self._fields.agree.value or self._knows_account(self._fields.arguments())
        if earlier is None:
            saved = self._make()
        else:
            with holding(earlier, self._fields.developer_token()):
                saved = self._change(earlier)
        self._fields.token.forget()
        return saved

    def _knows_account(self, given: dict[str, Any]) -> bool:
        """Validate the account if that needs no sign-in; returns whether it was validated."""
        if not (given["customer_id"] and given["account_id"]):
            return False
        if given["environment"] == "emulator" and given["flow"] is None:
            self.look_up(given)
        elif self._signed_in is not None:
            checked(self._workspace, self._typed(given), self._signed_in)
        else:
            return False
        return True

    def _typed(self, given: dict[str, Any]) -> Connection:
        """Return the typed connection: the chosen one with changes, or a draft that is not stored."""
        chosen = self._fields.chosen
        if chosen is not None:
            return replace(chosen, **{**given, "tenant": given["tenant"] or ""})
        return Connection(
            id=f"draft-{uuid.uuid4()}",
            name=self._fields.name.value.strip() or "new",
            environment=given["environment"],
            customer_id=given["customer_id"] or "",
            account_id=given["account_id"] or "",
            account_name="",
            shared_with=("administrator",),
            flow=given["flow"],
            client_id=given["client_id"],
            tenant=given["tenant"] or "",
            created_by=self._workspace.user,
            created_at=present(),
        )

    def code(self) -> Code:
        """Return the connection as a magic and as a Python call."""
        name, earlier, given = self._name(), self._fields.chosen, self._given()
        arguments = {**given, "share": self._share(), "agree": self._fields.agree.value}
        arguments["accept_terms"] = self._fields.accept_terms.value
        if earlier is None:
            return code_of("connect", [name], arguments)
        rename = None if name == earlier.name else name
        changes = {"rename": rename, **given}
        consents = {each: arguments[each] for each in ("agree", "accept_terms", "share")}
        edited, agreed = code_of("connections.edit", [earlier.name], changes), code_of("connect", [name], consents)
        return Code(f"{edited.magic}\n{agreed.magic}", f"{edited.python}\n{agreed.python}")

    def _make(self) -> Connection:
        given = {name: value for name, value in self._fields.arguments().items() if value is not None}
        return ci.connect(
            self._name(),
            **given,
            share=self._share() or (),
            agree=self._fields.agree.value,
            accept_terms=self._fields.accept_terms.value,
            developer_token=self._fields.developer_token(),
            workspace=self._workspace,
            show=self._show,
        )

    def _change(self, earlier: Connection) -> Connection:
        name = self._name()
        connections = Connections(self._workspace)
        changed = connections.edit(
            earlier.name,
            rename=None if name == earlier.name else name,
            **self._fields.arguments(),
            show=self._show,
        )
        if tuple(self._fields.share.value) != earlier.shared_with:
            connections.share(changed.name, *self._fields.share.value)
        return ci.connect(
            changed.name,
            agree=self._fields.agree.value,
            accept_terms=self._fields.accept_terms.value,
            workspace=self._workspace,
            show=self._show,
        )

    def _given(self) -> dict[str, Any]:
        given = self._fields.arguments()
        return given | {"environment": None if given["environment"] == "emulator" else given["environment"]}

    def _share(self) -> list[str] | None:
        chosen = list(self._fields.share.value)
        return None if chosen == ["administrator"] else chosen

    def _name(self) -> str:
        if not self._fields.name.value.strip():
            raise ArgumentError("The connection has no name yet.", "Type one in the field Name.", code="no_name")
        return str(self._fields.name.value.strip())
