"""Scenarios 27 to 42: empty, oversized, changed and wrong input."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from contoso import calls, connect, export, fail, foreign_list, hash_of, hashes, planned, resumed, segment
from magic_lines import parsed

import ci_magics as ci
from ci_magics.activation.connections.services import open_services
from ci_magics.activation.progress import Progress
from ci_magics.errors import (
    ArgumentError,
    ExportRefusedError,
    ExportStoppedError,
    NotFoundError,
    SegmentError,
    ServiceError,
)
from ci_magics.microsoft.upload_file import rows_per_file, write_upload_file

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

APPLY = "ApplyCustomerListUserData"
NOBODY = pd.DataFrame({"Id": [], "EMail": pd.Series([], dtype=object)})
EVERYWHERE = ("mirror", "replace")


@pytest.mark.parametrize("mode", EVERYWHERE)
def test_27_empty_segment_empties_nothing_without_permission(emulator: RunningEmulator, mode: str) -> None:
    connect()
    export(segment(400))
    ci.segment("All", NOBODY)
    with pytest.raises(ExportRefusedError, match="no profiles") as refused:
        export("All", mode=mode)
    assert refused.value.code == "empty_segment"
    assert emulator.members("All") == hashes(400)
    assert export("All", mode=mode, allow_empty=True).results[0].removed == 400
    assert emulator.members("All") == set()


def test_27_adding_nobody_sends_no_call(emulator: RunningEmulator) -> None:
    connect()
    export(segment(400))
    ci.segment("All", NOBODY)
    before = calls(emulator, APPLY)
    assert export("All", mode="add", allow_empty=True).accepted == 0
    assert calls(emulator, APPLY) == before


@pytest.mark.parametrize("mode", EVERYWHERE)
def test_28_losing_more_than_half_is_stopped_with_the_numbers(emulator: RunningEmulator, mode: str) -> None:
    connect()
    export(segment(1_000))
    with pytest.raises(ExportRefusedError, match="700 of 1,000 members") as refused:
        export(segment(300), mode=mode)
    assert refused.value.code == "shrinks"
    assert emulator.members("All") == hashes(1_000)
    assert export("All", mode=mode, allow_shrink=True).results[0].removed == 700
    assert emulator.members("All") == hashes(300)


def test_28_losing_half_is_allowed() -> None:
    connect()
    export(segment(1_000))
    assert export(segment(500)).results[0].removed == 500


def test_29_a_thousand_and_one_profiles_need_two_calls(emulator: RunningEmulator, workspace: Workspace) -> None:
    connection = connect()
    assert export(segment(1_001)).accepted == 1_001
    assert calls(emulator, APPLY) == 2
    services = open_services(workspace, connection, show=print)
    with pytest.raises(ValueError, match="1,000"):
        services.advertising.apply("1", "Add", ["0" * 64] * 1_001, accept_terms=True)
    assert calls(emulator, APPLY) == 2


@pytest.mark.slow
def test_30_more_than_half_a_million_profiles_are_sent(emulator: RunningEmulator) -> None:
    connect()
    ids = np.arange(500_001)
    frame = pd.DataFrame({"Id": ids, "EMail": [f"p{number}@contoso.com" for number in ids]})
    assert export(ci.segment("All", frame)).accepted == 500_001
    assert emulator.audiences()["All"]["members"] == 500_001


def test_30_replacement_in_several_files_replaces_once_and_then_adds(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    export(segment(400))
    for module in ("runs.journal", "plans.plan_document"):
        monkeypatch.setattr(f"ci_magics.activation.{module}.rows_per_file", lambda _environment: 5_000)
    plan = planned(segment(12_000, start=100), mode="replace")
    assert plan.audiences[0].sends == "3 files, the list is short until the last is done"
    run = plan.apply()
    assert (run.accepted, run.results[0].removed) == (12_000, 100)
    assert calls(emulator, "UploadFile") == 3
    assert emulator.members("All") == hashes(12_000, start=100)


def test_31_second_run_on_the_same_audience_is_refused(emulator: RunningEmulator) -> None:
    connect()
    segment(400)
    seen: list[str] = []

    def meanwhile(_progress: Progress) -> None:
        if not seen:
            with pytest.raises(ExportRefusedError, match="in use by another run or change") as refused:
                planned("All").apply()
            seen.append(str(refused.value.code))

    assert export("All", progress=meanwhile).accepted == 400
    assert seen == ["concurrent_run"]
    assert calls(emulator, "AddAudiences") == 1


def test_31_lock_of_a_dead_process_does_not_block(workspace: Workspace) -> None:
    connect()
    code = (
        "import os; from ci_magics.workspace.store import open_workspace;"
        "print(open_workspace().locks.take('emulator:111:all', 'gone'))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "None"
    assert workspace.locks.holder("emulator:111:all") is not None
    assert export(segment(400)).accepted == 400


def test_32_only_invalid_rows_are_rejected_with_their_reasons(emulator: RunningEmulator) -> None:
    connect()
    frame = pd.DataFrame({"email": ["none", "a@@contoso.com", "plain"]})
    with pytest.raises(ExportRefusedError, match="1 missing, 1 no_at, 1 many_at"):
        export(ci.segment("All", frame))
    assert emulator.audiences() == {}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"Id": [1], "Phone": ["1"]}), "No column is named like an e-mail address.*Id, Phone"),
        (pd.DataFrame({"email": ["a"], "EMail": ["b"]}), "Several columns may hold the e-mail address"),
    ],
)
def test_33_ambiguous_column_is_refused_before_any_request(
    emulator: RunningEmulator, frame: pd.DataFrame, words: str
) -> None:
    with pytest.raises(SegmentError, match=words):
        ci.segment("All", frame)
    assert emulator.operations() == []


def test_33_column_name_with_blanks_is_found() -> None:
    assert ci.segment("All", pd.DataFrame({"email ": ["a@contoso.com"]})).email == "email "


def test_33_mixed_values_are_refused_before_anything_is_sent(emulator: RunningEmulator) -> None:
    connect()
    frame = pd.DataFrame({"email": ["a@contoso.com", hash_of("b@contoso.com")]})
    with pytest.raises(ExportRefusedError) as refused:
        export(ci.segment("All", frame))
    assert refused.value.code == "mixed_hashes"
    assert emulator.audiences() == {}
    assert export("All", allow_mixed=True).accepted == 2


def test_34_fewer_than_three_hundred_are_sent_with_a_warning() -> None:
    connect()
    plan = planned(segment(299))
    assert [(guard.code, guard.stops) for guard in plan.audiences[0].guards] == [("small", False)]
    assert plan.apply().accepted == 299
    assert planned(segment(300, name="Enough")).audiences[0].guards == ()


def test_35_foreign_list_is_not_mirrored(emulator: RunningEmulator) -> None:
    connect()
    foreign_list(emulator)
    with pytest.raises(ExportRefusedError, match=r'mode="replace".*mode="add"') as refused:
        export(segment(400))
    assert refused.value.code == "audience_not_ours"
    assert export("All", mode="add").accepted == 400
    with pytest.raises(ExportRefusedError):
        export("All")
    assert len(emulator.members("All")) == 402
    assert export("All", mode="replace").accepted == 400
    assert export("All").status == "Completed"
    assert emulator.members("All") == hashes(400)


def test_35_membership_changed_elsewhere_stops_the_export(emulator: RunningEmulator) -> None:
    connect()
    run = export(segment(400))
    change = {"Type": "CustomerList", "Id": run.results[0].audience_id, "MembershipDuration": 30}
    emulator.call("PUT", "/CampaignManagement/v13/Audiences", {"Audiences": [change]})
    with pytest.raises(ExportRefusedError, match="30 days now, forever before") as refused:
        export(segment(401))
    assert refused.value.code == "membership_changed"
    assert export("All", membership_days=30).status == "Completed"
    assert export(segment(402)).results[0].added == 1


def test_36_deleted_list_stops_the_export_and_is_created_on_request(emulator: RunningEmulator) -> None:
    connect()
    run = export(segment(400))
    emulator.call("DELETE", "/CampaignManagement/v13/Audiences", {"AudienceIds": [run.results[0].audience_id]})
    with pytest.raises(ExportRefusedError, match="no longer has the audience") as refused:
        export("All")
    assert refused.value.code == "audience_deleted"
    assert export("All", mode="replace").accepted == 400
    assert emulator.members("All") == hashes(400)
    assert export(segment(401)).results[0].added == 1


def test_36_renamed_list_is_still_recognized(emulator: RunningEmulator) -> None:
    connect()
    run = export(segment(400))
    change = {"Type": "CustomerList", "Id": run.results[0].audience_id, "Name": "Everybody"}
    emulator.call("PUT", "/CampaignManagement/v13/Audiences", {"Audiences": [change]})
    plan = planned(segment(401))
    assert [guard.code for guard in plan.audiences[0].guards] == ["renamed"]
    assert plan.apply().results[0].added == 1
    assert emulator.members("Everybody") == hashes(401)
    assert planned(segment(402)).audiences[0].guards == ()


def test_36_list_of_another_type_is_refused(emulator: RunningEmulator) -> None:
    connect()
    foreign_list(emulator, name="Visitors")
    with pytest.raises(NotFoundError, match=r"no Customer Match audience 'Visitor'\. Did you mean 'Visitors'"):
        export(segment(400), audience="Visitor", mode="add")
    assert calls(emulator, APPLY) == 1


def test_36_missing_rights_are_reported_for_each_row(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "106")
    with pytest.raises(ServiceError):
        export(segment(3))
    (record,) = ci.open_workspace().store.runs
    rejected = resumed(record.name).rejected_rows()
    assert rejected[["key", "code"]].values.tolist() == [["k0", 106], ["k1", 106], ["k2", 106]]


def test_37_long_numbers_stay_exact(emulator: RunningEmulator) -> None:
    connect()
    run = export(segment(400))
    (audience,) = emulator.audiences().values()
    assert run.results[0].audience_id == audience["Id"]
    assert int(audience["Id"]) > 2**53
    assert export(segment(401), audience=audience["Id"], mode="add").accepted == 1


@pytest.mark.parametrize("days", [391, 0, -2])
def test_38_impossible_membership_days_are_refused(days: int) -> None:
    connect()
    with pytest.raises(ArgumentError, match="1 to 390 days, or -1"):
        export(segment(3), membership_days=days)


def test_38_membership_days_are_a_whole_number_with_optional_blanks() -> None:
    with pytest.raises(ArgumentError, match="whole number"):
        parsed("%ci_export All --membership-days forever")
    assert parsed('%ci_export All --membership-days " -1 "').given("membership_days") == -1


def test_39_stopped_run_is_completed_by_another_process(emulator: RunningEmulator) -> None:
    connect()

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(ExportStoppedError, match=r"hashes were accepted\. Finish it: ci\.runs\.resume"):
        export(segment(9_500), progress=stop)
    (record,) = ci.open_workspace().store.runs
    assert record.status == "Canceled"
    assert 0 < len(emulator.members("All")) < 9_500
    code = f"import ci_magics as ci; print(ci.runs.resume({record.name!r}).accepted)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "9500"
    assert emulator.members("All") == hashes(9_500)


def test_39_unknown_run_is_not_guessed() -> None:
    with pytest.raises(NotFoundError, match="There is no run 'abcd'"):
        resumed("abcd")


def test_39_export_completes_the_previous_run_first(emulator: RunningEmulator, waits: list[float]) -> None:
    connect()
    fail(emulator, APPLY, *["lost_reply"] * 5)
    with pytest.raises(ServiceError):
        export(segment(400))
    said: list[str] = []
    run = export(segment(500), show=said.append)
    assert waits
    assert "is finished first" in said[0]
    assert (run.results[0].added, run.results[0].unchanged) == (100, 400)
    assert emulator.members("All") == hashes(500)


def test_40_plan_is_applied_once() -> None:
    connect()
    plan = planned(segment(400))
    plan.apply()
    with pytest.raises(ExportRefusedError) as refused:
        plan.apply()
    assert refused.value.code == "plan_outdated"


def test_40_saved_plan_is_refused_after_a_change(emulator: RunningEmulator, tmp_path: Path) -> None:
    connect()
    path = planned(segment(400)).save(tmp_path / "plan.json")
    segment(401)
    with pytest.raises(ExportRefusedError, match="the segment 'All' was created again"):
        ci.Plan.load(path).apply()
    assert emulator.audiences() == {}
    path = planned("All").save(path)
    assert ci.Plan.load(path).apply().accepted == 401


def test_41_members_are_sent_again_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    export(segment(400), membership_days=30)
    assert export(segment(401)).results[0].added == 1
    later = datetime.now(UTC) + timedelta(days=16)
    monkeypatch.setattr("ci_magics.clock.SystemClock.now", lambda _clock: later)
    run = export(segment(402))
    assert (run.results[0].added, run.results[0].unchanged) == (402, 0)
    assert export(segment(403)).results[0].added == 1


def test_42_files_for_the_sandbox_are_smaller_than_its_limit(tmp_path: Path) -> None:
    rows = rows_per_file("sandbox")
    assert rows + 2 <= 20_000
    with pytest.raises(ValueError, match="cannot fit"):
        write_upload_file(
            tmp_path / "f.zip",
            np.zeros((rows + 1, 32), np.uint8),
            audience_id="1",
            action="Add",
            accept_terms=True,
            max_rows=rows,
        )


def test_42_plan_counts_the_files_for_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    rows = rows_per_file("sandbox")
    for module in ("runs.journal", "plans.plan_document"):
        monkeypatch.setattr(f"ci_magics.activation.{module}.rows_per_file", lambda _environment: rows)
    plan = planned(segment(45_000))
    assert plan.audiences[0].sends == "3 files"
    assert plan.apply().accepted == 45_000
