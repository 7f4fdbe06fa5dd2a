from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, ConnectionSetupError, SignInError
from ci_magics.microsoft.advertising import Advertising

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

IDS = {"customer_id": "222", "account_id": "111"}


@pytest.mark.parametrize(
    "url",
    [
        "https://ui.ads.microsoft.com/campaign/Campaigns.m?cid=222&aid=111",
        "https://ui.ads.microsoft.com/campaign/Campaigns.m?AID=111&Cid=222#/x",
        "https://ui.ads.microsoft.com/campaign/#cid=222&aid=111",
    ],
)
def test_ids_are_read_from_the_address_bar(url: str) -> None:
    connection = ci.connect("C", url=url, agree=True)
    assert (connection.customer_id, connection.account_id) == ("222", "111")
    assert connection.account_name == "Contoso EU"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "customer id of the connection 'C' is missing"),
        ({"customer_id": "222"}, "account id of the connection 'C' is missing"),
        ({"url": "https://ui.ads.microsoft.com/"}, "neither cid= nor aid="),
        ({"customer_id": "abc", "account_id": "111"}, "customer id is not a number"),
        ({**IDS, "url": "https://x/?cid=9&aid=111"}, "customer id is 222, but the address says 9"),
        ({"customer_id": "111", "account_id": "222"}, "swapped"),
        ({"customer_id": "222", "account_id": "113"}, r"111 \(Contoso EU, customer 222\)"),
        ({**IDS, "environment": "emulater"}, "Did you mean 'emulator'"),
        ({**IDS, "flow": "devise"}, "Did you mean 'device'"),
        ({**IDS, "share": ["contributer"]}, "Did you mean 'contributor'"),
    ],
)
def test_invalid_details_are_explained(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConnectionSetupError, match=words):
        ci.connect("C", agree=True, **given)
    assert "C" not in ci.open_workspace().store.connections


@pytest.mark.parametrize(
    ("ids", "hint"),
    [
        (("222", "113"), "Did you mean 11"),
        (("222", "1111"), "Did you mean 111 (Contoso EU)?"),
        (("222", "999"), ""),
        (("333", "999"), ""),
    ],
)
def test_unknown_account_is_not_saved_and_existing_ones_are_offered(ids: tuple[str, str], hint: str) -> None:
    with pytest.raises(ConnectionSetupError) as refused:
        ci.connect("C", customer_id=ids[0], account_id=ids[1], agree=True)
    assert refused.value.code == "account_not_found"
    assert hint in refused.value.sentence
    for account in ("111 (Contoso EU, customer 222)", "112 (Contoso US, customer 222)"):
        assert account in refused.value.next_step
    assert 'ci.connect(NAME, customer_id="222", account_id="11' in refused.value.next_step
    assert "C" not in ci.open_workspace().store.connections


def test_user_without_any_account_is_told_to_ask_for_access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Advertising, "search_accounts", lambda *_args: [])
    with pytest.raises(ConnectionSetupError, match="This user may use no account") as refused:
        ci.connect("C", agree=True, **IDS)
    assert refused.value.code == "account_not_found"


def test_nothing_is_requested_without_consent_and_a_notice_says_so() -> None:
    heard: list[str] = []
    ci.connect("C", customer_id="222", account_id="999", show=heard.append)
    (notice,) = heard
    assert "Whether account 999 of customer 222 exists has not been checked" in notice
    with pytest.raises(ConnectionSetupError) as refused:
        ci.connect("C", agree=True)
    assert 'ci.connections.edit("C", customer_id="222", account_id="11' in refused.value.next_step
    assert not ci.open_workspace().store.connections["C"].agreed
    heard.clear()
    ci.connections.edit("C", account_id="998", show=heard.append)
    assert "account 998 of customer 222" in heard[0]
    ci.connections.edit("C", account_id="111", show=heard.append)
    assert ci.connect("C", agree=True).account_name == "Contoso EU"
    with pytest.raises(ConnectionSetupError, match="no account 997"):
        ci.connections.edit("C", account_id="997", show=heard.append)
    assert ci.open_workspace().store.connections["C"].account_id == "111"


def test_name_opens_the_existing_connection() -> None:
    made = ci.connect("C", **IDS, agree=True)
    assert ci.connect("C").id == made.id
    assert len(ci.open_workspace().store.connections) == 1


def test_other_ids_under_the_same_name_are_refused() -> None:
    ci.connect("C", **IDS)
    with pytest.raises(ConnectionSetupError, match="another account id: 111, not 112"):
        ci.connect("C", account_id="112")


def test_consent_is_recorded_once_with_user_and_time(workspace: Any) -> None:
    for _ in range(2):
        connection = ci.connect("C", **IDS, agree=True)
    (consent,) = connection.consents
    assert (consent.kind, consent.given_by, consent.withdrawn_at) == ("data_privacy", workspace.user, None)
    assert consent.text_version


def test_consent_that_was_withdrawn_is_not_withdrawn_again() -> None:
    ci.connect("C", **IDS, agree=True, accept_terms=True)
    first = ci.connect("C", withdraw=True).consents
    assert ci.connect("C", agree=True).agreed
    second = ci.connect("C", withdraw=True).consents
    assert set(first) < set(second)  # who withdrew which consent, and when, stays recorded
    assert len(second) == 3


def test_consent_is_only_withdrawn_explicitly() -> None:
    ci.connect("C", **IDS, agree=True, accept_terms=True)
    assert ci.connect("C").agreed
    withdrawn = ci.connect("C", withdraw=True)
    assert not withdrawn.agreed
    assert not withdrawn.terms_accepted
    assert all(each.withdrawn_by for each in withdrawn.consents)
    assert ci.connect("C", agree=True).agreed


def test_nobody_is_signed_in_without_consent(emulator: RunningEmulator) -> None:
    ci.connect("C", **IDS)
    assert emulator.operations() == []


def test_repr_starts_with_the_destination_and_contains_no_secret(emulator: RunningEmulator) -> None:
    shown = repr(ci.connect("C", **IDS, agree=True))
    assert shown.startswith("EMULATOR: nothing left this machine")
    assert emulator.developer_token not in shown


def test_emulator_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_EMULATOR", "http://emulator.example.com:80")
    with pytest.raises(ConnectionSetupError, match="must be on this machine"):
        ci.connect("C", **IDS, agree=True)


@pytest.mark.parametrize("wrong", ["-abc", "{1a2b}", "a_b"])
def test_invalid_application_is_refused(wrong: str) -> None:
    with pytest.raises(ArgumentError, match="The client id is not one of Microsoft Entra"):
        ci.connect("Contoso", customer_id="222", account_id="111", client_id=wrong)


def test_production_needs_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_MAGICS_CLIENT_ID", raising=False)
    with pytest.raises(ConnectionSetupError, match="no client id"):
        ci.connect("P", environment="production", **IDS, agree=True)


def test_revoked_grant_is_reported_with_a_next_step(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/faults", [{"operation": "Token", "call": 1, "fault": "invalid_grant"}])
    with pytest.raises(SignInError, match="Sign in again") as refused:
        ci.connect("C", **IDS, agree=True)
    assert refused.value.code == "AADSTS70000"
    assert "refresh" not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {},
            (
                "No consent yet: nothing can be sent until an administrator runs "
                'ci.connect("C", agree=True, accept_terms=True).'
            ),
        ),
        (
            {"agree": True},
            (
                "One consent is missing: nothing can be sent until an administrator runs "
                'ci.connect("C", accept_terms=True).'
            ),
        ),
        (
            {"accept_terms": True},
            'One consent is missing: nothing can be sent until an administrator runs ci.connect("C", agree=True).',
        ),
        ({"agree": True, "accept_terms": True}, ""),
    ],
)
def test_new_connection_lists_missing_consents(
    emulator: RunningEmulator, workspace: Workspace, given: dict[str, bool], said: str
) -> None:
    del emulator, workspace
    heard: list[str] = []
    made = ci.connect("C", customer_id="222", account_id="111", **given, show=heard.append)
    assert [each[: len(said)] for each in heard] == ([said] if said else [])
    assert ("nothing can be sent" in repr(made)) is bool(said)
    assert ("nothing can be sent" in repr(ci.connections.overview())) is bool(said)
    assert ci.connections.overview().to_frame()["missing_consents"][0] == made.missing_consents
    heard.clear()
    ci.connect("C", show=heard.append)
    assert heard == []
