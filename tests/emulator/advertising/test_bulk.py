from __future__ import annotations

import csv
import io
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
OTHER = "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602"
COLUMNS = "Type,Id,Parent Id,Client Id,Name,Audience,Scope,Action Type,Accept Customer Match Term,Sub Type,Text"
VERSION = "Format Version,,,,6.0,,,,,,"
BOM = "\ufeff"


def list_row(identity: str = "-10", action: str = "Add", accept: str = "True", name: str = "By file") -> str:
    return f"Customer List,{identity},,list,,{name},Account,{action},{accept},,"


def item_row(text: str = HASH, parent: str = "-10", kind: str = "Email", client: str = "1") -> str:
    return f"Customer List Item,,{parent},{client},,,,,,{kind},{text}"


def file_of(*rows: str, heading: tuple[str, ...] = (COLUMNS, VERSION)) -> str:
    return BOM + "\r\n".join([*heading, *rows]) + "\r\n"


def url_of(emulator: RunningEmulator, mode: str = "ErrorsOnly", account: str = "111") -> Any:
    return emulator.call(
        "POST", "/Bulk/v13/BulkUploadUrl/Query", {"ResponseMode": mode, "AccountId": account}, CustomerAccountId=account
    ).json()


def upload(emulator: RunningEmulator, url: str, text: str, name: str = "upload.csv", **changes: str | None) -> Any:
    headers = emulator.headers(**{"Content-Type": None, "AccountId": "111", **changes})
    return emulator.session.post(url, headers=headers, files={"file": (name, text.encode())})


def status_of(emulator: RunningEmulator, request_id: str) -> Any:
    return emulator.call("POST", "/Bulk/v13/BulkUploadStatus/Query", {"RequestId": request_id}).json()


def finished(emulator: RunningEmulator, request_id: str) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = status_of(emulator, request_id)
        if status["RequestStatus"] not in ("PendingFileUpload", "FileUploaded", "InProgress"):
            return status
    raise TimeoutError


def send(emulator: RunningEmulator, text: str, mode: str = "ErrorsOnly", name: str = "upload.csv") -> Any:
    ticket = url_of(emulator, mode)
    assert upload(emulator, ticket["UploadUrl"], text, name).status_code == 200
    return finished(emulator, ticket["RequestId"])


def result(emulator: RunningEmulator, status: Any) -> list[dict[str, str]]:
    content = emulator.session.get(status["ResultFileUrl"]).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    assert text.startswith(BOM)
    return [row for row in csv.DictReader(io.StringIO(text[1:])) if row["Type"] != "Format Version"]


def errors(emulator: RunningEmulator, status: Any) -> list[tuple[str, str, str]]:
    return [(row["Type"], row["Error Number"], row["Client Id"]) for row in result(emulator, status)]


def test_file_creates_and_fills_a_list(emulator: RunningEmulator) -> None:
    status = send(emulator, file_of(list_row(), item_row(), item_row(OTHER)))
    assert (status["RequestStatus"], status["PercentComplete"], status["Errors"]) == ("Completed", 100, None)
    assert emulator.members("By file") == {HASH, OTHER}
    assert result(emulator, status) == []


def test_successes_are_returned_on_request(emulator: RunningEmulator) -> None:
    rows = result(emulator, send(emulator, file_of(list_row(), item_row()), "ErrorsAndResults"))
    assert [(row["Type"], row["Id"]) for row in rows] == [("Customer List", emulator.audiences()["By file"]["Id"])]


@pytest.mark.parametrize(("action", "left"), [("Add", {HASH, OTHER}), ("Remove", {HASH}), ("Replace", {OTHER})])
def test_actions_on_an_existing_list(emulator: RunningEmulator, action: str, left: set[str]) -> None:
    send(emulator, file_of(list_row(), item_row()))
    identity = emulator.audiences()["By file"]["Id"]
    send(emulator, file_of(list_row(identity, action, name=""), item_row(OTHER, identity)))
    assert emulator.members("By file") == left


def test_columns_can_be_in_any_order_and_in_a_zip(emulator: RunningEmulator) -> None:
    columns = "Type,Text,Sub Type,Parent Id,Id,Audience,Action Type,Accept Customer Match Term,Name,Unknown"
    rows = [
        "Format Version,,,,,,,,6.0,",
        "Customer List,,,,-1,By file,Add,True,,x",
        f"Customer List Item,{HASH},Email,-1,,,,,,",
    ]
    text = file_of(*rows, heading=(columns,))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("any/name.csv", text)
    ticket = url_of(emulator)
    headers = emulator.headers(**{"Content-Type": None, "AccountId": "111"})
    emulator.session.post(ticket["UploadUrl"], headers=headers, files={"file": ("x.zip", archive.getvalue())})
    assert finished(emulator, ticket["RequestId"])["RequestStatus"] == "Completed"
    assert emulator.members("By file") == {HASH}


@pytest.mark.parametrize(
    ("bad", "code"),
    [(item_row("a@contoso.com"), "8004"), (item_row(HASH.upper()), "8004"), (item_row(kind="Phone"), "8002")],
)
def test_invalid_items_are_reported_and_valid_items_accepted(emulator: RunningEmulator, bad: str, code: str) -> None:
    status = send(emulator, file_of(list_row(), item_row(OTHER, client="7"), bad.replace(",1,", ",8,", 1)))
    assert status["RequestStatus"] == "CompletedWithErrors"
    assert errors(emulator, status) == [("Customer List Item Error", code, "8")]
    assert emulator.members("By file") == {OTHER}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (list_row(accept=""), "8003"),
        (list_row(accept="False"), "8003"),
        (list_row(name=""), "4838"),
        (list_row("123456"), "8000"),
    ],
)
def test_refused_list_accepts_no_items(emulator: RunningEmulator, row: str, code: str) -> None:
    parent = row.split(",")[1]
    status = send(emulator, file_of(row, item_row(parent=parent)))
    assert status["RequestStatus"] == "CompletedWithErrors"
    assert ("Customer List Error", code, "list") in errors(emulator, status)
    assert sum(each["members"] for each in emulator.audiences().values()) == 0


@pytest.mark.parametrize("action", ["", "Delete", "add"])
def test_existing_list_needs_an_action_for_its_items(emulator: RunningEmulator, action: str) -> None:
    send(emulator, file_of(list_row(), item_row()))
    identity = emulator.audiences()["By file"]["Id"]
    status = send(emulator, file_of(list_row(identity, action, name=""), item_row(OTHER, identity)))
    assert errors(emulator, status) == [("Customer List Error", "8001", "list")]
    assert emulator.members("By file") == {HASH}


def test_action_of_a_new_list_is_ignored(emulator: RunningEmulator) -> None:
    send(emulator, file_of(list_row(action="Remove"), item_row()))
    assert emulator.members("By file") == {HASH}


def test_items_without_their_list_are_refused(emulator: RunningEmulator) -> None:
    status = send(emulator, file_of(list_row(), item_row(), item_row(OTHER, parent="-11", client="5")))
    assert errors(emulator, status) == [("Customer List Item Error", "8000", "5")]


def test_list_record_must_precede_its_items(emulator: RunningEmulator) -> None:
    status = send(emulator, file_of(item_row(client="5"), list_row(), item_row(OTHER)))
    assert errors(emulator, status) == [("Customer List Item Error", "4202", "5")]
    assert emulator.members("By file") == {OTHER}


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (file_of(list_row(), heading=(COLUMNS,)), "Failed", 3219),
        (file_of(list_row(), heading=(COLUMNS, VERSION.replace("6.0", "5.0"))), "Failed", 3217),
        (file_of(list_row())[1:], "UploadFileFormatNotSupported", 3217),
        (file_of(heading=("Id,Type", ",Format Version")), "UploadFileFormatNotSupported", 3217),
    ],
)
def test_file_format_is_checked(emulator: RunningEmulator, text: str, status: str, code: int) -> None:
    answer = send(emulator, text)
    assert (answer["RequestStatus"], answer["Errors"][0]["Code"]) == (status, code)


def test_unknown_record_type_is_reported(emulator: RunningEmulator) -> None:
    status = send(emulator, file_of(list_row(), item_row(), "Campaign,1,,9,,,,,,,"))
    assert errors(emulator, status) == [("Campaign Error", "4203", "9")]


def test_upload_url_works_once(emulator: RunningEmulator) -> None:
    ticket = url_of(emulator)
    assert upload(emulator, ticket["UploadUrl"], file_of(list_row())).status_code == 200
    again = upload(emulator, ticket["UploadUrl"], file_of(list_row()))
    assert (again.status_code, again.json()["Code"]) == (400, 3224)
    assert again.json()["RequestId"] == ticket["RequestId"]
    assert "Type" not in again.json()


def test_upload_url_expires_after_fifteen_minutes(emulator: RunningEmulator) -> None:
    ticket = url_of(emulator)
    emulator.control("POST", "/clock", {"advance_hours": 0.26})
    assert upload(emulator, ticket["UploadUrl"], file_of(list_row())).json()["Code"] == 3226
    assert status_of(emulator, ticket["RequestId"])["RequestStatus"] == "Expired"


def test_unknown_upload_url_is_refused(emulator: RunningEmulator) -> None:
    url = f"{emulator.base_url}/Bulk/v13/UploadFile/unknown"
    assert upload(emulator, url, file_of(list_row())).json()["Code"] == 3220


@pytest.mark.parametrize("name", ["upload.txt", "upload"])
def test_file_extension_is_checked(emulator: RunningEmulator, name: str) -> None:
    assert upload(emulator, url_of(emulator)["UploadUrl"], file_of(list_row()), name).json()["Code"] == 3223


def test_upload_must_contain_exactly_one_file(emulator: RunningEmulator) -> None:
    url = url_of(emulator)["UploadUrl"]
    headers = emulator.headers(**{"Content-Type": None})
    none = emulator.session.post(url, headers=headers, data={"other": "x"})
    assert none.json()["Code"] == 3221
    two = [("file", ("a.csv", b"x")), ("file", ("b.csv", b"x"))]
    assert emulator.session.post(url, headers=headers, files=two).json()["Code"] == 3222


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Authorization": None}, 401, 105),
        ({"DeveloperToken": None}, 401, 105),
        ({"AccountId": "112"}, 400, 106),
        ({"CustomerId": "1"}, 400, 106),
        ({"CustomerAccountId": "112"}, 400, 106),
    ],
)
def test_upload_needs_the_same_user_and_account(
    emulator: RunningEmulator, changes: dict[str, str | None], status: int, code: int
) -> None:
    answer = upload(emulator, url_of(emulator)["UploadUrl"], file_of(list_row()), **changes)
    assert (answer.status_code, answer.json()["Code"]) == (status, code)


def test_authentication_token_header_is_accepted(emulator: RunningEmulator) -> None:
    answer = upload(
        emulator,
        url_of(emulator)["UploadUrl"],
        file_of(list_row()),
        Authorization=None,
        AuthenticationToken=emulator.access_token,
    )
    assert answer.status_code == 200


def test_account_of_header_and_body_must_agree(emulator: RunningEmulator) -> None:
    answer = emulator.call("POST", "/Bulk/v13/BulkUploadUrl/Query", {"ResponseMode": "ErrorsOnly", "AccountId": "112"})
    assert answer.json()["OperationErrors"][0]["Code"] == 1102


def test_another_account_cannot_see_the_upload(emulator: RunningEmulator) -> None:
    ticket = url_of(emulator)
    answer = emulator.call(
        "POST", "/Bulk/v13/BulkUploadStatus/Query", {"RequestId": ticket["RequestId"]}, CustomerAccountId="112"
    )
    assert answer.json()["OperationErrors"][0]["Code"] == 4201


def test_result_url_expires_after_five_minutes_and_can_be_renewed(emulator: RunningEmulator) -> None:
    status = send(emulator, file_of(list_row(), item_row("bad")))
    emulator.control("POST", "/clock", {"advance_hours": 0.1})
    assert emulator.session.get(status["ResultFileUrl"]).status_code == 403
    request_id = status["ResultFileUrl"].split("/")[-2]
    assert emulator.session.get(status_of(emulator, request_id)["ResultFileUrl"]).status_code == 200


def test_urls_use_the_host_of_the_request(emulator: RunningEmulator) -> None:
    host = emulator.base_url.replace("http://127.0.0.1", "localhost")
    assert (
        emulator.call(
            "POST", "/Bulk/v13/BulkUploadUrl/Query", {"ResponseMode": "ErrorsOnly", "AccountId": "111"}, Host=host
        )
        .json()["UploadUrl"]
        .startswith(f"http://{host}/")
    )
