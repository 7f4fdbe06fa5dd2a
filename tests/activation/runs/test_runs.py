from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from contoso import calls, connect, export, fail, foreign_list, hashes, planned, resumed, segment

import ci_magics as ci
from ci_magics.activation.retention import forget_old
from ci_magics.activation.runs.resume import load_run
from ci_magics.activation.runs.send import calls_at_a_time
from ci_magics.errors import ArgumentError, CiError, ExportRefusedError, OutcomeUnknownError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"


def test_failed_audience_does_not_affect_the_others(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "AddAudiences", "106")
    run = export(segment(400, name="One"), segment(400, name="Two"))
    assert [(each.audience, each.status) for each in run.results] == [("One", "Failed"), ("Two", "Completed")]
    assert (run.status, run.accepted) == ("Completed with errors", 400)
    assert "may not use this account" in run.results[0].message
    assert list(emulator.audiences()) == ["Two"]


def test_guarded_audience_is_skipped_and_the_others_are_sent(emulator: RunningEmulator) -> None:
    connect()
    foreign_list(emulator, name="One")
    run = export(segment(400, name="One"), segment(400, name="Two"))
    assert [(each.audience, each.status) for each in run.results] == [("One", "Skipped"), ("Two", "Completed")]
    assert 'mode="replace"' in run.results[0].message
    assert len(emulator.members("One")) == 2


def test_interrupted_audience_is_resumed_and_completed_ones_are_left(emulator: RunningEmulator) -> None:
    connect()
    emulator.control(
        "POST", "/faults", [{"operation": APPLY, "call": number, "fault": "lost_reply"} for number in range(2, 7)]
    )
    run = export(segment(400, name="One"), segment(400, name="Two"))
    assert [each.status for each in run.results] == ["Completed", "Failed"]
    assert run.finished_at is None
    assert f'ci.runs.resume("{run.id[:8]}")' in repr(run)
    before = calls(emulator, APPLY)
    again = run.resume()
    assert (again.status, again.accepted) == ("Completed", 800)
    assert calls(emulator, APPLY) == before + 1
    assert again.resume() is again


def test_named_list_is_filled_and_the_segment_keeps_its_own(emulator: RunningEmulator) -> None:
    connect()
    audience_id = foreign_list(emulator, name="Visitors")
    assert export(segment(400), audience="visitors", mode="add").results[0].audience_id == audience_id
    assert len(emulator.members("Visitors")) == 402
    assert export(segment(100), audience=audience_id, mode="remove").results[0].removed == 100
    assert len(emulator.members("Visitors")) == 302
    export("All")
    assert emulator.members("All") == hashes(100)


def test_named_list_needs_a_single_segment() -> None:
    connect()
    with pytest.raises(ArgumentError, match="one by one"):
        export(segment(3, name="One"), segment(3, name="Two"), audience="Visitors")


def test_segments_with_the_same_audience_are_refused() -> None:
    connect()
    with pytest.raises(ArgumentError, match="one audience"):
        export(segment(3, name="one"), segment(3, name="ONE"))


def test_mirror_is_refused_if_the_ledger_is_lost(emulator: RunningEmulator, workspace: Workspace) -> None:
    connect()
    export(segment(400))
    (record,) = workspace.audiences
    workspace.ledgers.remove(record.id)
    segment(300, start=200)
    with pytest.raises(ExportRefusedError, match="is no longer known what") as refused:
        export("All")
    assert refused.value.code == "ledger_lost"
    assert emulator.members("All") == hashes(400)
    assert export("All", mode="replace").accepted == 300
    assert emulator.members("All") == hashes(300, start=200)
    assert export(segment(301, start=200)).results[0].added == 1


def test_old_copy_of_a_ledger_is_not_trusted(workspace: Workspace) -> None:
    connect()
    export(segment(400))
    (record,) = workspace.audiences
    old = workspace.ledgers.read(record.id)
    export(segment(500))
    workspace.ledgers.write(record.id, old)
    with pytest.raises(ExportRefusedError, match="missing, damaged or old"):
        export(segment(501))


def test_adding_without_a_ledger_leaves_it_unknown(emulator: RunningEmulator, workspace: Workspace) -> None:
    connect()
    export(segment(400))
    (record,) = workspace.audiences
    workspace.ledgers.remove(record.id)
    assert export(segment(10, start=400), mode="add").accepted == 10
    with pytest.raises(ExportRefusedError):
        export(segment(10))
    assert emulator.members("All") == hashes(410)


def test_normalization_of_an_audience_changes_only_by_replacement(emulator: RunningEmulator) -> None:
    connect()
    frame = pd.DataFrame({"email": [f"a.b+{number}@contoso.com" for number in range(3)] + ["c.d@contoso.com"]})
    export(ci.segment("All", frame))
    for mode in ("mirror", "add", "remove"):
        with pytest.raises(ExportRefusedError, match="normalization basic"):
            export("All", mode=mode, normalization="enhanced")
    assert export("All", mode="replace", normalization="enhanced").accepted == 2
    assert export("All", normalization="enhanced").accepted == 0
    assert len(emulator.members("All")) == 2


def test_keys_of_rejected_profiles_are_kept_thirty_days(emulator: RunningEmulator, workspace: Workspace) -> None:
    connect()
    fail(emulator, APPLY, "partial", indexes=[2])
    run = export(segment(400))
    segment(1)  # the segment is replaced, but its rejected key is kept
    assert resumed(run.id).rejected_rows()["key"].tolist() == ["k2"]
    forget_old(workspace, datetime.now(UTC) + timedelta(days=29))
    assert len(resumed(run.id).rejected_rows()) == 1
    forget_old(workspace, datetime.now(UTC) + timedelta(days=31))
    assert resumed(run.id).rejected_rows().empty


def test_rejected_rows_of_an_unfinished_run_are_those_known_so_far(
    emulator: RunningEmulator, workspace: Workspace
) -> None:
    connect()
    faults = [{"operation": APPLY, "call": 1, "fault": "partial", "indexes": [2, 5]}]
    faults += [{"operation": APPLY, "call": 2, "fault": "http_503", "times": 99}]
    emulator.control("POST", "/faults", faults)
    with pytest.raises(CiError):
        export(segment(1_500))
    (record,) = workspace.runs
    unfinished = load_run(workspace, record)
    said: list[str] = []
    assert unfinished.finished_at is None
    assert len(unfinished.rejected_rows(show=said.append)) == 2
    assert said == [f"The run {record.name} has not ended: these are the rows that Microsoft has refused so far."]
    emulator.control("POST", "/faults", [])
    ended = resumed(record.name)
    said.clear()
    assert sorted(ended.rejected_rows(show=said.append)["key"]) == sorted(unfinished.rejected_rows()["key"])
    assert said == []


def test_spool_is_empty_after_a_run(workspace: Workspace) -> None:
    connect()
    export(segment(12_000))
    assert workspace.spool.names() == []


def test_lost_spool_ends_the_run_and_makes_the_ledger_uncertain(
    emulator: RunningEmulator, workspace: Workspace
) -> None:
    connect()
    fail(emulator, APPLY, *["lost_request"] * 5)
    with pytest.raises(OutcomeUnknownError):
        export(segment(400))
    (record,) = workspace.runs
    workspace.spool.remove_all("")
    with pytest.raises(ci.CiError, match="missing or damaged"):
        resumed(record.name)
    with pytest.raises(ExportRefusedError, match=r"not filled from here|not known"):
        export("All")
    assert export("All", mode="replace").accepted == 400


def test_plan_waits_for_the_previous_run(emulator: RunningEmulator) -> None:
    connect()
    segment(400)
    fail(emulator, APPLY, *["lost_request"] * 5)
    with pytest.raises(OutcomeUnknownError):
        export("All")
    with pytest.raises(ExportRefusedError, match="was not finished") as refused:
        planned("All").apply()
    assert refused.value.code == "unfinished_run"


def test_status_says_how_to_resume_a_run(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, *["lost_reply"] * 5)
    with pytest.raises(OutcomeUnknownError):
        export(segment(400))
    (record,) = ci.open_workspace().store.runs
    assert f"run {record.name} of " in repr(ci.status())
    assert f'not finished: ci.runs.resume("{record.name}")' in repr(ci.status())
    resumed(record.name)
    assert "not finished" not in repr(ci.status())
    assert record.name in ci.status()._repr_html_()


@pytest.mark.parametrize(("environment", "calls"), [("sandbox", 1), ("production", 4), ("emulator", 4)])
def test_sandbox_gets_one_call_at_a_time(environment: str, calls: int) -> None:
    assert calls_at_a_time(environment) == calls
