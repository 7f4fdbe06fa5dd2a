"""Scenarios 20 to 26: limits, lost responses and long waits."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from contoso import calls, connect, export, fail, hashes, resumed, segment

import ci_magics as ci
from ci_magics.activation.progress import Progress
from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

APPLY = "ApplyCustomerListUserData"
MANY = 12_000  # too many for single calls


def test_20_throttling_waits_a_minute(emulator: RunningEmulator, waits: list[float]) -> None:
    connect()
    fail(emulator, APPLY, "117")
    said: list[str] = []
    assert export(segment(400), show=said.append).status == "Completed"
    assert waits == [60.0]
    assert "Trying again in 60 s" in said[0]


def test_20_retry_after_is_honored(emulator: RunningEmulator, waits: list[float]) -> None:
    connect()
    fail(emulator, APPLY, "http_429", retry_after=7)
    assert export(segment(400)).status == "Completed"
    assert waits == [7.0]


def test_20_bulk_limit_waits_up_to_fifteen_minutes_and_stays_resumable(
    emulator: RunningEmulator, waits: list[float]
) -> None:
    connect()
    fail(emulator, "GetBulkUploadUrl", *["4204"] * 10)
    with pytest.raises(ServiceError, match=r"ci\.runs\.resume\("):
        export(segment(MANY))
    assert 800 < sum(waits) <= 1_000
    (record,) = ci.open_workspace().store.runs
    emulator.control("POST", "/faults", [])
    assert resumed(record.name).accepted == MANY


@pytest.mark.usefixtures("waits")
def test_21_call_with_a_lost_response_is_repeated(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "lost_reply")
    assert export(segment(400)).accepted == 400
    assert emulator.members("All") == hashes(400)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("fault", ["lost_reply", "lost_request"])
def test_21_new_list_is_looked_up_before_it_is_created_again(emulator: RunningEmulator, fault: str) -> None:
    connect()
    fail(emulator, "AddAudiences", fault)
    try:
        run = export(segment(400))
    except OutcomeUnknownError:
        (record,) = ci.open_workspace().store.runs
        run = resumed(record.name)
    assert run.accepted == 400
    assert [each["Name"] for each in emulator.control("GET", "/audiences")] == ["All"]


@pytest.mark.usefixtures("waits")
def test_21_replacement_is_looked_up_before_it_is_sent_again(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "UploadFile", "lost_reply")
    run = export(segment(400), mode="replace")
    assert (run.status, run.accepted) == ("Completed", 400)
    assert calls(emulator, "UploadFile") == 1


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("fault", ["http_502_html", "empty_body", "huge_body"])
def test_22_unusable_response_is_never_quoted(emulator: RunningEmulator, fault: str) -> None:
    connect()
    fail(emulator, APPLY, *[fault] * 8)
    with pytest.raises(CiError) as refused:
        export(segment(400))
    assert "<" not in str(refused.value)
    assert len(str(refused.value)) < 600
    (record,) = ci.open_workspace().store.runs
    assert record.results[0]["accepted"] == 0


@pytest.mark.usefixtures("waits")
def test_23_internal_errors_end_after_several_attempts_with_a_tracking_id(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, *["0"] * 10)
    with pytest.raises(ServiceError) as refused:
        export(segment(400))
    assert refused.value.code == 0
    assert refused.value.tracking_id
    assert calls(emulator, APPLY) == 5


@pytest.mark.usefixtures("waits")
def test_24_interrupted_upload_is_sent_to_a_new_url(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "UploadFile", "reset_mid_upload")
    assert export(segment(MANY)).accepted == MANY
    assert calls(emulator, "GetBulkUploadUrl") == 2


@pytest.mark.usefixtures("waits")
def test_24_failed_file_does_not_affect_the_previous_one(emulator: RunningEmulator) -> None:
    connect()
    export(segment(2 * MANY))
    faults = [{"operation": "UploadFile", "call": number, "fault": "lost_request"} for number in (2, 3)]
    emulator.control("POST", "/faults", faults)
    with pytest.raises(ServiceError, match="still waits for the file"):
        export(segment(2 * MANY, start=MANY))
    record = list(ci.open_workspace().store.runs)[-1]
    assert (record.results[0]["added"], record.results[0]["removed"]) == (MANY, 0)
    assert resumed(record.name).results[0].removed == MANY
    assert emulator.members("All") == hashes(2 * MANY, start=MANY)


@pytest.mark.usefixtures("waits")
def test_25_unfinished_status_is_waited_for(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "GetBulkUploadStatus", "status_FileUploaded", "status_InProgress", "status_InProgress")
    assert export(segment(MANY)).status == "Completed"


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("status", ["Failed", "Expired", "Aborted", "UploadFileRowCountExceeded"])
def test_25_any_other_final_status_is_reported_and_not_repeated(emulator: RunningEmulator, status: str) -> None:
    connect()
    fail(emulator, "UploadFile", f"status_{status}")
    with pytest.raises(OutcomeUnknownError, match=status):
        export(segment(MANY))
    assert calls(emulator, "UploadFile") == 1
    (record,) = ci.open_workspace().store.runs
    assert (record.results[0]["accepted"], record.results[0]["unknown"]) == (0, MANY)
    assert resumed(record.name).accepted == MANY


def test_26_run_is_running_until_its_last_audience_is_done() -> None:
    connect()
    seen: list[str] = []

    def watch(_progress: Progress) -> None:
        seen.extend(each.status for each in ci.open_workspace().store.runs)

    run = export(segment(400, name="One"), segment(400, name="Two"), progress=watch)
    assert [key for key, _ in itertools.groupby(seen)] == ["Running"]
    assert run.status == "Completed"
