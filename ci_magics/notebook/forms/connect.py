"""The connect form: name an account, consent, sign in, test, and save; change it later."""

from __future__ import annotations

import html
import uuid
from dataclasses import replace
from typing import Any, ClassVar

import ci_magics as ci
from ci_magics.activation.account_check import verified
from ci_magics.activation.connection_verbs import edit_connection, sign_in_again
from ci_magics.activation.consenting import withdraw_consents
from ci_magics.activation.sharing import share_connection
from ci_magics.activation.signing_in import forget_sign_in
from ci_magics.clock import present
from ci_magics.errors import ArgumentError, CiError
from ci_magics.microsoft.signin_prompt import SignInPrompt
from ci_magics.notebook.forms.code_text import Code, copyable, magic_line, python_call
from ci_magics.notebook.forms.connect_fields import ConnectFields
from ci_magics.notebook.forms.fields import button, page, row, show
from ci_magics.notebook.forms.live import MOMENT, Live, Stopped
from ci_magics.notebook.forms.pattern import Form, background, callback, handled
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

_BEGIN = "Paste the address of Microsoft Advertising or type the two ids, read both consents, then save."


class ConnectForm(Form):
    """Make or change a connection: everything that a person clicks here can be called as a method.

    Parameters
    ----------
    workspace
        Where connections are kept; the default one unless given.
    moment
        Seconds to wait for further typing before an account is looked up.
    """

    title: ClassVar[str] = "Connect to Microsoft Advertising"

    def __init__(self, workspace: Workspace | None = None, *, moment: float = MOMENT) -> None:
        super().__init__(workspace)
        self.connection: Connection | None = None
        self._prompt: SignInPrompt | None = None
        self._fields = ConnectFields(self.workspace)
        self.fields = self._fields.fields()
        self._make_views()
        self._make_actions()
        self.live = Live(self, self._look_up, moment)
        self._watch()
        self.refresh()
        self.say(_BEGIN)

    def refresh(self) -> None:
        """Look again which connections there are."""
        self._fields.refresh()
        self._changed()

    def test(self) -> Connection:
        """Sign in and look the account up; no customer data is sent and nothing is saved.

        Raises
        ------
        ConnectionSetupError
            The ids are not those of an account that the person may manage.
        SignInError
            Signing in failed.
        """
        found = self._verify(self._fields.arguments())
        self._show_account(found)
        self.say(f"It works: {found.account_name} ({found.account_id}).", "done")
        return found

    def save(self) -> Connection:
        """Make the connection, or change the one that is chosen.

        Raises
        ------
        CiError
            See `ci_magics.connect`.
        """
        earlier = self._fields.chosen
        saved = self._make() if earlier is None else self._change(earlier)
        self.connection = saved
        self._fields.refresh()
        self._fields.existing.value = saved.name
        self._show_account(saved)
        missing = _missing(saved)
        said = f"Connection '{saved.name}' is saved: {saved.destination}."
        self.receipts.add(f"{said}{missing}", _details(saved))
        self.say(f"{said}{missing}", "info" if missing else "done")
        return saved

    def sign_in(self) -> Connection:
        """Sign in to the chosen connection again, perhaps as somebody else."""
        chosen = self._require_chosen()
        found = sign_in_again(
            chosen.name, flow=self._fields.flow.value or None, workspace=self.workspace, show=self.hear
        )
        self._show_account(found)
        self.receipts.add(f"Signed in to '{chosen.name}'.")
        self.say(f"Signed in to '{chosen.name}': {found.account_name}.", "done")
        return found

    def cancel(self) -> None:
        """Give up a sign-in that waits for its code."""
        if self._prompt is not None:
            self._prompt.cancel()
            self.say("Canceling …")

    def withdraw(self) -> Connection:
        """Take both consents back: nothing is sent through the connection any more."""
        chosen = self._require_chosen()
        heard: list[str] = []
        withdrawn = withdraw_consents(chosen.name, workspace=self.workspace, show=heard.append)
        self._fields.load()
        self.receipts.add(f"Both consents of '{chosen.name}' were withdrawn. {' '.join(heard)}".strip())
        self.say(f"Nothing is sent through '{chosen.name}' any more. {' '.join(heard)}".strip(), "done")
        return withdrawn

    @property
    def code(self) -> Code:
        """The same connection as a magic and as a Python call."""
        name, earlier, given = self._name(), self._fields.chosen, self._given()
        said = {**given, "share": self._share(), "agree": self._fields.agree.value}
        said["accept_terms"] = self._fields.accept_terms.value
        if earlier is None:
            return Code(magic_line("%ci_connect", [name], said), python_call("ci.connect", [name], said))
        rename = None if name == earlier.name else name
        changes = {"rename": rename, **given}
        consents = {each: said[each] for each in ("agree", "accept_terms", "share")}
        return Code(
            magic_line("%ci_connect", [earlier.name], {"edit": True, **changes, **consents}),
            f"{python_call('ci.edit_connection', [earlier.name], changes)}\n"
            f"{python_call('ci.connect', [name], consents)}",
        )

    def _make_views(self) -> None:
        self.account_view = page("account-name")
        self.sign_in_view = page("sign-in")

    def _make_actions(self) -> None:
        self.test_button = button("Test", "test", self._test_clicked, hint="Sign in and look the account up")
        self.save_button = button("Save", "save", self._save_clicked, style="primary")
        self.sign_in_button = button("Sign in again", "sign-in-again", self._sign_in_clicked)
        self.cancel_button = button("Cancel sign-in", "cancel", self._cancel_clicked)
        self.withdraw_button = button("Withdraw consents", "withdraw", self._withdraw_clicked)
        show(self.cancel_button, False)
        fields = self._fields
        self.lay_out(
            fields.existing, fields.name, fields.environment, fields.address, fields.customer, fields.account,
            self.account_view, fields.share, fields.consents, fields.flow, fields.client_id, fields.tenant,
            row(self.test_button, self.save_button, self.sign_in_button, self.withdraw_button, self.code_button),
            self.sign_in_view, self.cancel_button,
        )  # fmt: skip

    def _watch(self) -> None:
        self._fields.existing.observe(lambda _change: self._fields.load(), names="value")
        self._fields.address.observe(lambda _change: handled(self, self._fields.read_address), names="value")
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
        """Show whose account the ids are; nobody is asked to sign in for it."""
        try:
            given = self._fields.arguments() | {"flow": None}
            if given["environment"] != "emulator":
                return
            found = self._verify(given)
        except CiError as error:
            if not stopped():
                self.account_view.value = f"<div>✗ {html.escape(str(error))}</div>"
            return
        if not stopped():
            self._show_account(found)

    def _verify(self, given: dict[str, Any]) -> Connection:
        """Look up the account of what is typed, without saving anything."""
        if not (given["customer_id"] and given["account_id"]):
            raise ArgumentError("Both ids are needed.", "Paste the address bar, or type them.", code="no_ids")
        chosen = self._fields.chosen
        typed = {**given, "tenant": given["tenant"] or ""}
        if chosen is not None:
            return verified(self.workspace, replace(chosen, **typed), self.hear)
        draft = Connection(
            id=f"draft-{uuid.uuid4()}", name=self._fields.name.value.strip() or "new", account_name="",
            shared_with=("administrator",), created_by=self.workspace.user, created_at=present(), **typed,
        )  # fmt: skip
        try:
            return verified(self.workspace, draft, self.hear)
        finally:
            forget_sign_in(self.workspace, draft.id)

    def _make(self) -> Connection:
        given = {name: value for name, value in self._fields.arguments().items() if value is not None}
        return ci.connect(
            self._name(),
            **given,
            share=self._share() or (),
            agree=self._fields.agree.value,
            accept_terms=self._fields.accept_terms.value,
            workspace=self.workspace,
            show=self.hear,
        )

    def _change(self, earlier: Connection) -> Connection:
        name = self._name()
        changed = edit_connection(
            earlier.name,
            rename=None if name == earlier.name else name,
            **self._fields.arguments(),
            workspace=self.workspace,
            show=self.hear,
        )
        if tuple(self._fields.share.value) != earlier.shared_with:
            share_connection(changed.name, list(self._fields.share.value), workspace=self.workspace)
        return ci.connect(
            changed.name,
            agree=self._fields.agree.value,
            accept_terms=self._fields.accept_terms.value,
            workspace=self.workspace,
            show=self.hear,
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

    def _require_chosen(self) -> Connection:
        chosen = self._fields.chosen
        if chosen is None:
            raise ArgumentError("Choose a connection first.", "Choose it in the first field.", code="not_chosen")
        return chosen

    def hear(self, sentence: str) -> None:
        """Show what must be seen; a sign-in code large, to be copied."""
        if not isinstance(sentence, SignInPrompt):
            self.say(sentence)
            return
        self._prompt = sentence
        address = html.escape(sentence.address)
        link = f"<a href='{address}' target='_blank' rel='noopener'>{address}</a>"
        self.sign_in_view.value = (
            f"<div>1. Open {link}</div>{copyable('2. Enter this code', sentence.code, large=True)}"
        )
        show(self.cancel_button, True)
        self.say(f"Enter the code {sentence.code} on the page {sentence.address}. Waiting for you …")

    def _end_sign_in(self) -> None:
        self._prompt = None
        self.sign_in_view.value = ""
        show(self.cancel_button, False)

    def _show_account(self, connection: Connection) -> None:
        name = html.escape(connection.account_name or "not looked up yet")
        self.account_view.value = f"<div>Account: <b>{name}</b> ({html.escape(connection.account_id)})</div>"

    @background
    def _test_clicked(self) -> None:
        self.say("Looking the account up …")
        try:
            self.test()
        finally:
            self._end_sign_in()

    @background
    def _save_clicked(self) -> None:
        self.say("Saving …")
        try:
            self.save()
        finally:
            self._end_sign_in()

    @background
    def _sign_in_clicked(self) -> None:
        self.say("Signing in …")
        try:
            self.sign_in()
        finally:
            self._end_sign_in()

    @background
    def _withdraw_clicked(self) -> None:
        self.withdraw()

    @callback
    def _cancel_clicked(self) -> None:
        self.cancel()


def _missing(connection: Connection) -> str:
    missing = [] if connection.agreed else ["data privacy and compliance"]
    missing += [] if connection.terms_accepted else ["the Customer Match terms"]
    return f" Nothing can be sent before somebody agrees to {' and '.join(missing)}." if missing else ""


def _details(connection: Connection) -> str:
    given = [f"<div>{html.escape(repr(each))}</div>" for each in connection.consents if each.stands]
    return f"<div><b>{html.escape(connection.destination)}</b></div>{''.join(given)}"
