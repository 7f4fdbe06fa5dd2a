"""Bulk files built from rows, and sent to the emulator over HTTP."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

BOM = "\ufeff"
COLUMNS = (
    "Type",
    "Status",
    "Id",
    "Parent Id",
    "Client Id",
    "Name",
    "Description",
    "Scope",
    "Audience",
    "Action Type",
    "Accept Customer Match Term",
    "Membership Duration",
    "Sub Type",
    "Text",
)
VERSION = {"Type": "Format Version", "Name": "6.0"}


@dataclass
class BulkFiles:
    """The bulk service for tests."""

    emulator: RunningEmulator

    def list_row(self, identity: str = "-10", **changes: str) -> dict[str, str]:
        fields = {"Id": identity, "Client Id": "list", "Action Type": "Add", "Accept Customer Match Term": "True"}
        return {"Type": "Customer List", **fields, **{name.replace("_", " "): value for name, value in changes.items()}}

    def item_row(self, text: str, parent: str = "-10", client: str = "1", **changes: str) -> dict[str, str]:
        fields = {"Parent Id": parent, "Client Id": client, "Sub Type": "Email", "Text": text}
        return {"Type": "Customer List Item", **fields, **changes}

    def text(self, *rows: dict[str, str], separator: str = ",", columns: tuple[str, ...] = COLUMNS) -> bytes:
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, columns, restval="", delimiter=separator, extrasaction="ignore")
        writer.writeheader()
        writer.writerows([VERSION, *rows])
        return (BOM + lines.getvalue()).encode()

    def zipped(self, text: bytes, name: str = "upload.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", method) as bundle:
            bundle.writestr(name, text)
        return archive.getvalue()

    def ticket(self, mode: str = "ErrorsOnly") -> Any:
        body = {"ResponseMode": mode, "AccountId": "111"}
        return self.emulator.call("POST", "/Bulk/v13/BulkUploadUrl/Query", body).json()

    def post(self, url: str, content: bytes, name: str = "upload.csv", **changes: str | None) -> Any:
        headers = self.emulator.headers(**{"Content-Type": None, "AccountId": "111", **changes})
        return self.emulator.session.post(url, headers=headers, files={"file": (name, content)})

    def status(self, request_id: str) -> Any:
        return self.emulator.call("POST", "/Bulk/v13/BulkUploadStatus/Query", {"RequestId": request_id}).json()

    def finished(self, request_id: str) -> Any:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status = self.status(request_id)
            if status["RequestStatus"] not in ("FileUploaded", "InProgress"):
                return status
        raise TimeoutError

    def send(self, content: bytes, name: str = "upload.csv", mode: str = "ErrorsOnly") -> Any:
        ticket = self.ticket(mode)
        answer = self.post(ticket["UploadUrl"], content, name)
        assert answer.status_code == 200, answer.text
        return self.finished(ticket["RequestId"])

    def rows(self, *rows: dict[str, str], mode: str = "ErrorsOnly") -> Any:
        return self.send(self.text(*rows), mode=mode)

    def result(self, status: Any) -> list[dict[str, str]]:
        content = self.emulator.session.get(status["ResultFileUrl"]).content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = archive.read(archive.namelist()[0]).decode()
        assert text.startswith(BOM)
        return [row for row in csv.DictReader(io.StringIO(text[1:])) if row["Type"] != "Format Version"]

    def errors(self, status: Any) -> list[tuple[str, str, str]]:
        return [(row["Type"], row["Error Number"], row["Client Id"]) for row in self.result(status)]

    def audience(self, identity: str) -> Any:
        body = {"AudienceIds": [identity], "Type": "CustomerList"}
        return self.emulator.call("POST", "/CampaignManagement/v13/Audiences/QueryByIds", body).json()["Audiences"][0]

    def new_list(self, *hashes: str, name: str = "A list") -> str:
        status = self.rows(self.list_row(Audience=name), *(self.item_row(each) for each in hashes))
        assert status["RequestStatus"] == "Completed"
        return str(self.emulator.audiences()[name]["Id"])


@pytest.fixture
def bulk(emulator: RunningEmulator) -> BulkFiles:
    return BulkFiles(emulator)
