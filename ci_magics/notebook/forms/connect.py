"""The connect form: choose an account, consent, sign in, test and save; later, change the connection."""

from __future__ import annotations

import html
from typing import ClassVar

from ci_magics.activation.connections.connection_operations import sign_in_again
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError, CiError
from ci_magics.microsoft.signin_prompt import SignInPrompt
from ci_magics.notebook.forms.code_text import Code
from ci_magics.notebook.forms.connect_fields import ConnectFields
from ci_magics.notebook.forms.fields import button, page, row, show
from ci_magics.notebook.forms.live import MOMENT, Live, Stopped
from ci_magics.notebook.forms.pattern import Form, background, callback, handled
from ci_magics.notebook.forms.sign_in_view import SignInView
from ci_magics.notebook.forms.typed_connection import TypedConnection
from ci_magics.operations.connections import Connections
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import WorkspaceLike

_BEGIN = "Paste the address of Microsoft Advertising, or look up your accounts; read both consents, then save."


class ConnectForm(Form):
    """Create or change a connection. Every click has a method of the same effect.

    Parameters
    ----------
    workspace
        Holds the connections; by default the default workspace.
    moment
        Seconds without typing before an account is looked up.
    """

    title: ClassVar[str] = "Connect to Microsoft Advertising"

    def __init__(self, workspace: WorkspaceLike | None = None, *, moment: float = MOMENT) -> None:
        super().__init__(workspace)
        self.connection: Connection | None = None
        self._signing_in = SignInView()
        self._fields = ConnectFields(self.workspace)
        self._typed = TypedConnection(self.workspace, self._fields, lambda sentence: self.hear(sentence))
        self.fields = self._fields.fields()
        self._make_views()
        self._make_actions()
        self.live = Live(self, self._look_up, moment)
        self._watch()
        self.refresh()
        self.say(_BEGIN)

    def refresh(self) -> None:
        """Reload the list of connections."""
        self._fields.refresh()
        self._changed()

    def test(self) -> Connection:
        """Sign in and look up the account. Sends no customer data and saves nothing.

        Raises
        ------
        ConnectionSetupError
            The ids do not belong to an account that the user may manage.
        SignInError
            Signing in failed.
        """
        found = self._typed.look_up(self._fields.arguments())
        self._show_account(found)
        self.say(f"It works: {found.account_name} ({found.account_id}).", "done")
        return found

    def look_up_accounts(self) -> list[str]:
        """Sign in and offer the user's accounts; saves nothing.

        Raises
        ------
        SignInError
            Signing in failed.
        """
        found = self._typed.sign_in(self._fields.arguments()).accounts
        if found:
            self.say(f"You may use {pluralize(len(found), 'account')}: choose one.")
        else:
            self.say("You have access to no account. Ask the administrator of an account for access.", "error")
        return list(found)

    def save(self) -> Connection:
        """Create the connection, or change the chosen one.

        Raises
        ------
        CiError
            See `ci_magics.connect`.
        """
        saved = self._typed.save()
        self.connection = saved
        self._fields.refresh()
        self._fields.existing.value = saved.name
        self._show_account(saved)
        unknown = "" if self._typed.account_is_known else " Whether its account exists was not checked yet."
        missing = unknown + _missing(saved)
        sentence = f"Connection '{saved.name}' is saved: {saved.destination}."
        self.receipts.add(f"{sentence}{missing}", _details(saved))
        self.say(f"{sentence}{missing}", "info" if missing else "done")
        return saved

    def sign_in(self) -> Connection:
        """Sign in to the chosen connection again, possibly as another user."""
        chosen = self._require_chosen()
        found = sign_in_again(self.workspace, chosen.name, self._fields.flow.value or None, self.hear)
        self._show_account(found)
        self.receipts.add(f"Signed in to '{chosen.name}'.")
        self.say(f"Signed in to '{chosen.name}': {found.account_name}.", "done")
        return found

    def cancel(self) -> None:
        """Cancel a sign-in that waits for its code."""
        if self._signing_in.cancel():
            self.say("Canceling …")

    def withdraw(self) -> Connection:
        """Withdraw both consents: nothing more is sent through the connection."""
        chosen = self._require_chosen()
        messages: list[str] = []
        withdrawn = Connections(self.workspace).withdraw_consents(chosen.name, show=messages.append)
        self._fields.load()
        self.receipts.add(f"Both consents of '{chosen.name}' were withdrawn. {' '.join(messages)}".strip())
        self.say(f"Nothing is sent through '{chosen.name}' any longer. {' '.join(messages)}".strip(), "done")
        return withdrawn

    @property
    def code(self) -> Code:
        """The connection as a magic and as a Python call."""
        return self._typed.code()

    def _make_views(self) -> None:
        self.account_view = page("account-name")
        self.sign_in_view = self._signing_in.view
        self.cancel_button = self._signing_in.cancel_button
        self.cancel_button.on_click(self._cancel_clicked)

    def _make_actions(self) -> None:
        self.test_button = button("Test", "test", self._test_clicked, hint="Sign in and look the account up")
        self.save_button = button("Save", "save", self._save_clicked, style="primary")
        self.accounts_button = button(
            "Look up accounts", "look-up", self._accounts_clicked, hint="Sign in and list them"
        )
        self.sign_in_button = button("Sign in again", "sign-in-again", self._sign_in_clicked)
        self.withdraw_button = button("Withdraw consents", "withdraw", self._withdraw_clicked)
        fields = self._fields
        self.set_layout(
            fields.existing, fields.name, fields.environment, fields.address, self.accounts_button,
            fields.accounts, fields.customer, fields.account, self.account_view, fields.share, fields.consents,
            fields.flow, fields.client_id, fields.tenant, fields.token,
            row(self.test_button, self.save_button, self.sign_in_button, self.withdraw_button, self.code_button),
            self.sign_in_view, self.cancel_button,
        )  # fmt: skip

    def _watch(self) -> None:
        self._fields.existing.observe(lambda _change: self._fields.load(), names="value")
        self._fields.address.observe(lambda _change: handled(self, self._fields.read_address), names="value")
        self._fields.accounts.observe(lambda _change: self._fields.account_chosen(), names="value")
        for each in (self._fields.customer, self._fields.account):
            each.observe(lambda _change: self._fields.ids_changed(), names="value")
        for name in ("existing", "environment", "flow", "client_id", "tenant"):
            self.fields[name].observe(lambda _change: self._typed.forget_accounts(), names="value")
        for field in self.fields.values():
            field.observe(lambda _change: self._changed(), names="value")

    def _changed(self) -> None:
        self.forget_code()
        self._fields.show_what_fits()
        chosen = self._fields.chosen is not None
        for each in (self.sign_in_button, self.withdraw_button):
            show(each, chosen)
        ids = self._fields.ids_if_complete()
        if ids is None:
            self.live.cancel()
            self.account_view.value = ""
        elif self._fields.environment.value == "emulator" and not self._fields.flow.value:
            self.live.ask()

    def _look_up(self, stopped: Stopped) -> None:
        """Show which account the ids belong to, if that needs no sign-in."""
        try:
            given = self._fields.arguments() | {"flow": None}
            if given["environment"] != "emulator":
                return
            found = self._typed.look_up(given)
        except CiError as error:
            if not stopped():
                self.account_view.value = f"<div>✗ {html.escape(str(error))}</div>"
            return
        if not stopped():
            self._show_account(found)

    def _require_chosen(self) -> Connection:
        chosen = self._fields.chosen
        if chosen is None and self._fields.existing.value:
            raise ArgumentError(
                f"The connection '{self._fields.existing.value}' was removed or renamed.",
                "Run the cell again, then choose another one in the first field.",
                code="not_chosen",
            )
        if chosen is None:
            raise ArgumentError(
                "Save the new connection first.",
                "Or choose another one in the first field.",
                code="not_chosen",
            )
        return chosen

    def hear(self, sentence: str) -> None:
        """Show a sentence; for a sign-in prompt, show the code in large type with a copy button."""
        self.say(self._signing_in.begin(sentence) if isinstance(sentence, SignInPrompt) else sentence)

    def _show_account(self, connection: Connection) -> None:
        name = html.escape(connection.account_name or "not looked up yet")
        self.account_view.value = f"<div>Account: <b>{name}</b> ({html.escape(connection.account_id)})</div>"

    @background
    def _test_clicked(self) -> None:
        self.say("Looking the account up …")
        try:
            self.test()
        finally:
            self._signing_in.end()

    @background
    def _accounts_clicked(self) -> None:
        self.say("Looking your accounts up …")
        try:
            self.look_up_accounts()
        finally:
            self._signing_in.end()

    @background
    def _save_clicked(self) -> None:
        self.say("Saving …")
        try:
            self.save()
        finally:
            self._signing_in.end()

    @background
    def _sign_in_clicked(self) -> None:
        self.say("Signing in …")
        try:
            self.sign_in()
        finally:
            self._signing_in.end()

    @background
    def _withdraw_clicked(self) -> None:
        self.withdraw()

    @callback
    def _cancel_clicked(self) -> None:
        self.cancel()


def _missing(connection: Connection) -> str:
    missing = [] if connection.agreed else ["data privacy and compliance"]
    missing += [] if connection.terms_accepted else ["the Customer Match terms"]
    unchecked = (
        "" if connection.account_name or connection.agreed else " Whether its account exists was not checked yet."
    )
    return f"{unchecked} Nothing can be sent until you agree to {' and '.join(missing)}." if missing else ""


def _details(connection: Connection) -> str:
    given = [f"<div>{html.escape(repr(each))}</div>" for each in connection.consents if each.in_effect]
    return f"<div><b>{html.escape(connection.destination)}</b></div>{''.join(given)}"
