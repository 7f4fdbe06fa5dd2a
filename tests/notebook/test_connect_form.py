from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from magic_lines import parsed

import ci_magics as ci
from ci_magics.activation.connections.developer_token import developer_token
from ci_magics.errors import ArgumentError, ConnectionSetupError, SignInError
from ci_magics.microsoft.signin_prompt import SignInPrompt
from ci_magics.notebook.forms.connect import ConnectForm
from ci_magics.workspace.consents import DATA_PRIVACY_TEXT, TERMS_TEXT

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

ADDRESS = "https://ui.ads.microsoft.com/campaign/Campaigns.m?cid=222&aid=111#/customer/222"
BOTH = {"agree": True, "accept_terms": True}
IDS = {"customer_id": "222", "account_id": "111"}


@pytest.fixture
def form(emulator: RunningEmulator, workspace: Workspace) -> ConnectForm:
    assert emulator.base_url
    return ConnectForm(workspace, moment=0)


def test_pasted_address_gives_the_ids_and_shows_the_account(form: ConnectForm) -> None:
    form.value = {"url": ADDRESS}
    form.wait()
    assert (form.value["customer_id"], form.value["account_id"]) == ("222", "111")
    assert "Account: <b>Contoso EU</b> (111)" in form.account_view.value
    form.value = {"account_id": "999"}
    form.wait()
    assert "has no account 999" in form.account_view.value
    form.value = {"account_id": "12x"}
    form.wait()
    assert form.account_view.value == ""


def test_address_without_ids_is_reported_at_once(form: ConnectForm) -> None:
    form.value = {"url": "https://example.com/"}
    assert "neither cid= nor aid=" in form.sentence


def test_both_consents_are_shown_in_full(form: ConnectForm) -> None:
    shown = "".join(each.value for each in form._fields.consents.children if isinstance(each.value, str))
    assert DATA_PRIVACY_TEXT in shown
    assert TERMS_TEXT in shown


def test_connection_is_saved_with_its_consents(form: ConnectForm, workspace: Workspace) -> None:
    form.value = {"name": "Contoso <b>", "url": ADDRESS, **BOTH}
    form.save_button.click()
    form.wait()
    saved = workspace.connections["Contoso <b>"]
    assert (saved.agreed, saved.terms_accepted, saved.account_name) == (True, True, "Contoso EU")
    assert "✓ Connection &#x27;Contoso &lt;b&gt;&#x27; is saved: EMULATOR" in form.sentence
    assert "data privacy: agreed by" in form.receipts._repr_html_()
    assert form.value["existing"] == "Contoso <b>"


def test_connection_without_consent_is_saved_with_a_hint(form: ConnectForm) -> None:
    form.value = {"name": "Contoso", **IDS, "accept_terms": True}
    form.save()
    assert "Nothing can be sent until you agree to data privacy and compliance." in form.sentence


def test_accounts_of_the_signed_in_user_are_offered(form: ConnectForm, workspace: Workspace) -> None:
    offered = form._fields.accounts
    assert offered.layout.display == "none"
    form.accounts_button.click()
    form.wait()
    assert "You may use 2 accounts: choose one." in form.sentence
    assert offered.layout.display is None
    assert [label for label, _id in offered.options] == [
        "choose one", "Contoso EU (111), customer 222", "Contoso US (112), customer 222",
    ]  # fmt: skip
    offered.value = "112"
    assert (form.value["customer_id"], form.value["account_id"]) == ("222", "112")
    form.value = {"account_id": "111"}
    assert offered.value == "111"
    form.value = {"account_id": "11"}
    assert offered.value == ""
    form.value = {"environment": "sandbox"}  # where the same user has other accounts
    assert offered.layout.display == "none"
    form.wait()
    assert workspace.connections.names() == []
    assert list(workspace.sign_ins) == []


@pytest.mark.parametrize("consents", [{}, {"accept_terms": True}, BOTH])
@pytest.mark.parametrize("ids", [("222", "999"), ("333", "111"), ("111", "222")])
def test_unknown_account_is_not_saved(
    form: ConnectForm, workspace: Workspace, ids: tuple[str, str], consents: dict[str, bool]
) -> None:
    form.value = {"name": "Contoso", "customer_id": ids[0], "account_id": ids[1], **consents}
    with pytest.raises(ConnectionSetupError) as refused:
        form.save()
    assert refused.value.code in ("account_not_found", "other_customer", "ids_swapped")
    assert workspace.connections.names() == []
    form.wait()
    assert "111" in [each for _label, each in form._fields.accounts.options]
    form._fields.accounts.value = "111"
    assert form.save().account_id == "111"
    form.value = {"account_id": "998"}
    with pytest.raises(ConnectionSetupError):
        form.save()
    assert workspace.connections["Contoso"].account_id == "111"
    form.wait()


def test_account_that_cannot_be_checked_is_saved_with_a_hint(form: ConnectForm) -> None:
    form.value = {"name": "Contoso", **IDS, "environment": "sandbox"}
    form.save()
    assert "Whether its account exists was not checked yet." in form.sentence
    form.wait()


def test_button_saves_nothing(form: ConnectForm, workspace: Workspace) -> None:
    form.value = IDS
    form.test_button.click()
    form.wait()
    assert "✓ It works: Contoso EU (111)." in form.sentence
    assert workspace.connections.names() == []
    assert list(workspace.sign_ins) == []


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"name": "X"}, "The customer id of the connection 'X' is missing"),
        ({**IDS, "name": " "}, "The connection has no name yet"),
        ({"name": "X", "customer_id": "222", "account_id": "one"}, "The account id is not a number"),
        ({"name": "X", "customer_id": "111", "account_id": "222", "agree": True}, "are swapped"),
    ],
)
def test_invalid_choices_are_explained(form: ConnectForm, choices: dict[str, Any], words: str) -> None:
    form.value = choices
    with pytest.raises((ArgumentError, ConnectionSetupError), match=words):
        form.save()
    form.wait()


def test_connection_is_changed(form: ConnectForm, workspace: Workspace) -> None:
    ci.connect("Contoso", **IDS, **BOTH)  # type: ignore[arg-type]  # texts and switches have different types
    form.refresh()
    form.value = {"existing": "Contoso"}
    assert (form.value["name"], form.value["account_id"], form.value["agree"]) == ("Contoso", "111", True)
    form.value = {"name": "Contoso US", "account_id": "112", "share": ["administrator", "contributor"]}
    code = form.code
    changed = form.save()
    assert (changed.name, changed.account_id, changed.shared_with) == (
        "Contoso US",
        "112",
        ("administrator", "contributor"),
    )
    assert workspace.connections.names() == ["Contoso US"]
    edited, agreed = map(parsed, code.magic.splitlines())
    assert edited.words[0].text == "Contoso"
    assert (edited.given("rename"), edited.given("account_id")) == ("Contoso US", "112")
    assert agreed.words[0].text == "Contoso US"
    assert agreed.all("share") == ["administrator", "contributor"]
    form.wait()


def test_consents_are_withdrawn(form: ConnectForm, workspace: Workspace) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH}
    form.save()
    form.withdraw_button.click()
    form.wait()
    assert not workspace.connections["Contoso"].agreed
    assert (form.value["agree"], form.value["accept_terms"]) == (False, False)
    assert "Nothing is sent through" in form.sentence
    form.value = {"existing": ""}
    with pytest.raises(ArgumentError, match="Save the new connection first"):
        form.withdraw()
    form.wait()


def test_deleted_connection_is_named(form: ConnectForm, workspace: Workspace) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH}
    form.save()
    workspace.connections.remove(workspace.connections["Contoso"].id)
    with pytest.raises(ArgumentError, match="The connection 'Contoso' was removed or renamed"):
        form.withdraw()
    form.wait()


@pytest.mark.parametrize("more", [{}, {"share": ["administrator", "viewer"], "flow": "env"}, {"agree": True}])
def test_code_makes_the_same_connection(form: ConnectForm, workspace: Workspace, more: dict[str, Any]) -> None:
    form.value = {"name": 'It\'s "ours"', **IDS, **more}
    arguments = parsed(form.code.magic)
    assert [word.text for word in arguments.words] == ['It\'s "ours"']
    assert arguments.given("customer_id") == "222"
    assert arguments.switch("agree") == form.value["agree"]
    made = eval(form.code.python, {"ci": ci})  # noqa: S307 - the code that the form gives
    assert (made.name, made.account_id, made.flow) == ('It\'s "ours"', "111", form.value["flow"] or None)
    assert made.shared_with == form.value["share"]
    assert workspace.connections.names() == [made.name]
    form.wait()


class Person:
    """Reads the device code from the form, and enters it."""

    def __init__(self, form: ConnectForm) -> None:
        self.seen = threading.Event()
        self._before = form.hear
        form.hear = self.hear  # type: ignore[method-assign]

    def hear(self, sentence: str) -> None:
        self._before(sentence)
        if isinstance(sentence, SignInPrompt):
            self.prompt = sentence
            self.seen.set()


@pytest.fixture
def person(form: ConnectForm, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setattr("ci_magics.activation.connections.sign_in.can_ask", lambda: True)
    return Person(form)


def test_device_code_is_shown_until_somebody_signs_in(
    form: ConnectForm, person: Person, emulator: RunningEmulator
) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH, "flow": "device"}
    form.save_button.click()
    assert person.seen.wait(20)
    assert f">{person.prompt.code}</pre>" in form.sign_in_view.value
    assert f"href='{person.prompt.address}'" in form.sign_in_view.value
    assert form.cancel_button.layout.display is None
    answer = emulator.session.post(person.prompt.address, data={"user_code": person.prompt.code, "answer": "accept"})
    assert answer.ok
    form.wait()
    assert "is saved" in form.sentence
    assert (form.sign_in_view.value, form.cancel_button.layout.display) == ("", "none")


def test_sign_in_can_be_canceled(form: ConnectForm, person: Person, workspace: Workspace) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH, "flow": "device"}
    form.save_button.click()
    assert person.seen.wait(20)
    form.cancel_button.click()
    form.wait()
    assert "The sign-in was canceled" in form.sentence
    assert workspace.connections.names() == []
    with pytest.raises(SignInError, match="canceled"):
        person.prompt.require_going_on()


def test_browser_sign_in_can_be_canceled(
    form: ConnectForm, person: Person, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msal.oauth2cli.authcode._browse", lambda _uri, **_options: True)  # nobody signs in there
    form.value = {"name": "Contoso", **IDS, **BOTH, "flow": "browser"}
    form.save_button.click()
    assert person.seen.wait(20)
    assert "Waiting for you" in form.sentence
    assert form.cancel_button.layout.display is None
    form.cancel_button.click()
    form.wait()
    assert "The sign-in was canceled" in form.sentence
    assert form.cancel_button.layout.display == "none"
    assert workspace.connections.names() == []


def type_token(form: ConnectForm, token: str) -> None:
    """Enter a developer token, as the page sends it."""
    form._fields.token.hear(None, {"secret": token}, [])


def test_developer_token_is_stored_only_in_the_keyring(
    form: ConnectForm, keyring_content: dict[tuple[str, str], str]
) -> None:
    entry = form._fields.token
    assert entry.layout.display == "none"
    form.value = {"name": "Contoso", **IDS, "environment": "production"}
    assert entry.layout.display is None
    type_token(form, "TOKEN-OF-MINE")
    assert "TOKEN-OF-MINE" not in f"{entry.get_state()} {form.code} {form.value} {form!r} {form.summary}"
    saved = form.save()  # without consent, nothing is sent
    assert keyring_content == {("ci-magics", saved.id): "TOKEN-OF-MINE"}
    assert entry.secret == ""
    assert developer_token(saved, print, ask=False) == "TOKEN-OF-MINE"
    type_token(form, "ANOTHER")
    form.save()
    assert keyring_content == {("ci-magics", saved.id): "ANOTHER"}
    form.save()
    assert keyring_content == {("ci-magics", saved.id): "ANOTHER"}


def test_developer_token_that_fails_is_not_stored(
    form: ConnectForm, workspace: Workspace, keyring_content: dict[tuple[str, str], str]
) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH, "environment": "production"}
    type_token(form, "WRONG")
    with pytest.raises(ConnectionSetupError, match="no client id"):
        form.save()
    with pytest.raises(ConnectionSetupError, match="no client id"):
        form.test()
    assert keyring_content == {}
    assert workspace.connections.names() == []


def test_form_contains_no_token(form: ConnectForm, emulator: RunningEmulator) -> None:
    form.value = {"name": "Contoso", **IDS, **BOTH}
    form.save()
    form.wait()
    state = str({each: getattr(widget, "value", "") for each, widget in form.fields.items()}) + repr(form)
    assert emulator.access_token not in state
    assert "refresh" not in state
