"""Connections are changed, shared, signed in to and out of; a withdrawn consent stops everything at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.activation.connections import sign_in
from ci_magics.errors import (
    AccessError,
    ArgumentError,
    ConnectionSetupError,
    ConsentError,
    ExportRefusedError,
    SignInError,
)

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

Becoming = Callable[..., "Workspace"]
ADDRESS = "https://ui.ads.microsoft.com/campaign/Campaigns.m?CID=222&AID=112"


class TestEditing:
    """A connection is changed, and consents for the old account do not apply to the new one."""

    def test_another_account_needs_both_consents_again(self) -> None:
        made = contoso.connect()
        said: list[str] = []
        changed = ci.connections.edit(contoso.NAME, account_id="112", show=said.append)
        assert (changed.id, changed.account_id, changed.account_name) == (made.id, "112", "Contoso US")
        assert not changed.agreed
        assert not changed.terms_accepted
        assert "both consents have to be given again" in said[0]
        with pytest.raises(ConsentError):
            contoso.export(contoso.segment(3))

    def test_same_values_change_nothing(self, workspace: Workspace) -> None:
        made = contoso.connect(share=["contributor"])
        noted = len(list(workspace.audit))
        same = ci.connections.edit(contoso.NAME, account_id=made.account_id, show=lambda _: None)
        assert (same.agreed, same.terms_accepted) == (True, True)
        ci.connections.share(contoso.NAME, "contributor")
        assert len(list(workspace.audit)) == noted

    @pytest.mark.parametrize("changes", [{"url": ADDRESS}, {"account_id": ADDRESS}, {"customer_id": ADDRESS}])
    def test_pasted_address_is_read_in_every_field(self, changes: dict[str, str]) -> None:
        contoso.connect()
        assert ci.connections.edit(contoso.NAME, **changes, show=lambda _: None).account_id == "112"

    def test_swapped_ids_are_recognized_and_nothing_changes(self) -> None:
        contoso.connect()
        with pytest.raises(ConnectionSetupError, match="swapped") as refused:
            ci.connections.edit(contoso.NAME, customer_id="112", account_id="222")
        assert refused.value.next_step == 'Use customer_id="222" and account_id="112".'
        assert ci.open_workspace().store.connections[contoso.NAME].agreed

    def test_account_of_another_customer_is_reported(self) -> None:
        contoso.connect()
        with pytest.raises(ConnectionSetupError, match="belongs to customer 222, not 333"):
            ci.connections.edit(contoso.NAME, customer_id="333")

    def test_rename_keeps_everything_else(self) -> None:
        made = contoso.connect()
        renamed = ci.connections.edit(contoso.NAME, rename="Contoso Europe")
        assert (renamed.id, renamed.agreed, renamed.terms_accepted) == (made.id, True, True)
        assert ci.open_workspace().store.connections.names() == ["Contoso Europe"]

    @pytest.mark.parametrize("name", ["Another", " "])
    def test_taken_or_blank_name_is_refused(self, name: str) -> None:
        contoso.connect()
        ci.connect("Another", customer_id="222", account_id="112")
        with pytest.raises(ConnectionSetupError):
            ci.connections.edit(contoso.NAME, rename=name)

    def test_account_cannot_change_while_a_run_is_unfinished(self, emulator: RunningEmulator) -> None:
        contoso.connect()
        contoso.fail(emulator, "ApplyCustomerListUserData", "106")
        contoso.fail(emulator, "AddAudiences", *["http_500"] * 5)
        with pytest.raises(Exception, match="resume"):
            contoso.export(contoso.segment(3))
        with pytest.raises(ConnectionSetupError, match="was not finished"):
            ci.connections.edit(contoso.NAME, account_id="112")
        assert ci.connections.edit(contoso.NAME, rename="C").name == "C"

    def test_opening_with_other_ids_says_how_to_change(self) -> None:
        contoso.connect()
        with pytest.raises(ConnectionSetupError) as refused:
            ci.connect(contoso.NAME, account_id="112")
        assert 'ci.connections.edit("Contoso EU", account_id="112")' in refused.value.next_step

    def test_edit_is_audited(self, workspace: Workspace) -> None:
        contoso.connect()
        ci.connections.edit(contoso.NAME, account_id="112", show=lambda _: None)
        entry = next(each for each in workspace.audit if each.verb == "edit_connection")
        assert entry.facts == {"account_id": "112"}


class TestSharing:
    """Who can use a connection."""

    def test_contributor_uses_connections_shared_with_the_role_or_by_name(self, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        admin = ci.open_workspace().store.user
        as_user("ann", "contributor")
        assert contoso.export(contoso.segment(3)).accepted == 3
        as_user(admin)
        as_user("bob", "contributor")
        as_user(admin)
        ci.connections.share(contoso.NAME, "bob")
        as_user("ann")
        with pytest.raises(AccessError, match="not shared with you"):
            contoso.export("All")
        as_user("bob")
        assert contoso.export("All").status == "Completed"

    def test_contributor_opens_a_connection_without_seeing_ids(self, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        as_user("ann", "contributor")
        assert "111" not in repr(ci.connect(contoso.NAME))
        with pytest.raises(ConnectionSetupError) as refused:
            ci.connect(contoso.NAME, account_id="113")
        assert "111" not in str(refused.value)

    def test_unknown_user_is_named(self) -> None:
        contoso.connect()
        with pytest.raises(ConnectionSetupError, match="no role or user 'zoe'") as refused:
            ci.connections.share(contoso.NAME, "zoe")
        assert 'ci.roles.give("zoe", "contributor")' in refused.value.next_step

    def test_opening_an_existing_connection_can_share_it(self) -> None:
        contoso.connect()
        assert ci.connect(contoso.NAME, share=["contributor"]).shared_with == ("contributor",)
        assert ci.connect(contoso.NAME).shared_with == ("contributor",)
        assert ci.connect(contoso.NAME, share=["administrator"]).shared_with == ("administrator",)

    def test_run_of_another_user_needs_the_shared_connection(
        self, as_user: Becoming, emulator: RunningEmulator
    ) -> None:
        contoso.connect()
        contoso.fail(emulator, "AddAudiences", *["http_500"] * 5)
        with pytest.raises(Exception, match="resume"):
            contoso.export(contoso.segment(3))
        (run,) = ci.open_workspace().store.runs
        as_user("ann", "contributor")
        with pytest.raises(AccessError, match="not shared with you"):
            contoso.resumed(run.name)


class TestWithdrawing:
    """A withdrawn consent stops all exports of a connection at once."""

    def test_withdrawal_says_what_remains_and_how_to_undo_it(self) -> None:
        contoso.connect()
        contoso.export(contoso.segment(3))
        said: list[str] = []
        connection = ci.connections.withdraw_consents(contoso.NAME, show=said.append)
        assert not connection.agreed
        assert said[0] == "All exports through 'Contoso EU' have stopped."
        assert 'ci.audiences("Contoso EU").empty("All", confirm="All")' in said[1]
        with pytest.raises(ConsentError):
            contoso.export("All")

    def test_running_export_sends_nothing_more(self, emulator: RunningEmulator) -> None:
        contoso.connect()
        made = contoso.segment(12_000)
        withdrawn: list[Any] = []

        def withdraw(progress: Any) -> None:
            if "upload file" in progress.step and not withdrawn:
                withdrawn.append(ci.connections.withdraw_consents(contoso.NAME, show=lambda _: None))

        with pytest.raises(ConsentError, match="withdrawn while the run was on its way") as stopped:
            contoso.export(made, progress=withdraw)
        assert withdrawn
        assert "UploadFile" not in emulator.operations()
        assert emulator.members("All") == set()
        (run,) = ci.open_workspace().store.runs
        assert run.name in str(stopped.value)
        with pytest.raises(ConsentError):
            contoso.resumed(run.name)
        ci.connect(contoso.NAME, agree=True, accept_terms=True)
        assert contoso.resumed(run.name).accepted == 12_000

    def test_only_administrators_can_withdraw_consent(self, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        as_user("ann", "contributor")
        for withdraw in (
            lambda: ci.connections.withdraw_consents(contoso.NAME),
            lambda: ci.connect(contoso.NAME, withdraw=True),
        ):
            with pytest.raises(AccessError, match="only administrators may withdraw a consent"):
                withdraw()


class TestSigningIn:
    """Signing in, choosing an account, and signing out."""

    @pytest.fixture(autouse=True)
    def signed_in(
        self, workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[str], None]:
        del workspace  # the workspace must exist first
        monkeypatch.setattr(sign_in, "can_ask", lambda: True)

        def enter(sentence: str) -> None:
            for code in re.findall(r"the code ([0-9A-F]{8})", sentence):
                emulator.control("POST", "/devicecode", {"user_code": code, "accept": True})

        contoso.connect(flow="device", show=enter)
        return enter

    def test_account_cannot_be_chosen_if_nobody_is_signed_in(self) -> None:
        ci.connections.sign_out(contoso.NAME)
        with pytest.raises(ArgumentError, match="No account is signed in for 'Contoso EU' on this machine"):
            ci.connections.choose_account(contoso.NAME, 1)

    def test_accounts_are_listed_masked_and_chosen_by_number(self) -> None:
        (account,) = ci.connections.accounts(contoso.NAME)
        assert (account.number, account.used) == (1, True)
        assert repr(account) == "1: a*** (used here)"
        assert ci.connections.choose_account(contoso.NAME, 1).account_name == "Contoso EU"
        with pytest.raises(ArgumentError, match="There is no account 2; 1 account is signed in"):
            ci.connections.choose_account(contoso.NAME, 2)

    def test_signing_out_forgets_the_account_and_the_next_use_asks(
        self, signed_in: Callable[[str], None], emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ci.connections.sign_out(contoso.NAME)
        assert ci.connections.accounts(contoso.NAME) == []
        asked = emulator.operations().count("DeviceCode")
        ci.connect(contoso.NAME, show=signed_in)
        assert emulator.operations().count("DeviceCode") == asked + 1
        ci.connections.sign_out(contoso.NAME)
        monkeypatch.setattr(sign_in, "can_ask", lambda: False)
        with pytest.raises(SignInError, match="nobody can be asked here"):
            ci.connect(contoso.NAME)

    def test_signing_in_again_asks_although_an_account_is_signed_in(
        self, signed_in: Callable[[str], None], emulator: RunningEmulator
    ) -> None:
        asked = emulator.operations().count("DeviceCode")
        assert ci.connections.sign_in(contoso.NAME, show=signed_in).account_name == "Contoso EU"
        assert emulator.operations().count("DeviceCode") == asked + 1


def test_run_cannot_be_resumed_in_another_environment(workspace: Workspace, emulator: RunningEmulator) -> None:
    connection = contoso.connect()
    contoso.fail(emulator, "AddAudiences", *["http_500"] * 5)
    with pytest.raises(Exception, match="resume"):
        contoso.export(contoso.segment(3))
    (run,) = workspace.runs
    workspace.connections.put(type(connection)(**{**vars(connection), "environment": "sandbox"}))
    with pytest.raises(ExportRefusedError, match="another environment"):
        contoso.resumed(run.name)


def test_list_shows_sharing_in_full_only_to_administrators(as_user: Becoming) -> None:
    contoso.connect(share=["contributor"])
    (line,) = ci.connections.overview()
    assert line.shared_with == ("contributor",)
    assert "customer 222, account 111" in repr(ci.connections.overview())
    as_user("ann", "contributor")
    assert "shared with you" in repr(ci.connections.overview())
    assert "111" not in ci.connections.overview().to_frame().to_string() + repr(ci.connections.overview())
    as_user("zoe", "viewer")
    assert (
        repr(ci.connections.overview())
        == "No Microsoft Advertising connection is shared with you; ask an administrator."
    )


def test_viewer_sees_results_without_the_connection(as_user: Becoming) -> None:
    contoso.connect()
    contoso.export(contoso.segment(3))
    as_user("zoe", "viewer")
    (audience,) = ci.status(show=lambda _: None).audiences
    assert (audience.audience, audience.members, audience.note) == ("All", 3, "its connection is not shared with you")
    assert "111" not in audience.destination


def test_user_without_a_connection_gets_an_explanation(as_user: Becoming) -> None:
    contoso.connect()
    contoso.segment(3)
    as_user("ann", "contributor")
    with pytest.raises(AccessError, match="No Microsoft Advertising connection is shared with you; ask an administrat"):
        ci.export("All")
