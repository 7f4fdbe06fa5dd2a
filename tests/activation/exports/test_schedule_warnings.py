"""A schedule that cannot work says so: when it is set, in the list, in the details and in the side panel."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contoso import NAME, connect, people, segment
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.activation.exports.heartbeats import (
    REFRESH,
    REFRESH_LOCK,
    SCHEDULER,
    note_heartbeat,
    scheduler_state,
)
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.activation.runs.resume import load_run
from ci_magics.cli import main
from ci_magics.server_extension.overview import overview
from ci_magics.workspace.locks import process_name

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def beat(workspace: Workspace, kind: str, *ages: timedelta) -> None:
    for age in ages:
        note_heartbeat(workspace, kind, NOON - age)


def changed(workspace: Workspace, **values: object) -> None:
    workspace.heartbeats.change(lambda found: replace(found, **values))  # type: ignore[arg-type]


STATES: dict[str, tuple[Callable[[Workspace], object], bool]] = {
    "nothing was ever seen": (lambda _workspace: None, False),
    "a scheduler looked just now": (lambda workspace: beat(workspace, SCHEDULER, timedelta(seconds=20)), True),
    "a scheduler of five minutes ago": (lambda workspace: beat(workspace, SCHEDULER, timedelta(minutes=6)), False),
    "its process has ended": (
        lambda workspace: (
            beat(workspace, SCHEDULER, timedelta(seconds=20)),
            changed(workspace, process=process_name(os.getpid()).replace(str(os.getpid()), "999999999")),
        ),
        False,
    ),
    "a scheduler on another machine": (
        lambda workspace: (
            beat(workspace, SCHEDULER, timedelta(minutes=1)),
            changed(workspace, host="elsewhere", process="1:0"),
        ),
        True,
    ),
    "a heartbeat of a wrong clock": (lambda workspace: beat(workspace, SCHEDULER, -timedelta(days=900)), False),
    "a refresh by hand": (lambda workspace: beat(workspace, REFRESH, timedelta(minutes=1)), False),
    "a refresh every day": (lambda workspace: beat(workspace, REFRESH, timedelta(hours=30), timedelta(hours=6)), True),
    "a refresh that stopped coming": (
        lambda workspace: beat(workspace, REFRESH, timedelta(hours=72), timedelta(hours=49)),
        False,
    ),
    "a timer of five minutes": (
        lambda workspace: beat(workspace, REFRESH, timedelta(minutes=8), timedelta(minutes=3)),
        True,
    ),
    "a refresh at work": (lambda workspace: workspace.locks.take(REFRESH_LOCK, "run"), True),
}


@pytest.mark.parametrize(("prepare", "is_running"), STATES.values(), ids=STATES.keys())
def test_heartbeat_shows_whether_a_scheduler_runs(
    workspace: Workspace, prepare: Callable[[Workspace], object], is_running: bool
) -> None:
    prepare(workspace)
    state = scheduler_state(workspace, NOON)
    assert state.is_running == is_running
    assert ("ci-magics scheduler" in state.warning) == (not is_running)
    assert ("*/5 * * * * ci-magics refresh --due-only" in state.warning) == (not is_running)


def test_warning_says_when_a_scheduler_last_ran(workspace: Workspace) -> None:
    beat(workspace, SCHEDULER, timedelta(hours=2))
    assert "last seen 2026-03-28 10:00 UTC" in scheduler_state(workspace, NOON).warning


def test_refresh_by_command_leaves_a_heartbeat(workspace: Workspace) -> None:
    assert main(["refresh", "--due-only"]) == 0
    assert main(["refresh", "--due-only"]) == 0
    (found,) = workspace.heartbeats
    assert found.kind == REFRESH
    assert found.seen_before is not None
    assert scheduler_state(workspace, datetime.now(UTC)).is_running


def from_file(folder: Path) -> Path:
    path = folder / "people.csv"
    people(3).to_csv(path, index=False)
    ci.segment("All", str(path), key="Id")
    return path


def _gone_file(folder: Path) -> None:
    from_file(folder).unlink()


def _set_aside(folder: Path) -> None:
    from_file(folder)
    ci.segments.deactivate("All")


def _of_a_frame(_folder: Path) -> None:
    segment(3)


def _made_of_a_frame(_folder: Path) -> None:
    segment(3, name="Some")
    ci.segment("All", rule="'Some'")


BEFORE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a notebook's frame": (_of_a_frame, "The segment 'All' is not refreshed: it reads a frame of a notebook."),
    "a file that is gone": (_gone_file, "there is no file 'people.csv'."),
    "a segment that is set aside": (_set_aside, "The segment 'All' is inactive"),
}
AFTER: dict[str, tuple[Callable[[Workspace], object], str]] = {
    "no connection": (lambda _: ci.exports.detach("Weekly"), "The export has no connection"),
    "no consent": (
        lambda _: ci.connections.withdraw_consents(NAME, show=lambda _said: None),
        "so its runs are skipped",
    ),
    "a person has to sign in": (
        lambda workspace: workspace.all_connections.change(lambda found: replace(found, flow="device")),
        "A scheduler cannot ask anyone to sign in to 'Contoso EU'",
    ),
    "no developer token": (
        lambda workspace: workspace.all_connections.change(lambda found: replace(found, environment="production")),
        "The developer token for the connection 'Contoso EU' is missing",
    ),
    "a segment that was deleted": (
        lambda workspace: workspace.segments.remove(workspace.segments["All"].id),
        "The segment 'All' no longer exists",
    ),
    "a time zone of another machine": (
        lambda workspace: workspace.exports.change(
            lambda found: replace(found, schedule={**(found.schedule or {}), "time_zone": "Mars/Olympus"})
        ),
        "does not know the time zone 'Mars/Olympus'",
    ),
    "who saved it is gone": (
        lambda workspace: workspace.exports.change(lambda found: replace(found, saved_by="ann")),
        "is not shared with ann",
    ),
}


def warnings_of_each_place(capsys: pytest.CaptureFixture[str], workspace: Workspace) -> dict[str, str]:
    """Return the warnings about the export's schedule in each place that shows it."""
    said: list[str] = []
    ci.exports.schedule("Weekly", active=True, show=said.append)
    capsys.readouterr()
    assert main(["exports"]) == 0
    cli = capsys.readouterr().out
    assert main(["exports", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    panel = overview(workspace)
    return {
        "when it is set": "\n".join(said),
        "list": repr(ci.exports.overview()),
        "page": ci.exports.overview()._repr_html_(),
        "details": repr(ci.exports.show("Weekly")),
        "command line": cli,
        "json": "\n".join(document[0]["warnings"]),
        "panel": "\n".join([*panel.exports[0].warnings, *panel.warnings]),
    }


@pytest.mark.parametrize(("prepare", "says"), BEFORE.values(), ids=BEFORE.keys())
def test_obstacle_of_a_segment_refresh_is_shown_everywhere(
    workspace: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], object],
    says: str,
) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    prepare(tmp_path)
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", show=lambda _: None)
    for place, text in warnings_of_each_place(capsys, workspace).items():
        assert says in text.replace("&#x27;", "'"), place


@pytest.mark.parametrize(("prepare", "says"), AFTER.values(), ids=AFTER.keys())
def test_obstacle_of_an_export_is_shown_in_the_list(
    workspace: Workspace, tmp_path: Path, prepare: Callable[[Workspace], object], says: str
) -> None:
    connect()
    from_file(tmp_path)
    ci.exports.save("Weekly", "All", to=NAME)
    said: list[str] = []
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", show=said.append)
    assert not [each for each in said if says in each]
    prepare(workspace)
    assert says in repr(ci.exports.overview())
    assert says in "\n".join(overview(workspace).exports[0].warnings)


def test_known_token_is_not_reported_missing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", show=lambda _: None)
    workspace.all_connections.change(lambda found: replace(found, environment="production"))
    monkeypatch.setenv("CI_MAGICS_DEVELOPER_TOKEN", "token")
    assert "developer token" not in repr(ci.exports.overview())


def test_missing_subscription_key_is_reported(
    workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    connect()
    ci.segment("Young men", ci.insights("Contoso").segment("Male_under_40"), show=lambda _: None)
    ci.exports.save("Weekly", "Young men", to=NAME)
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", show=lambda _: None)
    says = "The subscription key of Customer Insights Contoso is missing"
    monkeypatch.delenv("CI_MAGICS_SUBSCRIPTION_KEY")
    assert says not in repr(ci.exports.overview())  # the emulator has its own key
    workspace.insights.change(lambda found: replace(found, environment="production"))
    assert says in repr(ci.exports.overview())
    assert says in "\n".join(overview(workspace).exports[0].warnings)
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", "a key")
    assert says not in repr(ci.exports.overview())


def test_missing_scheduler_is_reported_everywhere(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    assert "No scheduler runs" not in repr(ci.exports.overview())
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", show=print)
    assert "No scheduler runs" in capsys.readouterr().out
    for place, text in warnings_of_each_place(capsys, workspace).items():
        if place != "json":
            assert "No scheduler runs" in text, place
    note_heartbeat(workspace, SCHEDULER, datetime.now(UTC))
    for text in warnings_of_each_place(capsys, workspace).values():
        assert "No scheduler runs" not in text


def test_workspace_refresh_and_its_followers_warn_too(workspace: Workspace) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    said: list[str] = []
    ci.exports.schedule("Weekly", follow_system=True, show=said.append)
    assert any("the system refresh, which is off" in each for each in said)
    ci.exports.system_schedule(at=["06:00"], time_zone="UTC", show=said.append)
    assert any("No scheduler runs" in each for each in said)
    assert any("is not refreshed" in each for each in overview(workspace).exports[0].warnings)


def test_inactive_schedule_has_no_warning(workspace: Workspace) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    said: list[str] = []
    ci.exports.schedule("Weekly", active=False, show=said.append)
    assert said == []
    assert overview(workspace).warnings == ()


def test_zone_without_daylight_saving_time_is_pointed_out(workspace: Workspace) -> None:
    assert workspace
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    said: list[str] = []
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="EST", show=said.append)
    assert any("EST has no summer time" in each and "America/New_York" in each for each in said)


@pytest.mark.parametrize("prepare", [_of_a_frame, _made_of_a_frame])
def test_run_with_an_old_segment_shows_its_date(
    workspace: Workspace, tmp_path: Path, prepare: Callable[[Path], object]
) -> None:
    connect()
    prepare(tmp_path)
    ci.exports.save("Weekly", "All", to=NAME)
    refresh(show=lambda _: None)
    (record,) = workspace.runs
    said = f"Sent as of {datetime.now(UTC):%Y-%m-%d}: not evaluated since."
    assert said in repr(load_run(workspace, record))
    assert said in load_run(workspace, record)._repr_html_()
    assert said in next(iter(ci.exports.history("Weekly"))).reason
    assert "sent as of" in repr(ci.status(show=lambda _: None))


def test_segment_evaluated_for_the_run_shows_no_date(workspace: Workspace, tmp_path: Path) -> None:
    connect()
    from_file(tmp_path)
    ci.exports.save("Weekly", "All", to=NAME)
    refresh(show=lambda _: None, clock=FrozenClock(datetime.now(UTC)))
    (record,) = workspace.runs
    assert "as of" not in repr(load_run(workspace, record))


def test_manual_run_shows_the_date_of_a_day_old_segment(workspace: Workspace) -> None:
    connect()
    segment(3)
    ci.exports.save("Weekly", "All", to=NAME)
    old = datetime.now(UTC) - timedelta(days=10)
    workspace.segments.change(lambda found: replace(found, created_at=old))
    workspace.counts.change(lambda found: replace(found, counted_at=old))
    assert f"Sent as of {old:%Y-%m-%d}" in repr(ci.exports.run("Weekly", show=lambda _: None))
