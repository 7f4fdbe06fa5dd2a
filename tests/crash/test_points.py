"""After a kill at any file operation, nothing remains of an erased person; a full disk loses nothing."""

from __future__ import annotations

import multiprocessing.util
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from contoso import connect, export, hash_of
from disk_faults import FULL, KILL, READ_ONLY, Faulted, run_with_fault
from scanning import Scanner

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.retention import purge
from ci_magics.errors import ExportRefusedError, NotFoundError
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.slow

#: The number of operations that are tried; all of them with CI_MAGICS_ALL_POINTS=1.
_TRIED = 12


def quietly(_sentence: str) -> None:
    """Show nothing."""


def key_of(number: int) -> str:
    return f"key-of-person-{number:06d}"


def email_of(number: int) -> str:
    return f"person{number:06d}@contoso.com"


def frame(start: int, stop: int = 1_400) -> pd.DataFrame:
    numbers = range(start, stop)
    return pd.DataFrame({"Id": [key_of(each) for each in numbers], "EMail": [email_of(each) for each in numbers]})


def make(start: int) -> None:
    ci.segment("All", frame(start), show=quietly)


def send(mode: str) -> Any:
    return export("All", mode=mode, allow_shrink=True, show=quietly)


def work(start: int, mode: str) -> None:
    make(start)
    send(mode)


def environment() -> dict[str, str | None]:
    return {
        name: os.environ.get(name) for name in ("CI_MAGICS_WORKSPACE", "CI_MAGICS_EMULATOR", "TMPDIR", "TEMP", "TMP")
    }


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Return the workspace with its own emulator, and the folder for temporary files."""
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    multiprocessing.util.get_temp_dir()  # created here, because the path of a socket must be short
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    connect()
    yield tmp_path / "workspace", temporary
    ci.emulator.control("stop", {})


def points(doing: Callable[[], object], within: tuple[str, ...]) -> list[int]:
    """Return the operations to disturb, from an undisturbed run."""
    whole = run_with_fault(doing, 0, KILL, within, environment())
    assert whole.said is None
    assert whole.operations is not None
    every = range(1, whole.operations + 1)
    return list(every if os.environ.get("CI_MAGICS_ALL_POINTS") else every[:: max(1, len(every) // _TRIED)])


def forgotten(workspace: Workspace, key: str, sha256: str) -> None:
    """Erase a person like an administrator who follows the messages: first complete unfinished runs."""
    for _ in range(3):
        try:
            assert forget(key=key, show=quietly).erased
        except NotFoundError:
            assert forget(sha256=sha256, show=quietly).erased
        except ExportRefusedError:
            for record in workspace.runs:
                if record.finished_at is None:
                    ci.runs.resume(record.id, show=quietly)
        else:
            return
    raise AssertionError


@pytest.mark.parametrize("mode", ["mirror", "replace"])
def test_erased_person_leaves_no_trace_after_a_kill_at_any_operation(folders: tuple[Path, Path], mode: str) -> None:
    workspace = open_workspace()
    within = tuple(map(str, folders))
    start = 0

    work(0, mode)
    killed = 0
    for at in points(partial(work, 0, mode), within):
        start += 1  # the previous person was erased
        killed += run_with_fault(partial(work, start, mode), at, KILL, within, environment()).operations is None
        person = start
        forgotten(workspace, key_of(person), hash_of(email_of(person)))
        start += 1
        scanner = Scanner({"key": key_of(person), "hash": hash_of(email_of(person)), "address": email_of(person)})
        assert {folder.name: scanner.found_in_folder(folder) for folder in folders} == {
            "workspace": {},
            "temporary": {},
        }
        assert scanner.looked_at > 50_000
    assert killed >= _TRIED // 2


def test_purge_removes_what_a_kill_left_behind(folders: tuple[Path, Path]) -> None:
    workspace = open_workspace()
    within = tuple(map(str, folders))
    doing = partial(work, 0, "replace")
    for at in points(doing, within):
        if run_with_fault(doing, at, KILL, within, environment()).operations is not None:
            continue
        purge()
        own = {workspace.scratch_folders.owner, f"{workspace.scratch_folders.owner}.lock"}
        assert {each.name for each in workspace.scratch.iterdir()} <= own
        assert [
            each for each in folders[1].iterdir() if not each.name.startswith("pymp-")
        ] == []  # created by the test itself
        pushes = tuple(f"{each.id}-" for each in workspace.pushes)
        assert [each for each in workspace.spool.names() if not each.startswith((*pushes, "rejected-"))] == []
        known = {f"{each.id}.parquet" for each in [*workspace.segments, *workspace.versions]}
        assert set(workspace.snapshots.names()) <= known
        for record in workspace.runs:
            if record.finished_at is None:
                ci.runs.resume(record.id, show=quietly)


@pytest.mark.parametrize("how", [FULL, READ_ONLY])
def test_full_or_read_only_disk_loses_nothing(
    emulator: RunningEmulator, tmp_path: Path, workspace: Workspace, how: str
) -> None:
    connect()
    within = (str(tmp_path),)
    work(0, "mirror")
    ended: list[Faulted] = []
    for start, at in enumerate(points(partial(work, 0, "mirror"), within), 1):
        ended.append(run_with_fault(partial(work, start, "mirror"), at, how, within, environment()))
        for record in workspace.runs:
            if record.finished_at is None:
                ci.runs.resume(record.id, show=quietly)
        work(start, "mirror")
        assert emulator.members("All") == {hash_of(email_of(each)) for each in range(start, 1_400)}
    said = [each.said for each in ended if each.said]
    assert len(said) >= _TRIED // 2
    assert [each for each in said if each[0] not in ("WorkspaceError", "ExportRefusedError")] == []


@pytest.mark.usefixtures("folders")
def test_erased_person_leaves_no_trace_in_the_emulator() -> None:
    """Neither in its lists, including deleted ones, nor in the result files of uploads with refused rows."""
    workspace = open_workspace()
    refusals = [{"operation": "UploadFile", "call": call, "fault": "partial", "indexes": [0, 1]} for call in (1, 2, 3)]
    ci.emulator.control("faults", refusals)
    make(0)
    assert send("replace").rejected == 2
    ci.segment("Deleted", frame(0), show=quietly)
    export("Deleted", show=quietly)
    connection = workspace.connections.names()[0]
    ci.audiences(connection).delete("Deleted", confirm="Deleted")
    people = {f"{what} {number}": made(number) for number in (0, 700) for what, made in OF_PERSON.items()}
    assert in_emulator(workspace, Scanner(people))
    for number in (0, 700):
        forgotten(workspace, key_of(number), hash_of(email_of(number)))
    assert in_emulator(workspace, Scanner(people)) == {}


OF_PERSON: dict[str, Callable[[int], str]] = {
    "key": key_of,
    "address": email_of,
    "hash": lambda number: hash_of(email_of(number)),
}


def in_emulator(workspace: Workspace, scanner: Scanner) -> dict[str, set[str]]:
    """Return where something is in the emulator's files, including result files in its database."""
    found = scanner.found_in_folder(workspace.emulator_folder)
    ci.emulator.control("stop", {})
    with closing(
        sqlite3.connect(workspace.emulator_folder / "state.sqlite", timeout=30)
    ) as database:  # the emulator stops first
        kept = list(database.execute("SELECT id, data FROM rows WHERE data IS NOT NULL"))
    results = {name: data for name, data in kept if data.startswith(b"PK")}
    assert results
    return found | {name: words for name, data in results.items() if (words := scanner.found(data))}
