"""One emulator for a workspace: processes share it, it stops after the last one exits, and restarts when needed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from contoso import connect, export, hashes, planned, segment

import ci_magics as ci
from ci_magics.activation.connections import emulator_process
from ci_magics.activation.connections.emulator_process import find_emulator, workspace_emulator
from ci_magics.cli import main
from ci_magics.errors import AccessError, CiError
from ci_magics.workspace.models import PushRecord
from ci_magics.workspace.store import Workspace, open_workspace

#: Another process of the workspace: prints which emulator it uses, then follows instructions line by line.
CLIENT = """
import sys
from ci_magics.activation.connections.emulator_process import workspace_emulator
from ci_magics.workspace.store import open_workspace
folder = open_workspace().emulator_folder
for line in sys.stdin:
    print(workspace_emulator(folder).process_id, flush=True)
"""


@pytest.fixture(autouse=True)
def _own_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test use the emulator of its own workspace, and return its lease."""
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    yield
    for folder in [*emulator_process.held]:
        running = emulator_process.held.pop(folder)
        with contextlib.suppress(requests.ConnectionError):  # the test may have stopped it
            running.control("stop", {})
        running.release()


class Client:
    """Another process of the workspace."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", CLIENT], stdin=-1, stdout=-1, text=True)

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def told(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def used(self) -> int:
        self.ask()
        return self.told()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def clients() -> Iterator[Callable[[int], list[Client]]]:
    started: list[Client] = []

    def begin(count: int) -> list[Client]:
        started.extend(Client() for _ in range(count))
        return started[-count:]

    yield begin
    for each in started:
        each.kill()


def runs(process_id: int) -> bool:
    return psutil.pid_exists(process_id) and psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def running(workspace: Workspace) -> emulator_process.RunningEmulator:
    return workspace_emulator(workspace.emulator_folder)


def audiences_held() -> dict[str, int]:
    return {each["Name"]: each["members"] for each in ci.emulator.control("audiences") if not each["deleted"]}


def members(name: str) -> set[str]:
    (found,) = [each for each in ci.emulator.control("audiences") if each["Name"] == name and not each["deleted"]]
    return set(ci.emulator.control(f"audiences/{found['Id']}/members").split())


@pytest.mark.usefixtures("workspace")
def test_processes_started_together_share_one_emulator(clients: Callable[[int], list[Client]]) -> None:
    several = clients(4)
    for each in several:
        each.ask()
    (process_id,) = {each.told() for each in several}
    several[0].kill()
    assert several[1].used() == process_id


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_emulator_stops_when_its_last_client_exits(clients: Callable[[int], list[Client]]) -> None:
    first, second = clients(2)
    process_id = first.used()
    assert second.used() == process_id
    first.kill()
    time.sleep(4)  # longer than the emulator waits for the next client
    assert second.used() == process_id
    second.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    assert runs(process_id)  # a suspended client still counts
    second.process.send_signal(signal.SIGCONT)
    assert second.used() == process_id
    second.kill()
    assert eventually(lambda: not runs(process_id))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_forked_process_takes_its_own_lease(workspace: Workspace) -> None:
    process_id = running(workspace).process_id
    child = os.fork()
    if child == 0:
        same = not emulator_process.held and running(workspace).process_id == process_id
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert emulator_process.held[workspace.emulator_folder].alive


@pytest.mark.parametrize("port", ["the same", "another"])
def test_killed_emulator_is_restarted_by_the_next_request(workspace: Workspace, port: str) -> None:
    connect()
    segment(500)
    export("All")
    audiences = ci.audiences("Contoso EU")
    before = running(workspace)
    os.kill(before.process_id, signal.SIGKILL)
    assert eventually(lambda: not runs(before.process_id))
    stranger = OtherProgram(before.base_url) if port == "another" else None
    audiences.rename("All", "Everybody", confirm="All")
    after = running(workspace)
    assert after.process_id != before.process_id
    assert (after.base_url == before.base_url) is (port == "the same")
    assert audiences_held() == {"Everybody": 500}
    segment(12_000)
    assert export("All").status == "Completed"  # in a file, to an upload URL of the new process
    assert members("Everybody") == hashes(12_000)
    if stranger:
        stranger.close()
        assert before.control_token not in stranger.heard
        assert "Bearer" not in stranger.heard


class OtherProgram:
    """Another program that listens on the port of the emulator, and answers everything with 200."""

    def __init__(self, base_url: str) -> None:
        self.heard = ""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._address = ("127.0.0.1", int(base_url.rpartition(":")[2]))
        assert eventually(self._bound)  # a killed process may briefly hold its port
        self._socket.listen()
        threading.Thread(target=self._answer, daemon=True).start()

    def _bound(self) -> bool:
        try:
            self._socket.bind(self._address)
        except OSError:
            return False
        return True

    def _answer(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard += connection.recv(65_536).decode("latin-1")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def test_lease_needs_the_control_token(workspace: Workspace) -> None:
    running(workspace)
    file = workspace.emulator_folder / "process.json"
    assert find_emulator(workspace.emulator_folder) is not None
    file.write_text(json.dumps(json.loads(file.read_text()) | {"control_token": "guessed"}))
    assert find_emulator(workspace.emulator_folder) is None


def test_exported_data_is_available_in_the_next_process(workspace: Workspace) -> None:
    connect()
    segment(800)
    export("All")
    directory = next(iter(workspace.audiences)).directory
    running(workspace).control("stop", {})
    segment(900, 100)
    plan = planned("All")
    assert "update audience 'All': add 200, remove 100, unchanged 700" in repr(plan)
    assert ci.status("All").to_frame().loc[0, "members"] == 800
    export("All")
    assert members("All") == hashes(900, 100)
    assert next(iter(workspace.audiences)).directory == directory


def test_sizes_and_match_rates_are_available_without_advancing_the_clock(workspace: Workspace) -> None:
    connect()
    segment(2_000)
    export("All")
    assert "matched" in repr(ci.status("All"))
    assert "invented" in repr(ci.status("All"))
    assert running(workspace).control("settings")["results_after_hours"] == 0


def test_audience_of_an_emulator_without_state_is_created_again(workspace: Workspace) -> None:
    connect()
    segment(300)
    export("All")
    record = next(iter(workspace.audiences))
    # As an earlier version left it: the emulator had another state folder, and has stopped.
    workspace.audiences.change(lambda now: _of_another(now), id=record.id)
    ci.emulator.control("reset", {})
    assert "create audience 'All'" in repr(planned("All"))
    assert export("All").status == "Completed"
    assert members("All") == hashes(300)


def test_reset_is_audited_and_only_for_administrators(workspace: Workspace, as_user: Callable[..., Workspace]) -> None:
    connect()
    segment(300)
    export("All")
    me = workspace.user
    for role in ("viewer", "contributor"):
        as_user(f"some {role}", role)
        with pytest.raises(AccessError) as refused:
            ci.emulator.control("reset", {})
        assert refused.value.code == "role_too_low"
        assert main(["emulator", "reset"]) == 1
    as_user(me)
    assert members("All") == hashes(300)
    ci.emulator.control("reset", {})
    assert [each.facts for each in workspace.audit.since() if each.verb == "delete_audience"] == [{"control": "reset"}]


def _of_another(record: Any) -> Any:
    return replace(record, directory="of-an-emulator-that-has-ended")


def _interrupted(workspace: Workspace) -> PushRecord:
    """Leave a run unfinished, and return its push."""
    ci.emulator.control(
        "faults", [{"operation": "ApplyCustomerListUserData", "call": 2, "fault": "http_503", "times": 99}]
    )
    with pytest.raises(CiError):
        export("All")
    ci.emulator.control("faults", [])
    (push,) = workspace.pushes.where(finished=False)
    return push


@pytest.mark.usefixtures("waits")
def test_run_of_a_vanished_emulator_is_abandoned_and_sent_again(workspace: Workspace) -> None:
    connect()
    segment(5_000)
    push = _interrupted(workspace)
    workspace.pushes.change(lambda now: _of_another(now), id=push.id)
    for record in list(workspace.audiences):
        workspace.audiences.change(lambda now: _of_another(now), id=record.id)
    ci.emulator.control("reset", {})
    assert export("All").status == "Completed"
    assert members("All") == hashes(5_000)
    statuses = [each.status for each in workspace.runs]
    assert statuses == ["Canceled", "Completed"]


@pytest.mark.usefixtures("waits")
def test_reset_removes_audiences_and_their_ledgers(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    connect()
    segment(400, name="Other")
    export("Other")
    segment(5_000)
    _interrupted(workspace)
    assert main(["emulator", "status"]) == 0
    assert "2 audiences" in capsys.readouterr().out
    assert main(["emulator", "reset"]) == 0
    said = capsys.readouterr().out
    assert "2 audiences with" in said
    assert "2 ledgers" in said
    assert "1 unfinished run given up" in said
    assert audiences_held() == {}
    assert len(workspace.audiences) == 0
    assert workspace.pushes.where(finished=False) == []
    for name, count in (("Other", 400), ("All", 5_000)):
        assert f"create audience '{name}'" in repr(planned(name))
        assert export(name).status == "Completed"
        assert members(name) == hashes(count)


def test_unreadable_state_is_reported_and_can_be_reset(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    connect()
    segment(300)
    export("All")
    process_id = running(workspace).process_id
    running(workspace).control("stop", {})
    assert eventually(lambda: not runs(process_id))
    (workspace.emulator_folder / "state.sqlite").write_bytes(b"x" * 9_000)
    with pytest.raises(CiError, match=r"Run ci\.emulator\.reset\(\)") as refused:
        export("All")
    assert refused.value.code == "emulator_damaged"
    assert main(["emulator", "reset"]) == 0
    assert "could not be read" in capsys.readouterr().out
    assert "create audience 'All'" in repr(planned("All"))


def test_status_and_stop_start_no_emulator(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "status"]) == 0
    assert "does not run" in capsys.readouterr().out
    assert main(["emulator", "stop"]) == 0
    assert "did not run" in capsys.readouterr().out
    process_id = running(workspace).process_id
    assert main(["emulator", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["process_id"] == process_id
    assert main(["emulator", "stop"]) == 0
    assert "has stopped" in capsys.readouterr().out
    assert eventually(lambda: not runs(process_id))


def test_reset_spares_an_emulator_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_EMULATOR", "http://127.0.0.1:9")
    with pytest.raises(CiError) as refused:
        ci.emulator.reset()
    assert refused.value.code == "emulator_named"
    assert ci.emulator.status().named


def test_doctor_shows_where_the_emulator_runs(workspace: Workspace) -> None:
    connect()
    assert f"emulator: At {running(workspace).base_url}" in repr(ci.doctor())


@pytest.mark.parametrize("url", ["sqlite:///{folder}/team.sqlite", "{folder}/one"])
def test_two_workspaces_have_two_state_folders(tmp_path: Path, url: str) -> None:
    one = open_workspace(url.format(folder=tmp_path))
    assert one.emulator_folder != open_workspace(tmp_path / "other").emulator_folder
    assert not one.emulator_folder.exists()
