from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contoso
import nbformat
import polars as pl
import pytest
from fakes import NOON, FrozenClock

import ci_magics as ci
from ci_magics.activation.refreshes.refresh import RefreshReport
from ci_magics.errors import AccessError, ExportRefusedError
from ci_magics.workspace.roles import take_role

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

Becoming = Callable[..., "Workspace"]


@pytest.fixture(autouse=True)
def connection(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator
    assert workspace
    contoso.connect(share=["contributor"])


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def written(path: Path, count: int) -> str:
    pl.from_pandas(contoso.people(count)).write_parquet(path)
    return str(path)


def saved(clock: FrozenClock, name: str, *segments: str, at: str = "", **options: Any) -> None:
    """Save an export that has been scheduled since the time of the clock."""
    ci.exports.save(name, *segments, to=contoso.NAME, **options)
    ci.exports.schedule(name, active=False, clock=clock)
    ci.exports.schedule(name, active=True, clock=clock)
    if at:
        ci.exports.schedule(name, at=[at], time_zone="UTC", clock=clock)


def due(clock: FrozenClock, **time: float) -> RefreshReport:
    clock.advance(**time)
    return ci.refresh(due_only=True, clock=clock)


def passing_faults(calls: int) -> list[dict[str, Any]]:
    return [{"operation": "AddAudiences", "call": call, "fault": "1011"} for call in range(1, calls + 1)]


def outcomes(report: RefreshReport) -> dict[str, str]:
    """Return the status of each segment and export."""
    return {each.get("segment") or each["export"]: each["status"] for each in (*report.segments, *report.exports)}


def test_segments_are_refreshed_in_the_order_of_dependencies(
    tmp_path: Path, clock: FrozenClock, emulator: RunningEmulator
) -> None:
    path = written(tmp_path / "all.parquet", 5)
    everybody = ci.segment("Zz everybody", path)
    some = ci.segment("Some", path, where="Id <> 'k0'")
    ci.segment("A mix", everybody - some)
    ci.segment("Mixed again", rule="'A mix' or 'Some'")
    saved(clock, "Weekly", "Mixed again")
    written(tmp_path / "all.parquet", 8)
    report = ci.refresh(clock=clock)
    assert [each["segment"] for each in report.segments] == ["Some", "Zz everybody", "A mix", "Mixed again"]
    assert [each["profiles"] for each in report.segments] == [7, 8, 1, 8]
    assert outcomes(report)["Weekly"] == "Completed"
    assert emulator.members("Mixed again") == contoso.hashes(8)
    assert report.status == "Completed"


def test_manual_refresh_runs_its_followers_and_what_is_due(clock: FrozenClock) -> None:
    for name in ("Follows", "Own", "Later", "Off"):
        contoso.segment(3, name=name)
    saved(clock, "Follows", "Follows")
    saved(clock, "Own", "Own", at="13:00")
    saved(clock, "Later", "Later", at="23:00")
    saved(clock, "Off", "Off")
    ci.exports.schedule("Off", active=False)
    clock.advance(hours=2)
    report = ci.refresh(clock=clock)
    assert [each["export"] for each in report.exports] == ["Own", "Follows"]
    assert [each["export"] for each in ci.refresh(clock=clock).exports] == ["Follows"]


def test_static_segment_is_skipped_with_the_reason(clock: FrozenClock) -> None:
    contoso.segment(3)
    saved(clock, "Weekly", "All")
    report = ci.refresh(clock=clock)
    assert report.segments[0]["status"] == "Skipped"
    assert report.segments[0]["reason"] == "It is static: it reads a frame of a notebook."
    assert outcomes(report)["Weekly"] == "Completed"
    for shown in (repr(report), report._repr_html_()):
        assert "it reads a frame of a notebook" in shown


def test_dependents_of_a_failed_segment_wait_and_the_rest_continues(
    tmp_path: Path, clock: FrozenClock, emulator: RunningEmulator
) -> None:
    ci.segment("Lost", written(tmp_path / "lost.parquet", 5))
    ci.segment("Of lost", rule="'Lost'")
    ci.segment("Kept", written(tmp_path / "kept.parquet", 5))
    saved(clock, "From lost", "Of lost")
    saved(clock, "Without lost", "Kept", exclude=["Lost"], allow_empty=True)
    saved(clock, "From kept", "Kept")
    (tmp_path / "lost.parquet").unlink()
    report = ci.refresh(clock=clock)
    assert outcomes(report) == {
        "Kept": "Completed",
        "Lost": "Failed",
        "Of lost": "Skipped",
        "From kept": "Completed",
        "From lost": "Skipped",
        "Without lost": "Skipped",
    }
    assert list(emulator.audiences()) == ["Kept"]
    assert report.status == "Completed with errors"
    assert report.not_completed == ["Lost", "Of lost", "From lost", "Without lost"]
    [entry] = ci.exports.history("From lost")
    assert (entry.status, entry.reason) == ("Skipped", "The segment 'Of lost' was not refreshed.")


def test_own_schedule_evaluates_only_the_needed_segments(tmp_path: Path, clock: FrozenClock) -> None:
    ci.segment("Needed", written(tmp_path / "needed.parquet", 5))
    ci.segment("Other", written(tmp_path / "other.parquet", 5))
    ci.segment("Never", written(tmp_path / "never.parquet", 1))
    ci.segments.suppress("Never")
    saved(clock, "Daily", "Needed", at="13:00")
    report = due(clock, hours=2)
    assert [each["segment"] for each in report.segments] == ["Needed", "Never"]


def test_nothing_runs_twice_for_one_time(clock: FrozenClock, workspace: Workspace) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    assert due(clock, minutes=59).exports == []
    assert outcomes(due(clock, minutes=1))["Daily"] == "Completed"
    assert due(clock, minutes=1).exports == []
    assert [each.due_at for each in workspace.export_runs] == [NOON + timedelta(hours=1)]
    assert len(list(workspace.refreshes)) == 1


def test_export_runs_once_after_a_pause(clock: FrozenClock, workspace: Workspace) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    due(clock, days=21)
    assert [each.due_at for each in workspace.export_runs] == [datetime(2026, 4, 17, 13, tzinfo=UTC)]
    assert due(clock, minutes=5).exports == []


def test_changed_schedule_does_not_catch_up(clock: FrozenClock) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    clock.advance(hours=4)
    ci.exports.schedule("Daily", at=["14:00"], time_zone="UTC", clock=clock)
    assert due(clock).exports == []
    assert outcomes(due(clock, days=1))["Daily"] == "Completed"


def test_workspace_schedule_refreshes_everything_once(tmp_path: Path, clock: FrozenClock) -> None:
    ci.segment("Unused", written(tmp_path / "all.parquet", 5))
    contoso.segment(3)
    saved(clock, "Follows", "All")
    assert due(clock, days=2).exports == []
    ci.exports.system_schedule(at=["13:00", "15:00"], time_zone="UTC", clock=clock)
    report = due(clock, hours=5)
    assert outcomes(report) == {"All": "Skipped", "Unused": "Completed", "Follows": "Completed"}
    assert report.record.due_at == datetime(2026, 3, 30, 15, tzinfo=UTC)
    assert due(clock, hours=1).segments == []


@pytest.mark.usefixtures("waits")
def test_transient_error_is_retried_and_finally_fails(
    clock: FrozenClock, emulator: RunningEmulator, workspace: Workspace
) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    emulator.control("POST", "/faults", passing_faults(99))
    report = due(clock, hours=1)
    assert outcomes(report)["Daily"] == "Queued"
    [entry] = workspace.export_runs
    assert entry.retry_at == clock.now() + timedelta(minutes=5)
    assert "It is tried again at 13:05 UTC." in entry.reason
    assert due(clock, minutes=4).exports == []
    [line] = ci.exports.overview(clock=clock)
    assert (line.status, line.next_run) == ("Queued", entry.retry_at)
    for minutes in (5, 15):
        assert outcomes(due(clock, minutes=minutes))["Daily"] == "Queued"
    assert outcomes(due(clock, hours=1))["Daily"] == "Failed"
    [entry] = workspace.export_runs
    assert (entry.attempts, entry.status, entry.retry_at) == (4, "Failed", None)
    emulator.control("POST", "/faults", [])
    assert outcomes(due(clock, days=1))["Daily"] == "Completed"
    assert emulator.members("All") == contoso.hashes(3)


@pytest.mark.usefixtures("waits")
def test_successful_retry_belongs_to_the_same_run(
    clock: FrozenClock, emulator: RunningEmulator, workspace: Workspace
) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    emulator.control("POST", "/faults", passing_faults(9))
    due(clock, hours=1)
    emulator.control("POST", "/faults", [])
    assert outcomes(due(clock, minutes=6))["Daily"] == "Completed"
    [entry] = workspace.export_runs
    assert (entry.attempts, entry.status) == (2, "Completed")


def test_run_interrupted_by_a_kill_is_completed_and_not_repeated(
    clock: FrozenClock, workspace: Workspace, emulator: RunningEmulator
) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    due(clock, hours=1)
    [entry] = workspace.export_runs
    workspace.export_runs.put(replace(entry, status="Running", finished_at=None))
    before = [each for each in emulator.operations() if "Apply" in each]
    assert outcomes(due(clock, minutes=1))["Daily"] == "Completed"
    assert [each for each in emulator.operations() if "Apply" in each] == before
    assert len(list(workspace.export_runs)) == 1


def test_export_running_elsewhere_is_left_alone(clock: FrozenClock, workspace: Workspace) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    workspace.locks.take(f"export:{workspace.exports['Daily'].id}", "another")
    assert outcomes(due(clock, hours=2))["Daily"] == "Skipped"
    assert list(workspace.export_runs) == []
    workspace.locks.release("another")
    assert outcomes(due(clock))["Daily"] == "Completed"


def test_two_refreshes_do_not_overlap(clock: FrozenClock, workspace: Workspace) -> None:
    workspace.locks.take("refresh", "another")
    with pytest.raises(ExportRefusedError, match="Another refresh is running"):
        ci.refresh(clock=clock)


@pytest.mark.parametrize(
    ("shared_with", "role", "reason"),
    [
        ("viewer", "viewer", "bob, who saved the export, is only a viewer now. A contributor can save it again."),
        (
            "administrator",
            "contributor",
            "The connection 'Contoso EU' is no longer shared with bob, who saved the export.",
        ),
    ],
)
def test_export_whose_owner_lost_the_right_is_skipped_with_the_reason(
    clock: FrozenClock,
    workspace: Workspace,
    as_user: Becoming,
    monkeypatch: pytest.MonkeyPatch,
    shared_with: str,
    role: str,
    reason: str,
) -> None:
    contoso.segment(3)
    as_user("bob", "contributor")
    saved(clock, "Bob's", "All", at="13:00")
    monkeypatch.delenv("JUPYTERHUB_USER")
    shared = workspace.connections[contoso.NAME]
    workspace.connections.put(replace(shared, shared_with=(shared_with,)))
    if role == "viewer":
        take_role(workspace, "bob")
    report = due(clock, hours=2)
    assert outcomes(report)["Bob's"] == "Skipped"
    assert report.exports[0]["reason"] == reason
    assert [each.reason for each in workspace.export_runs] == [reason]
    assert "Bob's" in ci.exports.overview().names()


def test_export_without_consent_is_skipped_with_the_reason(clock: FrozenClock) -> None:
    contoso.segment(3)
    saved(clock, "Daily", "All", at="13:00")
    ci.connect(contoso.NAME, withdraw=True)
    report = due(clock, hours=2)
    assert outcomes(report)["Daily"] == "Skipped"
    assert "Nobody has agreed" in report.exports[0]["reason"]


def test_viewer_cannot_refresh(as_user: Becoming) -> None:
    as_user("ann", "viewer")
    with pytest.raises(AccessError, match="refresh the workspace"):
        ci.refresh()


def notebook(folder: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, folder / "weekly.ipynb")
    return folder / "weekly.ipynb"


@pytest.mark.slow
def test_notebook_can_define_a_segment(
    tmp_path: Path, clock: FrozenClock, workspace: Workspace, emulator: RunningEmulator
) -> None:
    contoso.segment(2)
    saved(clock, "Weekly", "All")
    file = notebook(
        tmp_path,
        "%load_ext ci_magics",
        "import pandas as pd\n"
        "people = pd.DataFrame({'Id': [f'k{n}' for n in range(4)], 'EMail': [f'p{n}@contoso.com' for n in range(4)]})",
        "%ci_segment All people",
    )
    before = file.read_bytes()
    report = ci.refresh(notebook=file, clock=clock)
    assert outcomes(report)["Weekly"] == "Completed"
    assert emulator.members("All") == contoso.hashes(4)
    [record] = workspace.refreshes
    assert (record.notebook, record.status) == ("weekly.ipynb", "Completed")
    assert file.read_bytes() == before


def test_nothing_is_exported_after_a_failed_notebook(
    tmp_path: Path, clock: FrozenClock, workspace: Workspace, emulator: RunningEmulator
) -> None:
    contoso.segment(2)
    saved(clock, "Weekly", "All")
    report = ci.refresh(notebook=notebook(tmp_path, "raise ValueError('jan@contoso.com')"), clock=clock)
    assert (report.status, report.reason) == (
        "Failed",
        "A cell of weekly.ipynb failed: ValueError. Open it in JupyterLab. (code cell_failed)",
    )
    assert report.exports == []
    assert emulator.audiences() == {}
    [record] = workspace.refreshes
    assert (record.status, record.finished_at) == ("Failed", NOON)
