from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from contoso import connect, export, fail, people, resumed, segment

import ci_magics as ci
from ci_magics.activation.retention import purge
from ci_magics.cli import main
from ci_magics.errors import AccessError, ArgumentError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_unused_snapshot_is_removed_after_ninety_days(workspace: Workspace) -> None:
    segment(3)
    assert purge(now=in_days(89)).snapshots == 0
    assert purge(now=in_days(91)).snapshots == 1
    assert workspace.snapshots.names() == []
    with pytest.raises(ci.CiError, match="Make the segment again"):
        ci.preview("All")
    segment(3)
    assert len(workspace.snapshots.names()) == 1


def test_variable_sets_the_retention_period(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    segment(3)
    monkeypatch.setenv("CI_MAGICS_RETENTION_DAYS", "7")
    assert purge(now=in_days(6)).snapshots == 0
    assert purge(now=in_days(8)).snapshots == 1
    monkeypatch.setenv("CI_MAGICS_RETENTION_DAYS", "a while")
    with pytest.raises(ArgumentError, match="not a number of days"):
        purge()
    del workspace


def test_snapshot_needed_by_an_audience_export_or_segment_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    connect()
    export(segment(3, name="Pushed"))
    ci.exports.save("Weekly", segment(3, name="Saved"), to="Contoso EU")
    segment(3, name="Excluded")
    ci.exports.save("Another", "Pushed", to="Contoso EU", exclude=["Excluded"])
    segment(3, name="Suppressing")
    ci.segments.suppress("Suppressing")
    segment(3, name="Used in a rule")
    people(4).to_csv(tmp_path / "people.csv", index=False)
    ci.segment("Dynamic", tmp_path / "people.csv", rule="'Used in a rule'")
    segment(3, name="Nobody's")
    gone = {workspace.segments[name].id for name in ("Nobody's", "Dynamic")}
    assert purge(now=in_days(1000)).snapshots == 2
    kept = {name.removesuffix(".parquet") for name in workspace.snapshots.names()}
    assert kept == {each.id for each in workspace.segments} - gone


def test_spool_of_an_unfinished_run_is_kept(emulator: RunningEmulator, workspace: Workspace) -> None:
    connect()
    fail(emulator, APPLY, *["lost_request"] * 5)
    with pytest.raises(OutcomeUnknownError):
        export(segment(400))
    before = workspace.spool.names()
    assert before
    purged = purge(now=in_days(1000))
    assert (purged.snapshots, purged.spools, purged.strays) == (0, 0, 0)
    assert workspace.spool.names() == before
    (record,) = workspace.runs
    assert resumed(record.name).accepted == 400


def test_remains_of_a_finished_run_are_removed(workspace: Workspace) -> None:
    connect()
    export(segment(400))
    (push,) = workspace.pushes
    workspace.spool.write_bytes(f"{push.id}-hashes.bin", [memoryview(b"left")])
    assert purge().spools == 1
    assert workspace.spool.names() == []


def test_keys_of_rejected_profiles_are_removed_after_thirty_days(
    emulator: RunningEmulator, workspace: Workspace
) -> None:
    connect()
    fail(emulator, APPLY, "partial", indexes=[2])
    run = export(segment(400))
    assert purge(now=in_days(29)).rejected == 0
    assert len(resumed(run.id).rejected_rows()) == 1
    assert purge(now=in_days(31)).rejected == 1
    assert resumed(run.id).rejected_rows().empty
    del workspace


def test_remains_of_a_crash_are_removed_after_a_day(workspace: Workspace) -> None:
    connect()
    export(segment(3))
    for files in (workspace.snapshots, workspace.ledgers, workspace.spool):
        files.write_bytes("nobody-knows-it.parquet", [memoryview(b"x")])
    (workspace.scratch / "scratch-of-a-dead-kernel").mkdir()
    assert purge().strays == 0
    assert purge(now=in_days(2)).strays == 4
    assert not (workspace.scratch / "scratch-of-a-dead-kernel").exists()
    assert [len(files.names()) for files in (workspace.snapshots, workspace.ledgers, workspace.spool)] == [1, 1, 0]


def test_dry_run_removes_nothing_and_counts_the_same(workspace: Workspace) -> None:
    segment(3)
    before = len(workspace.audit)
    would = purge(dry_run=True, now=in_days(91))
    assert repr(would).startswith("Would remove: 1 snapshot")
    assert len(workspace.audit) == before
    done = purge(now=in_days(91))
    assert (would.snapshots, would.strays) == (done.snapshots, done.strays) == (1, 0)
    entry = list(workspace.audit)[-1]
    assert (entry.verb, entry.facts["snapshots"]) == ("purge", 1)


def test_only_administrators_can_purge(as_user: Callable[..., Workspace]) -> None:
    as_user("ann", "contributor")
    with pytest.raises(AccessError, match="only administrators"):
        purge()


def test_command_prints_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    segment(3)
    assert main(["purge", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("Would remove: 0 snapshots of segments unused for 90 days")
    assert main(["purge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "snapshots": 0,
        "spools": 0,
        "rejected": 0,
        "strays": 0,
        "days": 90,
        "dry_run": False,
        "versions": 0,
    }
