"""A shared folder that is temporarily missing: ci-magics waits for it, and an unfinished run can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pyarrow as pa
import pytest

import ci_magics as ci
from ci_magics.activation.progress import Progress
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError, WorkspaceError
from ci_magics.workspace import shared_folder
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CI_MAGICS_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def workspace(store: Path, workspace: Workspace) -> Workspace:
    assert (store / shared_folder.MARK).exists()
    return workspace


class Share:
    """A mounted folder that can disappear, and leaves an empty folder or none."""

    def __init__(self, store: Path, *, leaves: bool) -> None:
        self.store, self.leaves = store, leaves
        self.kept = store.with_name("kept")

    def leave(self) -> None:
        self.store.rename(self.kept)
        if self.leaves:
            self.store.mkdir()

    def come_back(self) -> None:
        if not self.kept.exists():
            return
        if self.leaves:
            self.store.rmdir()
        self.kept.rename(self.store)


@pytest.fixture(params=[True, False], ids=["empty in its place", "gone"])
def share(store: Path, request: pytest.FixtureRequest) -> Share:
    return Share(store, leaves=request.param)


def after_waiting(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], times: int = 2) -> list[float]:
    """Do something after a number of waits, without really waiting."""
    waits: list[float] = []

    def wait(_clock: SystemClock, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == times:
            act()

    monkeypatch.setattr(shared_folder.SystemClock, "sleep", wait)
    return waits


def test_missing_folder_is_waited_for(workspace: Workspace, share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.ledgers.write("x", pa.table({"number": [1]}))
    share.leave()
    waits = after_waiting(monkeypatch, share.come_back)
    assert workspace.ledgers.read("x")["number"].to_pylist() == [1]
    assert len(waits) == 2


def test_open_file_is_read_on_after_the_folder_returns(
    workspace: Workspace, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.spool.write_bytes("x", [memoryview(bytes(range(100)))])
    with workspace.spool.reading("x") as file:
        assert file.read(10) == bytes(range(10))
        file._file.close()  # type: ignore[attr-defined]  # noqa: SLF001 - like a file of an unmounted file system
        share.leave()
        waits = after_waiting(monkeypatch, share.come_back)
        monkeypatch.setattr(file, "_file", _Broken())
        assert file.read(5) == bytes(range(10, 15))
    assert waits


class _Broken:
    def seek(self, _at: int) -> int:
        raise OSError(116, "Stale file handle")

    def close(self) -> None:
        """There is nothing to close."""


def test_folder_that_stays_missing_is_reported_and_its_files_are_not(
    workspace: Workspace, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.ledgers.write("x", pa.table({"number": [1]}))
    share.leave()
    waits = after_waiting(monkeypatch, lambda: None)
    for attempt in (lambda: workspace.ledgers.read("x"), lambda: workspace.ledgers.write("y", pa.table({"n": [1]}))):
        with pytest.raises(WorkspaceError, match="CI_MAGICS_STORE") as refused:
            attempt()
        assert refused.value.code == "store_away"
    assert sum(waits) > 60
    share.come_back()
    assert workspace.ledgers.read("x").num_rows == 1


def test_file_missing_in_an_existing_folder_is_reported_at_once(
    workspace: Workspace, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.ledgers.write("x", pa.table({"number": [1]}))
    for path in store.iterdir():
        if path.name != shared_folder.MARK:
            path.unlink()
    waits = after_waiting(monkeypatch, lambda: None)
    with pytest.raises(WorkspaceError, match="missing"):
        workspace.ledgers.read("x")
    assert waits == []


def test_earlier_folder_gets_its_marker_and_an_empty_one_does_not(workspace: Workspace, store: Path) -> None:
    workspace.ledgers.write("x", pa.table({"number": [1]}))
    (store / shared_folder.MARK).unlink()
    known = [path.name for path in store.iterdir()]
    shared_folder.SharedFolder(store, lambda: known)
    assert (store / shared_folder.MARK).exists()
    (store / "empty").mkdir()
    shared_folder.SharedFolder(store / "empty", lambda: known)
    assert list((store / "empty").iterdir()) == []


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("comes_back", [True, False])
def test_run_continues_or_can_be_resumed_after_the_folder_returns(
    emulator: RunningEmulator,
    share: Share,
    monkeypatch: pytest.MonkeyPatch,
    comes_back: bool,
) -> None:
    contoso.connect()
    contoso.segment(3_000)
    waits = after_waiting(monkeypatch, share.come_back if comes_back else lambda: None)
    left: list[bool] = []

    def meanwhile(_progress: Progress) -> None:
        if not left and emulator.operations().count("AddAudiences"):
            left.append(True)
            share.leave()

    if comes_back:
        assert contoso.export("All", progress=meanwhile).accepted == 3_000
    else:
        with pytest.raises(CiError) as refused:
            contoso.export("All", progress=meanwhile)
        assert refused.value.code == "store_away"
        share.come_back()
        (record,) = open_workspace().runs
        assert record.finished_at is None
        assert contoso.resumed(record.name).accepted == 3_000
    assert left
    assert waits
    assert emulator.members("All") == contoso.hashes(3_000)
    assert ci.export("All", to=contoso.NAME, show=print).accepted == 0
