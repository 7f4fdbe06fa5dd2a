"""What a state folder stores: everything that was answered, whenever the process is killed."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from conftest import start_emulator
from emulator.conftest import BulkFiles

if TYPE_CHECKING:
    from conftest import RunningEmulator

AUDIENCES = "/CampaignManagement/v13/Audiences"
APPLY = "/CampaignManagement/v13/CustomerListUserData/Apply"


@dataclass
class PersistentEmulator:
    """An emulator with a state folder, which can be killed and restarted."""

    folder: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] = field(init=False)
    emulator: RunningEmulator = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.process, self.emulator = start_emulator("--state", str(self.folder), *self.options)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        self.kill()
        self.start()

    def create(self, name: str) -> str:
        item = {"Type": "CustomerList", "Name": name, "MembershipDuration": 30}
        answer = self.emulator.call("POST", AUDIENCES, {"Audiences": [item]})
        (identity,) = answer.json()["AudienceIds"]
        return str(identity)

    def apply(self, audience: str, action: str, *members: str) -> None:
        body = {
            "CustomerListUserData": {
                "AudienceId": audience,
                "ActionType": action,
                "CustomerListItemSubType": "Email",
                "CustomerListItems": list(members),
                "AcceptCustomerMatchTerm": True,
            }
        }
        answer = self.emulator.call("POST", APPLY, body)
        assert answer.json()["PartialErrors"] == []

    def members(self, name: str) -> set[str]:
        return self.emulator.members(name)

    def holds(self, member: str) -> bool:
        """Return whether any file of the folder contains a member, as bytes or as text."""
        return any(
            bytes.fromhex(member) in content or member.encode() in content
            for content in (path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        )


@pytest.fixture
def persistent(tmp_path: Path) -> Iterator[PersistentEmulator]:
    started = PersistentEmulator(tmp_path / "state")
    yield started
    started.kill()


def hashed(number: int) -> str:
    return hashlib.sha256(f"{number}@contoso.com".encode()).hexdigest()


def eventually(holds: Any, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_nothing_that_was_answered_is_lost_if_the_process_is_killed(persistent: PersistentEmulator) -> None:
    everybody = persistent.create("Everybody")
    gone = persistent.create("Gone")
    persistent.apply(everybody, "Add", *map(hashed, range(500)))
    persistent.apply(everybody, "Remove", hashed(1), hashed(2), hashed(9_999))
    persistent.apply(gone, "Add", hashed(3))
    persistent.emulator.call("DELETE", AUDIENCES, {"AudienceIds": [gone]})
    persistent.emulator.control("POST", "/settings", {"match_rate": 0.5, "page_size": 7})
    moment = persistent.emulator.control("POST", "/clock", {"advance_hours": 24})["now"]
    persistent.emulator.control("POST", "/people", ["1@contoso.com", "4@contoso.com", "5@contoso.com"])
    before = persistent.emulator.control("GET", "/audiences")
    first = persistent.emulator
    for _ in range(2):
        persistent.again()
        assert persistent.members("Everybody") == {*map(hashed, range(500))} - {hashed(1), hashed(2)}
        assert persistent.emulator.control("GET", "/audiences") == before
        assert persistent.emulator.control("GET", "/settings")["page_size"] == 7
        assert persistent.emulator.control("POST", "/clock", {"advance_hours": 0})["now"] >= moment
        persistent.emulator.access_token = first.access_token
        body = {"AudienceIds": [everybody], "Type": "CustomerList"}
        (found,) = persistent.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
        assert found["SearchSize"] is None
    persistent.emulator.control("POST", "/clock", {"advance_hours": 24})
    (found,) = persistent.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
    assert found["SearchSize"] == "2"  # one of the three people was removed
    assert persistent.create("New") not in {everybody, gone}


def test_port_and_credentials_survive_a_restart(persistent: PersistentEmulator) -> None:
    first = persistent.emulator
    persistent.again()
    for name in ("base_url", "control_token", "subscription_key", "instance_id"):
        assert getattr(persistent.emulator, name) == getattr(first, name)
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": first.refresh_token}
    assert requests.post(f"{first.base_url}/common/oauth2/v2.0/token", data=form, timeout=30).ok


def test_expired_tokens_stay_expired_after_a_restart(persistent: PersistentEmulator) -> None:
    persistent.emulator.fault("GetUser", "token_expired")
    expired, living = persistent.emulator.access_token, persistent.emulator.insights_token
    persistent.emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})
    for step in (persistent.again, lambda: persistent.emulator.control("POST", "/reset"), persistent.again):
        step()
        persistent.emulator.access_token, persistent.emulator.insights_token = expired, living
        answer = persistent.emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})
        assert answer.status_code == 401
        assert persistent.emulator.insights("/manage/segments").ok


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.02, 0.1, 0.5])
def test_accepted_file_is_processed_once_after_a_restart(persistent: PersistentEmulator, wait: float) -> None:
    bulk = BulkFiles(persistent.emulator)
    rows = [bulk.item_row(hashed(number)) for number in range(20_000)]
    text = bulk.text(bulk.list_row(Audience="By file", Membership_Duration="30"), *rows)
    ticket = bulk.ticket()
    assert bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip").ok
    time.sleep(wait)
    persistent.again()
    status = BulkFiles(persistent.emulator).finished(ticket["RequestId"])
    assert (status["RequestStatus"], status["Errors"]) == ("Completed", None)
    assert persistent.members("By file") == {*map(hashed, range(20_000))}
    assert eventually(lambda: not any((persistent.folder / "uploads").iterdir()))


def test_result_of_a_file_is_available_after_a_restart(persistent: PersistentEmulator) -> None:
    bulk = BulkFiles(persistent.emulator)
    text = bulk.text(bulk.list_row(Audience="By file"), bulk.item_row(hashed(1)), bulk.item_row("not a hash"))
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip")
    assert bulk.finished(ticket["RequestId"])["RequestStatus"] == "CompletedWithErrors"
    before = bulk.status(ticket["RequestId"])["ResultFileUrl"]
    content = requests.get(before, timeout=30).content
    persistent.again()
    assert requests.get(before, timeout=30).content == content
    assert bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip").json()["Code"] == 3224


def test_fault_of_an_accepted_file_happens_after_a_restart(persistent: PersistentEmulator) -> None:
    persistent.emulator.fault("UploadFile", "status_Failed", code=4203)
    bulk = BulkFiles(persistent.emulator)
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(bulk.text(bulk.list_row(Audience="Never"))), "upload.zip")
    persistent.again()
    assert BulkFiles(persistent.emulator).finished(ticket["RequestId"])["RequestStatus"] == "Failed"
    assert persistent.emulator.audiences() == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_state_after_a_kill_at_any_time_is_consistent(persistent: PersistentEmulator, seed: int) -> None:
    chance = random.Random(seed)
    audience = persistent.create("List")
    expected: set[str] = set()
    for turn in range(3):
        done: list[set[str]] = [set(expected)]
        under_way: list[set[str]] = []

        def work(turn: int = turn, done: list[set[str]] = done, under_way: list[set[str]] = under_way) -> None:
            for number in range(10_000):
                start = (seed * 7 + turn * 1_000 + number * 40) % 3_000
                some = {*map(hashed, range(start, start + 100))}
                action = ("Add", "Add", "Remove", "Replace")[(number + seed) % 4]
                after = {"Add": done[-1] | some, "Remove": done[-1] - some, "Replace": some}[action]
                under_way[:] = [after]
                try:
                    persistent.apply(audience, action, *some)
                except requests.RequestException:
                    return
                done.append(after)

        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(chance.uniform(0.05, 0.8))
        persistent.kill()
        worker.join()
        persistent.start()
        found = persistent.members("List")
        assert found in (done[-1], under_way[0])
        expected = found


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_removed_members_are_erased_from_disk(persistent: PersistentEmulator, killed: bool) -> None:
    by_call, by_file, deleted = persistent.create("By call"), persistent.create("By file"), persistent.create("Deleted")
    for audience in (by_call, by_file, deleted):
        persistent.apply(audience, "Add", *map(hashed, range(300)))
    assert persistent.holds(hashed(7))
    persistent.apply(by_call, "Remove", hashed(7))
    bulk = BulkFiles(persistent.emulator)
    row = bulk.list_row(by_file, Action_Type="Remove")
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(bulk.text(row, bulk.item_row(hashed(7), by_file))), "upload.zip")
    assert bulk.finished(ticket["RequestId"])["RequestStatus"] == "Completed"
    persistent.emulator.call("DELETE", AUDIENCES, {"AudienceIds": [deleted]})
    if killed:
        persistent.again()
    assert eventually(lambda: not persistent.holds(hashed(7)))
    persistent.again()
    assert persistent.members("By call") == persistent.members("By file") == {*map(hashed, range(300))} - {hashed(7)}


def test_reset_leaves_no_hash_on_disk(persistent: PersistentEmulator) -> None:
    persistent.apply(persistent.create("List"), "Add", hashed(1))
    persistent.emulator.control("POST", "/people", ["1@contoso.com"])
    assert persistent.holds(hashed(1))
    persistent.emulator.control("POST", "/reset")
    assert not persistent.holds(hashed(1))
    persistent.again()
    assert persistent.emulator.audiences() == {}


def test_only_the_owner_can_read_the_folder(persistent: PersistentEmulator) -> None:
    persistent.apply(persistent.create("List"), "Add", hashed(1))
    found = [persistent.folder, *persistent.folder.rglob("*")]
    assert len(found) > 4
    assert {oct(path.stat().st_mode & 0o777) for path in found} == {"0o700", "0o600"}
    assert all(path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600) for path in found)


def test_folder_has_one_emulator_at_a_time(persistent: PersistentEmulator) -> None:
    command = [sys.executable, "-m", "ci_magics.emulation", "--state", str(persistent.folder)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (3, "")
    assert second.stderr == "Another emulator uses this state folder.\n"
    assert persistent.emulator.audiences() == {}


@pytest.mark.parametrize("damage", ["database", "newer", "members", "shortened", "row"])
def test_unreadable_folder_is_reported_and_left_alone(persistent: PersistentEmulator, damage: str) -> None:
    persistent.apply(persistent.create("List"), "Add", *map(hashed, range(100)))
    persistent.kill()
    database, (members,) = persistent.folder / "state.sqlite", (persistent.folder / "members").iterdir()
    if damage == "database":
        database.write_bytes(b"x" * 5_000)
        (persistent.folder / "state.sqlite-wal").unlink(missing_ok=True)
    elif damage == "members":
        members.unlink()
    elif damage == "shortened":
        os.truncate(members, 320)
    else:
        change = "PRAGMA user_version=99" if damage == "newer" else "UPDATE rows SET body='{}' WHERE kind='audience'"
        script = f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({change!r}); c.commit()"
        subprocess.run([sys.executable, "-c", script, str(database)], check=True)
    command = [sys.executable, "-m", "ci_magics.emulation", "--state", str(persistent.folder)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr == "The state folder cannot be read. Delete it to begin again.\n"
    assert database.exists()


def test_unreferenced_files_are_deleted_at_the_start(persistent: PersistentEmulator) -> None:
    persistent.apply(persistent.create("List"), "Add", hashed(1))
    persistent.kill()
    (persistent.folder / "members" / "77.bin").write_bytes(bytes(32))
    (persistent.folder / "uploads" / "half-written").write_bytes(b"x")
    persistent.start()
    assert len(list((persistent.folder / "members").iterdir())) == 1
    assert list((persistent.folder / "uploads").iterdir()) == []
    assert persistent.members("List") == {hashed(1)}


def test_changes_in_customer_insights_are_stored(persistent: PersistentEmulator) -> None:
    names = [each["name"] for each in persistent.emulator.insights("/manage/segments").json()]
    body: dict[str, Any] = {"name": "Mine", "friendlyName": "Mine"}
    body["segmentQueryExpression"] = {"type": "structured", "rowsets": [{"rowsetOperation": "none", "criteria": None}]}
    assert persistent.emulator.insights("/manage/segments", "POST", json=body).status_code == 201
    job = persistent.emulator.insights(
        "/workflows/main/jobs?operationType=segmentation&identifiers=Over21", "POST"
    ).json()
    assert persistent.emulator.insights("/manage/segments/Lapsed", "DELETE").ok
    persistent.again()
    after = [each["name"] for each in persistent.emulator.insights("/manage/segments").json()]
    assert after == [*(each for each in names if each != "Lapsed"), "Mine"]
    assert persistent.emulator.insights(f"/workflows/main/jobs/{job['jobId']}").json()["jobId"] == job["jobId"]


@pytest.mark.parametrize(("hours", "counted"), [(0, True), (48, False)])
def test_delay_of_results_can_be_configured(tmp_path: Path, hours: int, counted: bool) -> None:
    persistent = PersistentEmulator(tmp_path, ("--results-after", str(hours)))
    try:
        audience = persistent.create("List")
        persistent.apply(audience, "Add", *map(hashed, range(1_000)))
        body = {"AudienceIds": [audience], "Type": "CustomerList"}
        (found,) = persistent.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
        assert (found["SearchSize"] is not None) is counted
        persistent.emulator.control("POST", "/reset")
        assert persistent.emulator.control("GET", "/settings")["results_after_hours"] == hours
    finally:
        persistent.kill()
