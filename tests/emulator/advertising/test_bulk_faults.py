"""Bulk uploads that fail on demand, and their result files."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASHES = [f"{number:064x}" for number in range(5)]


def plan(emulator: RunningEmulator, fault: str, operation: str = "UploadFile", **details: Any) -> None:
    emulator.control("POST", "/faults", [{"operation": operation, "call": 1, "fault": fault, **details}])


def send(bulk: Any, name: str = "A list") -> Any:
    items = [bulk.item_row(each, client=str(number)) for number, each in enumerate(HASHES)]
    return bulk.rows(bulk.list_row(Audience=name), *items)


@pytest.mark.parametrize(
    "name", ["Failed", "Expired", "Aborted", "UploadFileRowCountExceeded", "UploadFileFormatNotSupported"]
)
def test_upload_can_end_in_any_status_and_changes_nothing(emulator: RunningEmulator, bulk: Any, name: str) -> None:
    plan(emulator, f"status_{name}")
    status = send(bulk)
    assert (status["RequestStatus"], status["PercentComplete"], status["ResultFileUrl"]) == (name, 0, None)
    assert status["Errors"] is None
    assert emulator.audiences() == {}


def test_failed_upload_can_have_an_error_code(emulator: RunningEmulator, bulk: Any) -> None:
    plan(emulator, "status_Failed", code=1011)
    (error,) = send(bulk)["Errors"]
    assert (error["Type"], error["Code"]) == ("OperationError", 1011)


@pytest.mark.parametrize("name", ["Failed", "InProgress", "FileUploaded", "PendingFileUpload"])
def test_one_status_response_can_be_overridden(emulator: RunningEmulator, bulk: Any, name: str) -> None:
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.text(bulk.list_row(Audience="A list")))
    assert bulk.finished(ticket["RequestId"])["RequestStatus"] == "Completed"
    plan(emulator, f"status_{name}", "GetBulkUploadStatus")
    assert [bulk.status(ticket["RequestId"])["RequestStatus"] for _ in range(2)] == [name, "Completed"]


def test_list_error_does_not_mention_items(emulator: RunningEmulator, bulk: Any) -> None:
    plan(emulator, "list_error")
    status = send(bulk)
    assert status["RequestStatus"] == "CompletedWithErrors"
    assert bulk.errors(status) == [("Customer List Error", "4835", "list")]
    assert emulator.audiences() == {}


def test_items_at_given_positions_are_refused_and_not_added(emulator: RunningEmulator, bulk: Any) -> None:
    plan(emulator, "partial", indexes=[0, 3, 99, -1], code="8004", reordered=True)
    status = send(bulk)
    assert status["RequestStatus"] == "CompletedWithErrors"
    assert bulk.errors(status) == [("Customer List Item Error", "8004", each) for each in ("0", "3")]
    assert emulator.members("A list") == {HASHES[each] for each in (1, 2, 4)}


@pytest.mark.parametrize("fault", ["reordered_result", "list_error"])
def test_columns_of_a_result_can_be_reordered(emulator: RunningEmulator, bulk: Any, fault: str) -> None:
    plan(emulator, fault, **({} if fault == "reordered_result" else {"reordered": True}))
    content = emulator.session.get(send(bulk)["ResultFileUrl"]).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read("result.csv").decode()
    assert text.startswith("\ufeffError Number,")
    assert next(csv.reader([text[1:].splitlines()[0]]))[-1] == "Type"


def test_result_can_expire_once(emulator: RunningEmulator, bulk: Any) -> None:
    status = send(bulk)
    plan(emulator, "result_expired", "GetResultFile")
    assert [emulator.session.get(status["ResultFileUrl"]).status_code for _ in range(2)] == [403, 200]


def test_result_can_be_damaged(emulator: RunningEmulator, bulk: Any) -> None:
    status = send(bulk)
    plan(emulator, "damaged_result", "GetResultFile")
    damaged, whole = (emulator.session.get(status["ResultFileUrl"]).content for _ in range(2))
    assert damaged == whole[: len(whole) // 2]


def test_upload_url_stays_valid_if_the_file_is_lost(emulator: RunningEmulator, bulk: Any) -> None:
    ticket = bulk.ticket()
    plan(emulator, "http_503", "UploadFile")
    text = bulk.text(bulk.list_row(Audience="A list"))
    assert [bulk.post(ticket["UploadUrl"], text).status_code for _ in range(3)] == [503, 200, 400]
