"""Times recorded by a wrong clock do not prevent a schedule from running after the clock is corrected."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import contoso
import pytest
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.activation.exports.due import due_exports, next_moments
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.activation.refreshes.scheduler import run_scheduler
from ci_magics.clock import SystemClock

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

RIGHT = datetime(2026, 3, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
#: How far the clock was wrong when the schedule was set.
ERRORS = [timedelta(days=each) for each in (365 * 5, 40, 2, 10 / 24, -2, -365 * 50)]


@pytest.fixture(autouse=True)
def _saved(emulator: object, workspace: Workspace) -> None:
    """Save an export whose runs are skipped for lack of consent, which makes the test fast."""
    assert emulator
    contoso.connect()
    contoso.segment(3)
    ci.exports.save("Weekly", "All", to=contoso.NAME)
    ci.connect(contoso.NAME, withdraw=True, show=lambda _: None)
    workspace.exports.change(lambda export: replace(export, scheduled_at=RIGHT - 30 * DAY))


def days_of_runs(workspace: Workspace, clock: FrozenClock, days: int) -> list[str]:
    """Check the schedule every hour, and return the times for which the export ran."""
    end = clock.moment + days * DAY
    while clock.moment < end:
        refresh(due_only=True, show=lambda _: None, workspace=workspace, clock=clock)
        clock.advance(hours=1)
    return [f"{each.due_at:%m-%d %H}" for each in workspace.export_runs if each.due_at is not None]


@pytest.mark.matrix
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("follows_system", [False, True])
def test_schedule_of_a_wrong_clock_runs_once_and_then_on_time(
    workspace: Workspace, error: timedelta, follows_system: bool
) -> None:
    clock = FrozenClock(RIGHT + error)
    if follows_system:
        ci.exports.schedule("Weekly", follow_system=True, clock=clock)
        workspace.exports.change(lambda export: replace(export, scheduled_at=clock.now()))
        ci.exports.system_schedule(at=["06:00"], time_zone="UTC", clock=clock)
    else:
        ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=clock)
    clock.moment = RIGHT
    (line,) = ci.exports.overview("Weekly", clock=clock)
    assert line.next_run is not None
    assert abs(line.next_run - RIGHT) <= DAY
    assert min(next_moments(workspace, RIGHT)) <= RIGHT + DAY
    assert days_of_runs(workspace, clock, 3) == ["03-28 06", "03-29 06", "03-30 06", "03-31 06"]


@pytest.mark.parametrize("follows_system", [False, True])
def test_schedule_that_is_set_again_starts_now(workspace: Workspace, follows_system: bool) -> None:
    clock = FrozenClock(RIGHT + 2000 * DAY)

    def schedule() -> None:
        if follows_system:
            ci.exports.system_schedule(at=["06:00"], time_zone="UTC", clock=clock)
        else:
            ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=clock)

    schedule()
    clock.moment = RIGHT
    schedule()
    assert due_exports(workspace, RIGHT) == []
    assert days_of_runs(workspace, clock, 2) == ["03-29 06", "03-30 06"]


def test_small_clock_differences_run_nothing_early(workspace: Workspace) -> None:
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=FrozenClock(RIGHT + timedelta(minutes=3)))
    assert due_exports(workspace, RIGHT) == []


def test_retry_postponed_to_the_far_future_runs_now(workspace: Workspace) -> None:
    clock = FrozenClock(RIGHT)
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=FrozenClock(RIGHT - 10 * DAY))
    refresh(due_only=True, show=lambda _: None, clock=clock)
    workspace.export_runs.change(
        lambda entry: replace(entry, status="Queued", finished_at=None, retry_at=RIGHT + 900 * DAY)
    )
    (line,) = ci.exports.overview("Weekly", clock=clock)
    assert line.next_run is not None
    assert line.next_run <= RIGHT + DAY
    assert [each.export.name for each in due_exports(workspace, RIGHT)] == ["Weekly"]


def test_run_dated_by_a_wrong_clock_is_not_the_last_run(workspace: Workspace) -> None:
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=FrozenClock(RIGHT - 10 * DAY))
    clock = FrozenClock(RIGHT)
    refresh(due_only=True, show=lambda _: None, clock=clock)
    workspace.export_runs.change(lambda entry: replace(entry, started_at=RIGHT + 900 * DAY))
    (line,) = ci.exports.overview("Weekly", clock=clock)
    assert line.last_run == RIGHT + 900 * DAY  # the only run
    clock.advance(days=1)
    refresh(due_only=True, show=lambda _: None, clock=clock)
    (line,) = ci.exports.overview("Weekly", clock=clock)
    assert line.last_run == clock.now()


def test_lock_seen_in_the_far_future_is_not_held(workspace: Workspace) -> None:
    assert workspace.locks.take("here", "run") is None
    holder = workspace.locks.holder("here")
    assert holder is not None
    elsewhere = replace(holder, host="another machine")
    assert elsewhere.is_alive
    assert not replace(elsewhere, seen_at=elsewhere.seen_at + 900 * DAY).is_alive


def test_scheduler_continues_after_its_clock_is_set_back(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a duration, whatever its clock says."""
    waited: list[float] = []
    handlers: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda _number, handler: handlers.append(handler))

    class SetBack(SystemClock):
        moment = RIGHT + 2000 * DAY

        def now(self) -> datetime:
            return self.moment

        def sleep(self, seconds: float) -> None:
            self.moment = RIGHT
            waited.append(seconds)
            if len(waited) > 70:
                raise KeyboardInterrupt

    said: list[str] = []
    ci.exports.schedule("Weekly", at=["06:00"], time_zone="UTC", clock=FrozenClock(RIGHT - 10 * DAY))
    run_scheduler(show=said.append, workspace=workspace, clock=SetBack())
    assert said[-1] == "Scheduler ended."
    assert max(waited) <= 1
    assert [f"{each.due_at:%Y-%m-%d}" for each in workspace.export_runs if each.due_at is not None] == [
        "2026-03-28",
        "2031-09-18",
    ]
