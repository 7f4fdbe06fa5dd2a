from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import nbformat
import polars as pl
import pytest
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.cli import main

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture(autouse=True)
def saved(emulator: RunningEmulator, workspace: Workspace, tmp_path: Path) -> None:
    """Save an export of a file, which follows the workspace refresh."""
    assert emulator
    assert workspace
    contoso.connect()
    pl.from_pandas(contoso.people(5)).write_parquet(tmp_path / "all.parquet")
    ci.segment("All", str(tmp_path / "all.parquet"))
    ci.exports.save("Daily", "All", to=contoso.NAME)


def test_refresh_exits_with_0_and_reports_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refresh", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["trigger"]) == ("Completed", "command")
    assert [each["segment"] for each in report["segments"]] == ["All"]
    assert [(each["export"], each["accepted"]) for each in report["exports"]] == [("Daily", 5)]


def test_refresh_without_anything_due_succeeds(capsys: pytest.CaptureFixture[str], workspace: Workspace) -> None:
    assert main(["refresh", "--due-only"]) == 0
    assert "nothing was due" in capsys.readouterr().out
    assert list(workspace.refreshes) == []


def test_failure_exits_with_1_and_partial_refusal_with_3(
    capsys: pytest.CaptureFixture[str], emulator: RunningEmulator, tmp_path: Path
) -> None:
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "partial"}])
    assert main(["refresh"]) == 3
    assert "Completed with errors" in capsys.readouterr().out
    (tmp_path / "all.parquet").unlink()
    assert main(["refresh", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [each["status"] for each in report["exports"]] == ["Skipped"]


def test_failed_notebook_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "weekly.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), file)
    assert main(["refresh", "--notebook", str(file)]) == 1
    assert "A cell of weekly.ipynb failed: ZeroDivisionError." in capsys.readouterr().out
    assert main(["refresh", "--notebook", str(tmp_path / "none.ipynb")]) == 1


def test_refresh_in_progress_is_not_a_failure(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    since = FrozenClock(now - timedelta(hours=2))
    ci.exports.schedule("Daily", at=[(now - timedelta(minutes=1)).time()], time_zone="UTC", clock=since)
    workspace.locks.take("refresh", "another")
    assert main(["refresh", "--due-only"]) == 0
    assert "Another refresh is running" in capsys.readouterr().out
    assert main(["refresh"]) == 1
