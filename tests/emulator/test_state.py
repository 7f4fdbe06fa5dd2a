"""What a state folder keeps: all that was answered, whenever the process is killed."""

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
class Kept:
    """An emulator with a state folder, which can be killed and started again."""

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
        """Whether any file of the folder has a member, as bytes or as text."""
        return any(
            bytes.fromhex(member) in content or member.encode() in content
            for content in (path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    started = Kept(tmp_path / "state")
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


def test_nothing_that_was_answered_is_lost_when_the_process_is_killed(kept: Kept) -> None:
    everybody = kept.create("Everybody")
    gone = kept.create("Gone")
    kept.apply(everybody, "Add", *map(hashed, range(500)))
    kept.apply(everybody, "Remove", hashed(1), hashed(2), hashed(9_999))
    kept.apply(gone, "Add", hashed(3))
    kept.emulator.call("DELETE", AUDIENCES, {"AudienceIds": [gone]})
    kept.emulator.control("POST", "/settings", {"match_rate": 0.5, "page_size": 7})
    moment = kept.emulator.control("POST", "/clock", {"advance_hours": 24})["now"]
    kept.emulator.control("POST", "/people", ["1@contoso.com", "4@contoso.com", "5@contoso.com"])
    before = kept.emulator.control("GET", "/audiences")
    first = kept.emulator
    for _ in range(2):
        kept.again()
        assert kept.members("Everybody") == {*map(hashed, range(500))} - {hashed(1), hashed(2)}
        assert kept.emulator.control("GET", "/audiences") == before
        assert kept.emulator.control("GET", "/settings")["page_size"] == 7
        assert kept.emulator.control("POST", "/clock", {"advance_hours": 0})["now"] >= moment
        kept.emulator.access_token = first.access_token
        body = {"AudienceIds": [everybody], "Type": "CustomerList"}
        (found,) = kept.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
        assert found["SearchSize"] is None
    kept.emulator.control("POST", "/clock", {"advance_hours": 24})
    (found,) = kept.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
    assert found["SearchSize"] == "2"  # of the three people one was removed
    assert kept.create("New") not in {everybody, gone}


def test_the_port_and_what_opens_the_services_outlive_the_process(kept: Kept) -> None:
    first = kept.emulator
    kept.again()
    for name in ("base_url", "control_token", "subscription_key", "instance_id"):
        assert getattr(kept.emulator, name) == getattr(first, name)
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": first.refresh_token}
    assert requests.post(f"{first.base_url}/common/oauth2/v2.0/token", data=form, timeout=30).ok


def test_expired_tokens_stay_expired_in_the_next_process(kept: Kept) -> None:
    kept.emulator.fault("GetUser", "token_expired")
    expired, living = kept.emulator.access_token, kept.emulator.insights_token
    kept.emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})
    for step in (kept.again, lambda: kept.emulator.control("POST", "/reset"), kept.again):
        step()
        kept.emulator.access_token, kept.emulator.insights_token = expired, living
        answer = kept.emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})
        assert answer.status_code == 401
        assert kept.emulator.insights("/manage/segments").ok


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.02, 0.1, 0.5])
def test_a_file_that_was_taken_is_carried_out_by_the_next_process_once(kept: Kept, wait: float) -> None:
    bulk = BulkFiles(kept.emulator)
    rows = [bulk.item_row(hashed(number)) for number in range(20_000)]
    text = bulk.text(bulk.list_row(Audience="By file", Membership_Duration="30"), *rows)
    ticket = bulk.ticket()
    assert bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip").ok
    time.sleep(wait)
    kept.again()
    status = BulkFiles(kept.emulator).finished(ticket["RequestId"])
    assert (status["RequestStatus"], status["Errors"]) == ("Completed", None)
    assert kept.members("By file") == {*map(hashed, range(20_000))}
    assert eventually(lambda: not any((kept.folder / "uploads").iterdir()))


def test_the_result_of_a_file_can_be_read_from_the_next_process(kept: Kept) -> None:
    bulk = BulkFiles(kept.emulator)
    text = bulk.text(bulk.list_row(Audience="By file"), bulk.item_row(hashed(1)), bulk.item_row("not a hash"))
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip")
    assert bulk.finished(ticket["RequestId"])["RequestStatus"] == "CompletedWithErrors"
    before = bulk.status(ticket["RequestId"])["ResultFileUrl"]
    content = requests.get(before, timeout=30).content
    kept.again()
    assert requests.get(before, timeout=30).content == content
    assert bulk.post(ticket["UploadUrl"], bulk.zipped(text), "upload.zip").json()["Code"] == 3224


def test_a_fault_of_a_file_that_was_taken_happens_in_the_next_process_too(kept: Kept) -> None:
    kept.emulator.fault("UploadFile", "status_Failed", code=4203)
    bulk = BulkFiles(kept.emulator)
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(bulk.text(bulk.list_row(Audience="Never"))), "upload.zip")
    kept.again()
    assert BulkFiles(kept.emulator).finished(ticket["RequestId"])["RequestStatus"] == "Failed"
    assert kept.emulator.audiences() == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_it_holds_what_was_answered_and_nothing_half(kept: Kept, seed: int) -> None:
    chance = random.Random(seed)
    audience = kept.create("List")
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
                    kept.apply(audience, action, *some)
                except requests.RequestException:
                    return
                done.append(after)

        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(chance.uniform(0.05, 0.8))
        kept.kill()
        worker.join()
        kept.start()
        found = kept.members("List")
        assert found in (done[-1], under_way[0])
        expected = found


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_members_who_were_removed_leave_the_disk(kept: Kept, killed: bool) -> None:
    by_call, by_file, deleted = kept.create("By call"), kept.create("By file"), kept.create("Deleted")
    for audience in (by_call, by_file, deleted):
        kept.apply(audience, "Add", *map(hashed, range(300)))
    assert kept.holds(hashed(7))
    kept.apply(by_call, "Remove", hashed(7))
    bulk = BulkFiles(kept.emulator)
    row = bulk.list_row(by_file, Action_Type="Remove")
    ticket = bulk.ticket()
    bulk.post(ticket["UploadUrl"], bulk.zipped(bulk.text(row, bulk.item_row(hashed(7), by_file))), "upload.zip")
    assert bulk.finished(ticket["RequestId"])["RequestStatus"] == "Completed"
    kept.emulator.call("DELETE", AUDIENCES, {"AudienceIds": [deleted]})
    if killed:
        kept.again()
    assert eventually(lambda: not kept.holds(hashed(7)))
    kept.again()
    assert kept.members("By call") == kept.members("By file") == {*map(hashed, range(300))} - {hashed(7)}


def test_a_reset_leaves_no_hash_behind(kept: Kept) -> None:
    kept.apply(kept.create("List"), "Add", hashed(1))
    kept.emulator.control("POST", "/people", ["1@contoso.com"])
    assert kept.holds(hashed(1))
    kept.emulator.control("POST", "/reset")
    assert not kept.holds(hashed(1))
    kept.again()
    assert kept.emulator.audiences() == {}


def test_only_the_owner_can_look_into_the_folder(kept: Kept) -> None:
    kept.apply(kept.create("List"), "Add", hashed(1))
    found = [kept.folder, *kept.folder.rglob("*")]
    assert len(found) > 4
    assert {oct(path.stat().st_mode & 0o777) for path in found} == {"0o700", "0o600"}
    assert all(path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600) for path in found)


def test_a_folder_has_one_emulator_at_a_time(kept: Kept) -> None:
    command = [sys.executable, "-m", "ci_magics.emulation", "--state", str(kept.folder)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (3, "")
    assert second.stderr == "Another emulator uses this state folder.\n"
    assert kept.emulator.audiences() == {}


@pytest.mark.parametrize("damage", ["database", "newer", "members", "shortened", "row"])
def test_a_folder_that_cannot_be_read_is_named_and_left_alone(kept: Kept, damage: str) -> None:
    kept.apply(kept.create("List"), "Add", *map(hashed, range(100)))
    kept.kill()
    database, (members,) = kept.folder / "state.sqlite", (kept.folder / "members").iterdir()
    if damage == "database":
        database.write_bytes(b"x" * 5_000)
        (kept.folder / "state.sqlite-wal").unlink(missing_ok=True)
    elif damage == "members":
        members.unlink()
    elif damage == "shortened":
        os.truncate(members, 320)
    else:
        change = "PRAGMA user_version=99" if damage == "newer" else "UPDATE rows SET body='{}' WHERE kind='audience'"
        script = f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({change!r}); c.commit()"
        subprocess.run([sys.executable, "-c", script, str(database)], check=True)
    command = [sys.executable, "-m", "ci_magics.emulation", "--state", str(kept.folder)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr == "The state folder cannot be read. Delete it to begin again.\n"
    assert database.exists()


def test_files_that_no_row_names_are_deleted_at_the_start(kept: Kept) -> None:
    kept.apply(kept.create("List"), "Add", hashed(1))
    kept.kill()
    (kept.folder / "members" / "77.bin").write_bytes(bytes(32))
    (kept.folder / "uploads" / "half-written").write_bytes(b"x")
    kept.start()
    assert len(list((kept.folder / "members").iterdir())) == 1
    assert list((kept.folder / "uploads").iterdir()) == []
    assert kept.members("List") == {hashed(1)}


def test_what_is_made_at_customer_insights_is_kept(kept: Kept) -> None:
    names = [each["name"] for each in kept.emulator.insights("/manage/segments").json()]
    body: dict[str, Any] = {"name": "Mine", "friendlyName": "Mine"}
    body["segmentQueryExpression"] = {"type": "structured", "rowsets": [{"rowsetOperation": "none", "criteria": None}]}
    assert kept.emulator.insights("/manage/segments", "POST", json=body).status_code == 201
    job = kept.emulator.insights("/workflows/main/jobs?operationType=segmentation&identifiers=Over21", "POST").json()
    assert kept.emulator.insights("/manage/segments/Lapsed", "DELETE").ok
    kept.again()
    after = [each["name"] for each in kept.emulator.insights("/manage/segments").json()]
    assert after == [*(each for each in names if each != "Lapsed"), "Mine"]
    assert kept.emulator.insights(f"/workflows/main/jobs/{job['jobId']}").json()["jobId"] == job["jobId"]


@pytest.mark.parametrize(("hours", "counted"), [(0, True), (48, False)])
def test_how_soon_results_arrive_can_be_chosen(tmp_path: Path, hours: int, counted: bool) -> None:
    kept = Kept(tmp_path, ("--results-after", str(hours)))
    try:
        audience = kept.create("List")
        kept.apply(audience, "Add", *map(hashed, range(1_000)))
        body = {"AudienceIds": [audience], "Type": "CustomerList"}
        (found,) = kept.emulator.call("POST", f"{AUDIENCES}/QueryByIds", body).json()["Audiences"]
        assert (found["SearchSize"] is not None) is counted
        kept.emulator.control("POST", "/reset")
        assert kept.emulator.control("GET", "/settings")["results_after_hours"] == hours
    finally:
        kept.kill()
