"""Bulk uploads from the first request to the last error, and everything that can fail between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ci_magics.errors import ConnectionSetupError, OutcomeUnknownError, ServiceError, SignInError
from ci_magics.microsoft.bulk import UploadStatus, failed_upload
from ci_magics.microsoft.http import Answer
from ci_magics.microsoft.result_file import RowError
from ci_magics.microsoft.upload_file import write_upload_file

HASHES = np.random.default_rng(3).integers(0, 256, (6, 32), dtype=np.uint8)
TEXTS = [row.tobytes().hex() for row in HASHES]


@pytest.fixture
def upload(client: Any, tmp_path: Path) -> Any:
    """Return a function that uploads a file for a new list."""
    identity = client.new_list()

    def send(action: Any = "Add", hashes: Any = HASHES) -> Any:
        path = tmp_path / "upload.zip"
        write_upload_file(path, hashes, audience_id=identity, action=action, accept_terms=True)
        ticket = client.bulk.request_upload()
        client.bulk.upload(ticket, path)
        return ticket.request_id

    return send


def outcome(client: Any, request_id: str) -> tuple[str, list[RowError]]:
    status = client.bulk.wait(request_id)
    return status.status, list(client.bulk.errors(request_id, status))


def test_uploaded_file_fills_the_list(client: Any, upload: Any) -> None:
    assert outcome(client, upload()) == ("Completed", [])
    assert client.emulator.members("A list") == set(TEXTS)


def test_replace_with_nothing_empties_the_list(client: Any, upload: Any) -> None:
    outcome(client, upload())
    assert outcome(client, upload("Replace", HASHES[:0])) == ("Completed", [])
    assert client.emulator.members("A list") == set()


def test_foreign_upload_address_gets_no_request(client: Any) -> None:
    client.fault("GetBulkUploadUrl", "foreign_upload_url")
    with pytest.raises(ConnectionSetupError) as caught:
        client.bulk.request_upload()
    assert caught.value.code == "foreign_upload_url"


@pytest.mark.parametrize(
    ("fault", "waits"), [("109", [0]), ("105", [0]), ("http_401", [0]), ("117", [60.0]), ("3227", [225.0])]
)
def test_throttled_or_unauthorized_upload_is_repeated(client: Any, upload: Any, fault: str, waits: list[float]) -> None:
    client.fault("UploadFile", fault)
    request_id = upload()
    assert client.clock.waits == waits
    assert outcome(client, request_id)[0] == "Completed"
    assert client.count("UploadFile") == 2


@pytest.mark.parametrize("fault", ["109", "http_401"])
def test_upload_renews_the_token_once(client: Any, upload: Any, fault: str) -> None:
    client.fault("UploadFile", fault, fault)
    with pytest.raises(SignInError):
        upload()
    assert client.tokens.renewals == 1


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ("lost_reply", True),
        ("empty_body", True),
        ("lost_request", False),
        ("reset_mid_upload", False),
        ("http_502_html", False),
        ("http_503", False),
        ("0", False),
        ("3224", False),
    ],
)
def test_status_tells_whether_a_file_arrived(client: Any, upload: Any, fault: str, arrived: bool) -> None:
    client.fault("UploadFile", fault)
    request_id = upload()
    assert client.count("UploadFile") == 1
    assert client.bulk.wait(request_id).status == ("Completed" if arrived else "PendingFileUpload")


@pytest.mark.parametrize(("fault", "code"), [("3226", 3226), ("3223", 3223), ("106", 106), ("redirect", "HTTP 307")])
def test_refused_file_is_an_error(client: Any, upload: Any, fault: str, code: Any) -> None:
    client.fault("UploadFile", fault)
    with pytest.raises(ServiceError) as caught:
        upload()
    assert caught.value.code == code
    assert "/elsewhere" not in [each["path"] for each in client.emulator.control("GET", "/requests")]


def test_polling_interval_grows_to_five_seconds_and_then_to_a_minute(client: Any, upload: Any) -> None:
    request_id = upload()
    client.fault("GetBulkUploadStatus", *["status_InProgress"] * 12, *["status_FileUploaded"] * 20)
    seen: list[str] = []
    assert client.bulk.wait(request_id, lambda status: seen.append(status.status)).status == "Completed"
    waits = client.clock.waits
    assert waits[:4] == pytest.approx([0.2, 0.3, 0.45, 0.675])
    early = [wait for wait, before in zip(waits, np.cumsum([0, *waits]), strict=False) if before < 60]
    assert max(early) == 5.0
    assert waits[-1] == 60.0
    assert seen[:32] == ["InProgress"] * 12 + ["FileUploaded"] * 20
    assert seen[-1] == "Completed"  # the emulator works in real time, so a few more polls may be needed


@pytest.mark.parametrize(
    "name", ["Failed", "Expired", "Aborted", "UploadFileRowCountExceeded", "UploadFileFormatNotSupported"]
)
def test_every_final_status_ends_the_wait(client: Any, upload: Any, name: str) -> None:
    client.fault("UploadFile", (f"status_{name}", {"code": 1011}))
    status = client.bulk.wait(upload())
    assert (status.status, status.finished, status.readable) == (name, True, False)
    assert [fault.code for fault in status.faults] == [1011]


@pytest.mark.parametrize("reordered", [False, True])
def test_refused_items_are_reported_by_position(client: Any, upload: Any, reordered: bool) -> None:
    client.fault("UploadFile", ("partial", {"indexes": [1, 4], "code": 8004, "reordered": reordered}))
    status, errors = outcome(client, upload())
    assert status == "CompletedWithErrors"
    assert errors == [RowError("item", position, 8004, "EmailMustBeHashed") for position in (1, 4)]
    assert client.emulator.members("A list") == {TEXTS[each] for each in (0, 2, 3, 5)}


def test_error_of_the_list_is_not_success(client: Any, upload: Any) -> None:
    client.fault("UploadFile", ("list_error", {"code": 8000}))
    assert outcome(client, upload()) == ("CompletedWithErrors", [RowError("list", None, 8000, "InvalidCustomerListId")])


def test_expired_result_url_is_requested_again(client: Any, upload: Any) -> None:
    client.fault("UploadFile", ("partial", {"indexes": [2]}))
    request_id = upload()
    status = client.bulk.wait(request_id)
    client.emulator.control("POST", "/clock", {"advance_hours": 0.1})
    assert [error.position for error in client.bulk.errors(request_id, status)] == [2]
    assert client.count("GetResultFile") == 2


@pytest.mark.parametrize("fault", ["result_expired", "http_502_html", "0", "lost_reply", "http_403"])
def test_missing_result_leaves_the_outcome_unknown(client: Any, upload: Any, fault: str) -> None:
    request_id = upload()
    status = client.bulk.wait(request_id)
    client.fault("GetResultFile", fault, fault)
    with pytest.raises(OutcomeUnknownError) as caught:
        list(client.bulk.errors(request_id, status))
    assert caught.value.code == "result_missing"


def test_damaged_result_leaves_the_outcome_unknown(client: Any, upload: Any) -> None:
    client.fault("UploadFile", ("partial", {"indexes": [2]}))
    request_id = upload()
    status = client.bulk.wait(request_id)
    client.fault("GetResultFile", "damaged_result")
    with pytest.raises(OutcomeUnknownError) as caught:
        list(client.bulk.errors(request_id, status))
    assert caught.value.code == "result_unreadable"


def test_unlisted_errors_leave_the_outcome_unknown(client: Any, upload: Any) -> None:
    request_id = upload()
    done = client.bulk.wait(request_id)
    status = UploadStatus("CompletedWithErrors", 100, done.result_url, (), None)
    with pytest.raises(OutcomeUnknownError) as caught:
        list(client.bulk.errors(request_id, status))
    assert caught.value.code == "errors_unnamed"


def test_result_is_downloaded_without_credentials(client: Any, upload: Any) -> None:
    request_id = upload()
    status = client.bulk.wait(request_id)
    client.emulator.control("POST", "/settings", {"record_bodies": True})
    list(client.bulk.errors(request_id, status))
    headers = client.emulator.control("GET", "/requests")[-1]["headers"]
    assert not {name.lower() for name in headers} & {"authorization", "developertoken", "authenticationtoken"}


def test_foreign_result_url_is_not_downloaded_while_emulating(client: Any) -> None:
    status = UploadStatus("Completed", 100, "http://192.0.2.1/result.zip", (), None)
    client.fault("GetBulkUploadStatus", "4201")
    with pytest.raises(ServiceError) as caught:
        list(client.bulk.errors("1", status))
    assert caught.value.code == 4201


def test_unknown_status_is_not_success(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"RequestStatus": "ada@contoso.com", "PercentComplete": "x", "ResultFileUrl": 5, "Errors": {}}
    monkeypatch.setattr(client.conversation, "call", lambda *_args, **_options: Answer(odd))
    status = client.bulk.status("1")
    assert (status.status, status.percent, status.finished, status.readable) == ("", 0, True, False)


def test_oversized_result_leaves_the_outcome_unknown(client: Any, upload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = upload()
    status = client.bulk.wait(request_id)
    monkeypatch.setattr("ci_magics.microsoft.bulk.MAX_RESULT_BYTES", 10)
    with pytest.raises(OutcomeUnknownError):
        list(client.bulk.errors(request_id, status))


def test_upload_refused_as_a_whole_says_why(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"RequestStatus": "Failed", "Errors": [{"Code": 3227, "ErrorCode": "BulkUploadThrottled", "Message": "x"}]}
    monkeypatch.setattr(client.conversation, "call", lambda *_args, **_options: Answer(body, "t-1"))
    error = failed_upload(client.bulk.status("1"))
    assert isinstance(error, ServiceError)
    assert (error.code, error.tracking_id) == (3227, "t-1")
