from __future__ import annotations

import getpass
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import connect
from fakes import FakeTokens

import ci_magics as ci
from ci_magics.activation.connections import sign_in
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.segments.customer_insights import services
from ci_magics.activation.segments.customer_insights.connect import chosen_instance
from ci_magics.activation.segments.definitions import Definition
from ci_magics.errors import ArgumentError, ConnectionSetupError, NotFoundError, SegmentError, ServiceError, SignInError
from ci_magics.microsoft.insights_values import Instance

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.activation.segments.customer_insights.source import Insights
    from ci_magics.workspace.store import Workspace

NAME = "Male under 40"
THERE = "Male_under_40"
ROUTES = ("rest", "csv", "dataverse")


def settings(emulator: RunningEmulator, **values: Any) -> None:
    emulator.control("POST", "/settings", values)


def made(source: Insights, via: str | None = "rest", name: str = THERE, **options: Any) -> Any:
    return ci.segment(NAME, source.segment(name, via=via), **options)


def members_there(emulator: RunningEmulator, name: str = THERE) -> dict[str, str | None]:
    """Return the addresses of a segment's members by ID, as the emulator returns them."""
    found: dict[str, str | None] = {}
    query = f"$filter=IsMemberOfSegment('{name}')&$select=CustomerId,EMail&$top=10000&$skip="
    while True:
        rows = emulator.insights(f"/data/Customer?{query}{len(found)}").json()["value"]
        if not rows:
            return found
        found |= {row["CustomerId"]: row["EMail"] for row in rows}


def kept(workspace: Workspace, name: str = NAME) -> dict[str, str | None]:
    """Return the basic hashes of a stored segment by key."""
    batches = workspace.snapshots.batches(workspace.segments[name].id, ["key", "sha256_basic"])
    return {
        key: value and value.hex()
        for batch in batches
        for key, value in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
    }


def spooled(workspace: Workspace) -> list[str]:
    return workspace.spool.names("reading-")


def test_instance_is_found_by_name_and_remembered(source: Insights, workspace: Workspace) -> None:
    assert repr(source) == "EMULATOR: Customer Insights 'Contoso'"
    assert workspace.insights.names() == ["Contoso"]
    assert ci.insights().name == "Contoso"


def test_unknown_instance_suggests_the_nearest(source: Insights) -> None:
    assert source
    with pytest.raises(NotFoundError, match="Did you mean 'Contoso'"):
        ci.insights("Contso")


def test_wrong_subscription_key_is_reported(
    source: Insights, monkeypatch: pytest.MonkeyPatch, emulator: RunningEmulator
) -> None:
    assert source
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key[::-1])
    with pytest.raises(SignInError, match="does not accept the subscription key"):
        ci.insights("Contoso")


def test_emulator_from_the_environment_is_used_without_a_key(
    source: Insights, monkeypatch: pytest.MonkeyPatch, emulator: RunningEmulator
) -> None:
    assert source
    monkeypatch.delenv("CI_MAGICS_SUBSCRIPTION_KEY")
    without = ci.insights("Contoso")
    for via in ROUTES:
        assert made(without, via).rows == len(members_there(emulator))
    assert without.refresh(THERE, wait=False).refreshing


def test_real_instance_needs_its_key(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_MAGICS_SUBSCRIPTION_KEY", raising=False)
    monkeypatch.setattr("ci_magics.activation.segments.customer_insights.services.remembered", lambda _name: None)
    with pytest.raises(SignInError, match="Set CI_MAGICS_SUBSCRIPTION_KEY"):
        ci.insights("Contoso", environment="production", client_id="1", workspace=workspace)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user types as the subscription key of a real instance."""
    typed: list[str] = []
    monkeypatch.delenv(services.KEY_VARIABLE, raising=False)
    monkeypatch.setattr(services, "can_ask", lambda: bool(typed))
    monkeypatch.setattr(getpass, "getpass", lambda _question: typed.pop())
    monkeypatch.setattr(services, "_signed_in", lambda *_args, **_options: FakeTokens(iter(["token"])))
    return typed


def test_typed_subscription_key_is_asked_for_once(
    source: Insights, workspace: Workspace, typed: list[str], keyring_content: dict[tuple[str, str], str]
) -> None:
    real = replace(source.record, environment="production")
    typed.append(" typed ")
    said: list[str] = []
    for _time in range(2):
        services.open_insights_services(workspace, real, show=said.append)
    assert list(keyring_content.values()) == ["typed"]
    services.forget_subscription_key(real, said.append)
    assert keyring_content == {}
    assert said == []


def test_subscription_key_that_the_keyring_cannot_store_or_delete_is_announced(
    source: Insights, workspace: Workspace, typed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("remember", "forget_secret"):
        monkeypatch.setattr(services, name, lambda *_: "The system's keyring is locked")
    real = replace(source.record, environment="production")
    typed.append("typed")
    said: list[str] = []
    services.open_insights_services(workspace, real, show=said.append)
    services.forget_subscription_key(real, said.append)
    assert [services.KEY_VARIABLE in said[0], "Contoso" in said[1]] == [True, True]
    assert "typed" not in "".join(said)


def test_instance_is_not_opened_with_other_settings(source: Insights, workspace: Workspace) -> None:
    with pytest.raises(ConnectionSetupError, match="is known with another client id"):
        ci.insights("Contoso", client_id="another", workspace=workspace)
    assert list(workspace.insights) == [source.record]


def test_one_of_several_instances_must_be_named(source: Insights, workspace: Workspace) -> None:
    workspace.insights.put(replace(source.record, id="2", name="Contoso trial"))
    with pytest.raises(ArgumentError, match="Name one: Contoso, Contoso trial"):
        ci.insights(workspace=workspace)


def test_unknown_organization_is_asked_for(source: Insights) -> None:
    without = replace(source, record=replace(source.record, organization_url=""))
    with pytest.raises(ConnectionSetupError) as refused:
        without.dataverse()
    assert refused.value.code == "no_organization"
    assert "organization_url" in refused.value.next_step


def test_segments_are_listed_with_state_and_count(source: Insights, workspace: Workspace) -> None:
    listed = source.segments().to_frame().set_index("name")
    assert listed.loc["All_customers", "members"] == 5_000
    assert listed.loc["Lapsed", "state"] == "inactive"
    assert listed.loc["Broken", "status"] == "Failed"
    assert listed.loc["Key_accounts", "type"] == "Account"
    assert THERE in workspace.insights["Contoso"].known_segments
    assert "Male under 40" in repr(source.segments())


def test_history_and_schedule_of_customer_insights_are_shown(source: Insights) -> None:
    history = source.history(THERE)
    assert len(history) > 3
    assert history == sorted(history)
    assert {members for _moment, members in history} == {source.segment(THERE).members}
    (schedule,) = source.schedules()
    assert schedule.is_active
    assert schedule.crons == ("0 0 2 * * *",)


@pytest.mark.parametrize("via", ROUTES)
def test_each_route_reads_the_same_members(
    source: Insights, emulator: RunningEmulator, workspace: Workspace, via: str
) -> None:
    segment = made(source, via)
    there = members_there(emulator)
    assert segment.rows == len(there)
    assert segment.email == "EMail"
    assert segment.key == "CustomerId"
    ours = kept(workspace)
    assert ours.keys() == there.keys()
    plain = {key: email for key, email in there.items() if email and email == email.strip().lower() and ours[key]}
    assert len(plain) > len(there) / 3
    assert all(ours[key] == hashlib.sha256(email.encode()).hexdigest() for key, email in plain.items())
    assert spooled(workspace) == []


@pytest.mark.parametrize("via", ROUTES)
def test_each_route_counts_addresses_equally(source: Insights, via: str) -> None:
    direct = ci.preview(made(source, "rest")).to_frame()
    assert ci.preview(made(source, via)).to_frame().equals(direct)


def test_only_the_needed_columns_are_requested(source: Insights, emulator: RunningEmulator) -> None:
    settings(emulator, record_bodies=True)
    made(source, "rest")
    asked = [each for each in emulator.control("GET", "/requests?since=0") if each["operation"] == "GetData"]
    assert asked
    assert source.services.insights.entity(source.record.instance_id).attributes[0].name == "CustomerId"


def test_address_is_found_by_its_semantic_type_or_by_name(source: Insights) -> None:
    assert made(source).email == "EMail"
    assert made(source, email="EMail").email == "EMail"
    with pytest.raises(SegmentError, match=r"There is no column 'Email'\. Did you mean 'EMail'"):
        made(source, email="Email")


def test_segment_of_accounts_is_refused(source: Insights) -> None:
    with pytest.raises(SegmentError) as refused:
        made(source, name="Key_accounts")
    assert refused.value.sentence == (
        "The following segment isn't eligible for this export destination: 'Key accounts'. "
        "Choose only segments of type Customer and try again."
    )


def test_unknown_segment_suggests_the_nearest(source: Insights) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'Male_under_40'"):
        source.segment("Male_under_4")
    with pytest.raises(ArgumentError, match="Did you mean 'rest'"):
        source.segment(THERE, via="rset")


def test_conditions_and_other_keys_are_refused(source: Insights) -> None:
    with pytest.raises(ArgumentError, match="taken as it is"):
        made(source, where="TotalSpend > 5")
    with pytest.raises(ArgumentError, match="known by their CustomerId"):
        made(source, key="ContactId")


def test_age_of_the_members_is_mentioned(source: Insights, emulator: RunningEmulator) -> None:
    said: list[str] = []
    ci.segment(NAME, source.segment(THERE), show=said.append)
    assert said[0].startswith("'Male under 40' is as Customer Insights refreshed it, ")
    emulator.control("POST", "/clock", {"advance_hours": 24})
    lapsed = "\n".join(source.segment("Lapsed").freshness())
    assert "was never refreshed" in lapsed
    assert "inactive" in lapsed
    assert "last refresh failed" in "\n".join(source.segment("Broken").freshness())


def test_refresh_in_customer_insights_is_waited_for(
    source: Insights, emulator: RunningEmulator, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(emulator, refresh_seconds=3600)
    running = source.refresh(THERE, wait=False)
    assert "A refresh is running" in repr(running)
    assert "wait=True" in repr(source.segment(THERE))
    before = source.segment(THERE).refreshed
    monkey = iter([1.0])

    def advance(_wait: float) -> None:
        if next(monkey, None):
            emulator.control("POST", "/clock", {"advance_hours": 2})

    source.services.insights.conversation.clock.sleep = advance  # type: ignore[method-assign]
    ready = source.segment(THERE, wait=True)
    assert not ready.refreshing
    assert "Waiting for the refresh of 'Male under 40' in Customer Insights, requested at " in capsys.readouterr().out
    assert ready.refreshed is not None
    assert before is not None
    assert ready.refreshed > before
    assert waits == []


def test_failed_refresh_in_customer_insights_is_reported(source: Insights, emulator: RunningEmulator) -> None:
    settings(emulator, refresh_seconds=0)
    with pytest.raises(ServiceError, match="could not refresh 'Broken'"):
        source.refresh("Broken")


def test_segment_is_dynamic_and_read_again_by_a_refresh(
    source: Insights, emulator: RunningEmulator, workspace: Workspace
) -> None:
    made(source, "csv")
    definition = Definition.model_validate(workspace.segments[NAME].definition["source"])
    assert (definition.kind, definition.source, definition.instance, definition.via) == (
        "insights",
        THERE,
        "Contoso",
        "csv",
    )
    settings(emulator, customers=9_000)
    assert ci.segments.refresh(NAME).rows == len(members_there(emulator)) > 1_000


def test_refresh_without_a_change_is_not_reported_as_one(source: Insights, workspace: Workspace) -> None:
    for via in ("rest", "csv"):
        first = made(source, via)
        said: list[str] = []
        assert ci.segments.refresh(NAME, show=said.append).id == first.id
        assert not any("was replaced" in sentence for sentence in said)
    assert len(workspace.segments) == 1


def test_rows_without_the_attribute_have_no_address(source: Insights, emulator: RunningEmulator) -> None:
    usual = ci.preview(made(source)).to_frame()
    emulator.fault("GetData", "no_email", indexes=[0, 1, 2])
    fewer = ci.preview(made(source)).to_frame()
    assert not fewer.equals(usual)
    assert source.segment(THERE).members == source.workspace.segments[NAME].rows


def test_segment_deleted_during_reading_leaves_the_stored_one_unchanged(
    source: Insights, emulator: RunningEmulator, workspace: Workspace
) -> None:
    before = made(source)
    emulator.fault("GetData", "segment_deleted", call=4)
    with pytest.raises(SegmentError, match="was deleted or renamed in Customer Insights while it was being read"):
        made(source)
    assert workspace.segments[NAME].id == before.id
    assert spooled(workspace) == []


def test_missing_members_are_detected(source: Insights, emulator: RunningEmulator, workspace: Workspace) -> None:
    settings(emulator, next_link="none")
    before = made(source)
    insights = source.services.insights
    ask = insights.conversation.get

    def short(operation: str, url: str, headers: Any = None) -> Any:
        body = ask(operation, url, headers)
        if "$skip=200" in url:
            body["value"] = body["value"][:-3]
        if "/data/" in url and int(url.rpartition("$skip=")[2]) > 200:
            body["@odata.count"] += 3
        return body

    insights.conversation.get = short  # type: ignore[method-assign]
    with pytest.raises(SegmentError, match=r"has 743 members; [0-9]+ arrived"):
        made(source)
    assert workspace.segments[NAME].id == before.id


def test_number_of_members_read_is_reported(source: Insights) -> None:
    for via in ROUTES:
        seen: list[Any] = []
        made(source, via, progress=seen.append)
        assert seen[-1].done == seen[-1].total == source.segment(THERE).members
        assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_erased_person_is_in_no_interrupted_reading(
    source: Insights, emulator: RunningEmulator, workspace: Workspace
) -> None:
    emulator.fault("GetData", "http_403", call=5)
    with pytest.raises(ServiceError):
        made(source)
    assert spooled(workspace)
    forget(sha256=hashlib.sha256(b"jan@contoso.com").hexdigest(), show=lambda _sentence: None)
    assert spooled(workspace) == []


def test_second_account_is_asked_for_although_the_first_is_signed_in(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    monkeypatch.setattr(sign_in, "can_ask", lambda: True)
    asked: list[str] = []

    def enter(sentence: str) -> None:
        for code in re.findall(r"the code ([0-9A-F]{8})", sentence):
            asked.append(code)
            emulator.control("POST", "/devicecode", {"user_code": code, "accept": True})

    connect(flow="device", show=enter)
    assert len(asked) == 1
    source = ci.insights("Contoso", flow="device", show=enter)
    assert len(asked) == 2
    assert {each.signed_in_at is None for each in ci.connections.overview()} == {False}
    ci.segment(NAME, source.segment(THERE, via="dataverse"))
    ci.insights("Contoso", show=enter)
    assert len(asked) == 2
    ci.connections.sign_out("Contoso")
    with monkeypatch.context() as patch:
        patch.setattr(sign_in, "can_ask", lambda: False)
        with pytest.raises(SignInError, match="Nobody is signed in to 'Customer Insights Contoso'"):
            ci.insights("Contoso")
    assert workspace.insights.names() == ["Contoso"]


def test_disk_never_contains_an_address(source: Insights, emulator: RunningEmulator, workspace: Workspace) -> None:
    emulator.fault("GetData", "http_403", call=5)
    with pytest.raises(ServiceError):
        made(source)
    assert spooled(workspace)
    domains = {email.rpartition("@")[2] for email in members_there(emulator).values() if email and "@" in email}
    written = [path.read_bytes() for path in Path(workspace.folder).rglob("*") if path.is_file()]
    for email in filter(None, members_there(emulator).values()):
        if "@" in email:
            assert not any(email.encode() in content for content in written)
    assert domains


def test_instances_with_the_same_name_are_distinguished_by_id() -> None:
    twins = [Instance("id-1", "Contoso", "Trial", "westeurope"), Instance("id-2", "Contoso", "Trial", "westeurope")]
    with pytest.raises(ArgumentError) as refused:
        chosen_instance(twins, "Contoso")
    assert refused.value.sentence == "The signed-in user sees 2 instances of Customer Insights named 'Contoso'."
    assert refused.value.next_step == "Name the right one by its id: id-1, id-2."
    assert chosen_instance(twins, "id-2") is twins[1]
