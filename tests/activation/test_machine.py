"""The doctor reads facts about the machine through one class, which tests replace."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics import forking
from ci_magics.activation.exports.heartbeats import SCHEDULER, note_heartbeat
from ci_magics.activation.machine import BAD, GOOD, LOOK, Finding, Machine
from ci_magics.clock import present

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Other(Machine):
    """A simulated machine."""

    free: int = 100 * GIB
    files: int | None = 1000
    gone: bool = False

    def free_bytes(self, folder: Path) -> int:
        if self.gone:
            raise FileNotFoundError(folder)
        return self.free

    def free_files(self, folder: Path) -> int | None:
        return self.files if folder else None

    def have(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Return the folder with system files of the simulated machine."""
    return tmp_path / "system"


def found(check: str, machine: Machine) -> Finding | None:
    examination = ci.doctor(machine=machine)
    for each in examination.findings:
        assert "\n" not in each.found + each.remedy
        assert bool(each.remedy) == (each.state != GOOD), each
    return next((each for each in examination.findings if each.check == check), None)


def state(check: str, machine: Machine) -> str | None:
    finding = found(check, machine)
    return finding.state if finding else None


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"free": 0}, BAD),
        ({"free": 99 * MIB}, BAD),
        ({"free": 101 * MIB}, LOOK),
        ({"free": GIB}, GOOD),
        ({"files": 0}, BAD),
        ({"files": None}, GOOD),
        ({"gone": True}, BAD),
    ],
)
def test_full_disk_is_reported(given: dict[str, int], expected: str, system: Path) -> None:
    assert state("disk", Other(system, **given)) == expected  # type: ignore[arg-type]


def test_full_disk_is_reported_for_an_unusable_workspace(
    tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "file"))
    machine = Other(system, free=0)
    assert (state("workspace", machine), state("disk", machine)) == (BAD, BAD)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        *(
            (each, True)
            for each in ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "9p", "ceph")
        ),
        *((each, False) for each in ("ext4", "xfs", "overlay", "tmpfs", "fuseblk", "fuse.fuse-overlayfs", "zfs")),
    ],
)
def test_network_file_system_is_reported(kind: str, told: bool, workspace: Workspace, system: Path) -> None:
    machine = Other(system)
    folder = str(workspace.folder.resolve())
    machine.have(
        "proc/self/mounts", f"none / ext4 rw 0 0\nserver:/share {folder} {kind} rw 0 0\nnone /proc proc rw 0 0\n"
    )
    finding = found("file system", machine)
    assert (finding is not None) is told
    assert finding is None or (finding.state == LOOK and kind in finding.found)


def test_last_mount_with_the_longest_path_counts(workspace: Workspace, system: Path) -> None:
    machine = Other(system)
    folder = str(workspace.folder.resolve())
    machine.have(
        "proc/self/mounts",
        f"a {folder} nfs4 rw 0 0\nb {folder} ext4 rw 0 0\nc / nfs rw 0 0\nd {folder}2 nfs rw 0 0\nbroken\n",
    )
    assert found("file system", machine) is None


def test_mount_point_with_a_blank_is_read(tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "my share" / "workspace"))
    machine = Other(system)
    point = str(tmp_path.resolve() / "my share").replace(" ", "\\040")
    machine.have("proc/self/mounts", f"none / ext4 rw 0 0\nx {point} cifs rw 0 0\n")
    assert state("file system", machine) == LOOK


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "max"}, None),
        ({"memory.max": str(3 * GIB)}, GOOD),
        ({"memory.max": str(512 * MIB)}, LOOK),
        ({"memory.max": str(3 * GIB), "memory.events": "low 0\noom 4\noom_kill 3\n"}, LOOK),
        ({"memory.max": str(3 * GIB), "memory.events": "low 0\noom 4\noom_kill 0\n"}, GOOD),
        ({"memory/memory.limit_in_bytes": str(512 * MIB)}, LOOK),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ({}, None),
    ],
)
def test_memory_limit_of_a_container_is_reported(files: dict[str, str], expected: str | None, system: Path) -> None:
    machine = Other(system)
    machine.have("proc/self/cgroup", "4:memory:/\n0::/\n")
    for name, text in files.items():
        machine.have(f"sys/fs/cgroup/{name}", f"{text}\n")
    assert state("memory", machine) == expected


@pytest.mark.usefixtures("workspace")
def test_missing_home_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    home = found("home folder", Machine())
    assert home is not None
    assert (home.state, "HOME" in home.remedy) == (LOOK, True)


@pytest.mark.usefixtures("workspace")
def test_read_only_home_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    assert state("home folder", Machine()) == LOOK


@pytest.mark.usefixtures("workspace")
def test_forked_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state("fork", Machine()) is None
    monkeypatch.setattr(forking, "_works_in", 0)
    monkeypatch.setattr(forking, "_pool_is_gone", True)
    assert state("fork", Machine()) == BAD


def test_missing_scheduler_is_reported(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator.audiences() == {}
    contoso.connect()
    contoso.segment(5)
    ci.exports.save("Weekly", "All", to=contoso.NAME)
    assert state("scheduler", Machine()) is None
    ci.exports.schedule("Weekly", at=["06:00"])
    told = found("scheduler", Machine())
    assert told is not None
    assert (told.state, told.found) == (LOOK, "No scheduler runs, so nothing is started on schedule.")
    assert "ci-magics scheduler" in told.remedy
    note_heartbeat(workspace, SCHEDULER, present())
    assert state("scheduler", Machine()) == GOOD


@pytest.mark.parametrize(("ahead", "expected"), [(0, GOOD), (290, GOOD), (600, BAD), (-4000, BAD)])
def test_wrong_clock_is_detected_by_the_date_of_the_service(
    ahead: int, expected: str, emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert emulator.audiences() == {}
    assert len(workspace.connections) == 0
    contoso.connect()
    monkeypatch.setattr("ci_magics.microsoft.reach.present", lambda: present() + timedelta(seconds=ahead))
    assert state("clock against emulator", Machine()) == expected


def test_free_files_are_unknown_where_the_system_does_not_count_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "statvfs")
    assert Machine().free_files(tmp_path) is None
