from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import NAME, connect, export, hashes, planned, segment

import ci_magics as ci
from ci_magics.activation.audiences.audience_list import audiences
from ci_magics.errors import ExportRefusedError, NotFoundError
from ci_magics.sample import customers

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("emulator", "workspace")


def test_plan_shows_the_changes_of_each_audience() -> None:
    connect()
    export(segment(400))
    plan = planned(segment(500, start=100), segment(12_000, name="Many"))
    frame = plan.to_frame()
    assert frame[["audience", "action", "adds", "removes", "unchanged", "transport", "sends"]].values.tolist() == [
        ["All", "update", 200, 100, 300, "apply", "2 calls"],
        ["Many", "create", 12_000, 0, 0, "bulk", "1 file"],
    ]
    assert repr(plan).startswith("EMULATOR: nothing left this machine. Ready\nPlan for account 111: mirror")
    html = plan._repr_html_()
    assert "EMULATOR" in html
    assert "12,000" in html


def test_saved_plan_contains_no_address_hash_or_secret(emulator: RunningEmulator, tmp_path: Path) -> None:
    connect()
    ci.segment("Sample", customers(2_000), where="MarketingConsent")
    text = planned("Sample").save(tmp_path / "plan.json").read_text("utf-8")
    assert "@" not in text
    assert not re.search(r"[0-9a-fA-F]{64}", text)
    assert emulator.developer_token not in text
    assert json.loads(text)["destination"].startswith("EMULATOR")


def test_saved_plan_is_applied_as_it_was(emulator: RunningEmulator, tmp_path: Path) -> None:
    connect()
    made = planned(segment(400), segment(350, name="Some"), normalization="enhanced")
    made.save(tmp_path / "plan.json")
    loaded = ci.Plan.load(tmp_path / "plan.json")
    assert loaded == made
    assert repr(loaded) == repr(made)
    run = loaded.apply()
    assert [(each.audience, each.added) for each in run.results] == [("All", 400), ("Some", 350)]
    assert emulator.members("All") == hashes(400)


def change_the_segment(_emulator: RunningEmulator) -> None:
    segment(401)


def change_the_ledger(_emulator: RunningEmulator) -> None:
    export("All", mode="add")


def change_the_audience(emulator: RunningEmulator) -> None:
    audience_id = emulator.audiences()["All"]["Id"]
    emulator.call("DELETE", "/CampaignManagement/v13/Audiences", {"AudienceIds": [audience_id]})


def replace_the_audience(emulator: RunningEmulator) -> None:
    audiences(NAME, show=lambda _sentence: None).delete("All", confirm="All")
    export("All")
    assert emulator.audiences()


def change_the_program(_emulator: RunningEmulator) -> None:
    path = Path("plan.json")
    path.write_text(path.read_text("utf-8").replace(f'"code_version": "{ci.__version__}"', '"code_version": "0.0.1"'))


def change_the_account(_emulator: RunningEmulator) -> None:
    path = Path("plan.json")
    path.write_text(path.read_text("utf-8").replace('"account_id": "111"', '"account_id": "112"'))


def change_the_numbers(_emulator: RunningEmulator) -> None:
    path = Path("plan.json")
    document = json.loads(path.read_text("utf-8"))
    document["audiences"][0]["digest"] = "0" * 16
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_the_segment, "the segment 'All' was created again or deleted"),
        (change_the_ledger, "something was sent to the audience 'All'"),
        (change_the_audience, "no longer has the audience"),
        (replace_the_audience, "the audience 'All' was created, deleted or replaced"),
        (change_the_program, "ci-magics was 0.0.1 and is"),
        (change_the_account, f"the connection '{NAME}' was changed"),
        (change_the_numbers, "is not the same"),
    ],
)
def test_plan_is_refused_if_its_basis_changed(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    connect()
    export(segment(400))
    plan = planned(segment(450)) if change is not change_the_ledger else planned("All")
    plan.save("plan.json")
    change(emulator)
    before = emulator.operations().count("ApplyCustomerListUserData")
    with pytest.raises(ExportRefusedError, match=named):
        ci.Plan.load("plan.json").apply()
    assert emulator.operations().count("ApplyCustomerListUserData") == before


def test_removed_connection_is_named(workspace: Any, tmp_path: Path) -> None:
    connection = connect()
    planned(segment(400)).save(tmp_path / "plan.json")
    workspace.connections.remove(connection.id)
    with pytest.raises(ExportRefusedError, match="the connection 'Contoso EU' was removed"):
        ci.Plan.load(tmp_path / "plan.json").apply()


def test_file_that_is_not_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no plan file"):
        ci.Plan.load(tmp_path / "missing.json")
    (tmp_path / "other.json").write_text('{"code_version": 1}')
    with pytest.raises(ExportRefusedError, match="is not a plan"):
        ci.Plan.load(tmp_path / "other.json")


def test_dry_run_shows_guards_and_cannot_be_applied(emulator: RunningEmulator) -> None:
    connect()
    plan = planned(ci.segment("All", customers(500)))
    assert "consent_not_used" in plan.to_frame()["guards"][0]
    assert "\n  x " in repr(plan)
    with pytest.raises(ExportRefusedError, match="MarketingConsent"):
        plan.apply()
    assert emulator.audiences() == {}
