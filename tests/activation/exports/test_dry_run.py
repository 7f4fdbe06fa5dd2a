"""A dry run finds what would stop a push, shows it first, and sends nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contoso
import pandas as pd
import pytest
from contoso import NAME, connect, export, people, planned, segment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.activation.connections.consents import end_consents
from ci_magics.activation.segments.segment_operations import suppress_segment
from ci_magics.errors import CiError
from ci_magics.sample import customers
from ci_magics.workspace.access import Role
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY
from ci_magics.workspace.roles import give_role, take_role

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

#: Operations that change something at Microsoft.
WRITES = {"AddAudiences", "UpdateAudiences", "DeleteAudiences", "ApplyCustomerListUserData", "GetBulkUploadUrl"}


class Scene:
    """What a case can break, and how the export is requested."""

    def __init__(self, emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.emulator = emulator
        self.workspace = workspace
        self.monkeypatch = monkeypatch
        self.options: dict[str, Any] = {}
        self.segments: tuple[str, ...] = ("All",)

    def end_consent(self, *kinds: str) -> None:
        connection = self.workspace.connections[NAME]
        kept = tuple(each for each in connection.consents if each.kind in kinds)
        end_consents(self.workspace, connection.with_consents(kept))

    def interrupt(self) -> None:
        """Leave an unfinished run on the audience."""
        contoso.fail(self.emulator, "ApplyCustomerListUserData", *["http_500"] * 9)
        with pytest.raises(CiError):
            export("All")
        self.emulator.control("POST", "/faults", [])


def without_data_privacy(scene: Scene) -> None:
    scene.end_consent(DATA_PRIVACY)


def without_terms(scene: Scene) -> None:
    scene.end_consent(CUSTOMER_MATCH_TERMS)


def without_any_consent(scene: Scene) -> None:
    scene.end_consent(DATA_PRIVACY, CUSTOMER_MATCH_TERMS)


def as_a_viewer(scene: Scene) -> None:
    give_role(scene.workspace, "somebody else", Role.ADMINISTRATOR)
    ci.connect(NAME, share=["viewer"])
    take_role(scene.workspace, scene.workspace.user)


def with_a_viewer_role_in_microsoft_advertising(scene: Scene) -> None:
    scene.monkeypatch.setattr("ci_magics.microsoft.advertising.User.roles_in", lambda _user, _customer: (100,))


def not_signed_in(scene: Scene) -> None:
    record = scene.workspace.all_connections[NAME]
    scene.workspace.connections.put(changed(record, flow="device"))


def without_developer_token(scene: Scene) -> None:
    record = scene.workspace.all_connections[NAME]
    scene.workspace.connections.put(changed(record, environment="production", flow="env", client_id="app"))
    scene.monkeypatch.setattr("ci_magics.activation.connections.services.acquire", lambda *_, **__: None)


def in_another_account(scene: Scene) -> None:
    scene.options["account_id"] = "999"


def under_another_customer(scene: Scene) -> None:
    scene.options["customer_id"] = "333"


def while_microsoft_is_read_only(scene: Scene) -> None:
    contoso.fail(scene.emulator, "GetAudiencesByIds", *["1010"] * 40)


def into_a_list_that_does_not_exist(scene: Scene) -> None:
    scene.options["audience"] = "Nobody's list"


def into_a_list_that_is_not_ours(scene: Scene) -> None:
    contoso.foreign_list(scene.emulator)


def into_a_deleted_list(scene: Scene) -> None:
    export("All")
    audience_id = scene.emulator.audiences()["All"]["Id"]
    scene.emulator.call("DELETE", "/CampaignManagement/v13/Audiences", {"AudienceIds": [audience_id]})


def removing_from_no_list(scene: Scene) -> None:
    scene.options["mode"] = "remove"


def with_another_normalization(scene: Scene) -> None:
    export("All")
    scene.options["normalization"] = "enhanced"


def with_another_membership(scene: Scene) -> None:
    export("All")
    scene.options["membership_days"] = 30


def shrinking(scene: Scene) -> None:
    del scene
    export("All")
    segment(100)


def of_nobody(scene: Scene) -> None:
    del scene
    segment(0)


def of_no_valid_address(scene: Scene) -> None:
    del scene
    ci.segment("All", pd.DataFrame({"Id": ["a", "b"], "EMail": ["none", "x"]}), key="Id")


def of_mixed_hashes(scene: Scene) -> None:
    del scene
    mixed = people(400)
    mixed.loc[0, "EMail"] = contoso.hash_of("somebody@contoso.com")
    ci.segment("All", mixed)


def of_a_segment_set_aside(scene: Scene) -> None:
    del scene
    ci.segments.deactivate("All")


def of_the_suppression_segment(scene: Scene) -> None:
    del scene
    ci.segments.suppress("All")


def of_people_who_may_not_have_consented(scene: Scene) -> None:
    del scene
    ci.segment("All", customers(500))


def of_a_segment_without_a_snapshot(scene: Scene) -> None:
    scene.workspace.snapshots.remove(scene.workspace.segments["All"].id)


def while_another_run_holds_the_audience(scene: Scene) -> None:
    assert scene.workspace.locks.take("emulator:111:all", str(uuid.uuid4())) is None


def with_an_invalid_retention_period(scene: Scene) -> None:
    scene.monkeypatch.setenv("CI_MAGICS_RETENTION_DAYS", "a year")


CASES: list[tuple[Callable[[Scene], None], int | str]] = [
    (without_data_privacy, "no_data_privacy_consent"),
    (without_terms, "no_terms_consent"),
    (without_any_consent, "no_data_privacy_consent"),
    (as_a_viewer, "role_too_low"),
    (with_a_viewer_role_in_microsoft_advertising, "viewer_role"),
    (not_signed_in, "sign_in_needed"),
    (without_developer_token, "no_developer_token"),
    (in_another_account, 106),
    (under_another_customer, 106),
    (while_microsoft_is_read_only, 1010),
    (into_a_list_that_does_not_exist, "not_found"),
    (into_a_list_that_is_not_ours, "audience_not_ours"),
    (into_a_deleted_list, "audience_deleted"),
    (removing_from_no_list, "no_audience"),
    (with_another_normalization, "normalization_differs"),
    (with_another_membership, "membership_differs"),
    (shrinking, "shrinks"),
    (of_nobody, "empty_segment"),
    (of_no_valid_address, "nothing_sendable"),
    (of_mixed_hashes, "mixed_hashes"),
    (of_a_segment_set_aside, "segment_inactive"),
    (of_the_suppression_segment, "suppression_segment"),
    (of_people_who_may_not_have_consented, "consent_not_used"),
    (of_a_segment_without_a_snapshot, "segment_damaged"),
    (while_another_run_holds_the_audience, "concurrent_run"),
    (with_an_invalid_retention_period, "retention_days"),
]


@pytest.fixture
def scene(emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Scene:
    connect()
    segment(400)
    return Scene(emulator, workspace, monkeypatch)


def write_operations(emulator: RunningEmulator) -> list[str]:
    return [each for each in emulator.operations() if each in WRITES]


def changed(record: Any, **changes: Any) -> Any:
    return replace(record, **changes)


@pytest.mark.matrix
@pytest.mark.parametrize(("broken", "code"), CASES, ids=[case.__name__ for case, _code in CASES])
def test_obstacle_of_a_push_blocks_the_dry_run(scene: Scene, broken: Callable[[Scene], None], code: int | str) -> None:
    broken(scene)
    before = write_operations(scene.emulator)
    plan = planned(*scene.segments, **scene.options)
    assert plan.verdict.state == "Blocked"
    assert plan.verdict.reason is not None
    assert plan.verdict.reason.code == code
    assert plan.verdict.reason.next_step
    with pytest.raises(CiError) as applied:
        plan.apply()
    assert applied.value.code == code
    with pytest.raises(CiError) as pushed:
        export(*scene.segments, **scene.options)
    assert pushed.value.code == code
    assert write_operations(scene.emulator) == before


def test_unfinished_run_blocks_the_plan_and_a_push_completes_it_first(scene: Scene) -> None:
    scene.interrupt()
    plan = planned("All")
    assert plan.verdict.state == "Blocked"
    assert plan.verdict.reason is not None
    assert plan.verdict.reason.code == "unfinished_run"
    with pytest.raises(CiError) as applied:
        plan.apply()
    assert applied.value.code == "unfinished_run"
    assert export("All").status == "Completed"
    assert planned("All").verdict.state == "Ready"


@pytest.mark.parametrize("broken", [without_data_privacy, without_terms, without_any_consent, as_a_viewer])
def test_microsoft_gets_no_request_while_a_consent_or_role_is_missing(
    scene: Scene, broken: Callable[[Scene], None]
) -> None:
    segment(0)
    broken(scene)
    before = len(scene.emulator.operations())
    plan = planned("All")
    assert len(scene.emulator.operations()) == before
    assert plan.verdict.not_checked == ("the sign-in", "your role in the account", "what the audiences hold")
    assert "empty_segment" in [each.code for each in plan.verdict.findings]
    assert "Not checked yet: the sign-in" in repr(plan)


def test_both_missing_consents_are_named_at_once(scene: Scene) -> None:
    without_any_consent(scene)
    codes = [each.code for each in planned("All").verdict.findings]
    assert codes == ["no_data_privacy_consent", "no_terms_consent"]


def test_blocked_plan_can_be_repeated_after_giving_consent(scene: Scene) -> None:
    without_terms(scene)
    plan = planned("All")
    connect()
    with pytest.raises(CiError) as applied:
        plan.apply()
    assert applied.value.code == "plan_outdated"
    assert write_operations(scene.emulator) == []


@pytest.mark.parametrize(("broken", "code"), [CASES[0], CASES[4], CASES[11], CASES[16]])
def test_verdict_comes_first_wherever_a_plan_is_shown(
    scene: Scene, tmp_path: Path, broken: Callable[[Scene], None], code: str
) -> None:
    broken(scene)
    plan = planned("All", **scene.options)
    reason = plan.verdict.reason
    assert reason is not None
    assert repr(plan).splitlines()[0] == "EMULATOR: nothing left this machine. Blocked"
    assert reason.next_step in repr(plan).splitlines()[1]
    page = plan._repr_html_()
    assert page.index("Blocked") < page.index("Plan for account")
    assert repr(plan).splitlines()[1].startswith("  x ")
    assert "<div>\u2717 " in page
    assert next(iter(plan.to_dict())) == "verdict"
    assert plan.to_dict()["verdict"]["findings"][0]["code"] == code
    assert set(plan.to_frame()["verdict"]) == {"Blocked"}
    kept = json.loads(plan.save(tmp_path / "plan.json").read_text("utf-8"))
    assert next(iter(kept)) == "verdict"
    assert kept["verdict"]["state"] == "Blocked"
    assert ci.Plan.load(tmp_path / "plan.json") == plan


def test_one_blocked_audience_of_two_is_a_warning(scene: Scene) -> None:
    segment(350, name="Other")
    ci.segments.deactivate("Other")
    plan = planned("All", "Other")
    assert plan.verdict.state == "Warning"
    assert [(each.code, each.audience) for each in plan.verdict.findings] == [("segment_inactive", "Other")]
    run = plan.apply()
    assert [each.status for each in run.results] == ["Completed", "Skipped"]
    assert scene.emulator.members("All") == contoso.hashes(400)


def test_list_too_small_to_serve_is_a_warning(scene: Scene) -> None:
    segment(250)
    plan = planned("All")
    assert (plan.verdict.state, [each.code for each in plan.verdict.findings]) == ("Warning", ["small"])
    assert plan.apply().status == "Completed"
    assert scene.emulator.members("All") == contoso.hashes(250)


def test_lock_of_an_ended_process_does_not_block(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    while_another_run_holds_the_audience(scene)
    monkeypatch.setattr("ci_magics.workspace.locks.is_running", lambda _process: False)
    plan = planned("All")
    assert plan.verdict.state == "Ready"
    assert plan.apply().status == "Completed"


#: Steps that change the situation before the plan is made.
STEPS: dict[str, Callable[[], object]] = {
    "export": lambda: _attempt(lambda: export("All")),
    "add": lambda: _attempt(lambda: export("All", mode="add")),
    "replace": lambda: _attempt(lambda: export("All", mode="replace", allow_shrink=True)),
    "remove": lambda: _attempt(lambda: export("All", mode="remove")),
    "shrink": lambda: segment(310),
    "halve": lambda: segment(120),
    "grow": lambda: segment(700),
    "set aside": lambda: ci.segments.deactivate("All"),
    "use again": lambda: ci.segments.activate("All"),
    "suppress": lambda: ci.segments.suppress("All"),
    "end suppression": lambda: suppress_segment(ci.open_workspace().store, None),
    "enhanced": lambda: _attempt(lambda: export("All", normalization="enhanced")),
}


def _attempt(work: Callable[[], object]) -> None:
    """Do something that may be refused in the current situation."""
    with suppress(CiError):
        work()


@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=4),
    mode=st.sampled_from(["mirror", "add", "remove", "replace"]),
    normalization=st.sampled_from(["basic", "enhanced"]),
    days=st.sampled_from([None, 30, -1]),
)
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_verdict_and_push_agree_in_every_situation(
    emulator: RunningEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[str],
    mode: str,
    normalization: str,
    days: int | None,
) -> None:
    emulator.control("POST", "/reset", {})
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / uuid.uuid4().hex))
    connect()
    segment(400)
    for step in steps:
        STEPS[step]()
    before = write_operations(emulator)
    plan = planned("All", mode=mode, normalization=normalization, membership_days=days)
    assert write_operations(emulator) == before
    if not plan.verdict.blocked:
        assert plan.apply().status == "Completed"
        return
    assert plan.verdict.reason is not None
    with pytest.raises(CiError) as refused:
        plan.apply()
    assert refused.value.code == plan.verdict.reason.code
    assert write_operations(emulator) == before
