from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zoneinfo import ZoneInfo

import contoso
import pytest
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.activation.exports.due import next_moments
from ci_magics.activation.refreshes.scheduler import LOOKS_EVERY, PATIENCE, look, next_look, run_scheduler
from ci_magics.errors import AccessError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

PROGRAM = Path(sys.executable).with_name("ci-magics")
ZONES = ("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe")


@pytest.fixture(autouse=True)
def connection(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator
    assert workspace
    contoso.connect()


def saved(name: str, clock: FrozenClock, **schedule: object) -> None:
    """Save an export with its own segment, scheduled at the time of the clock."""
    contoso.segment(3, name=name)
    ci.exports.save(name, name, to=contoso.NAME)
    ci.exports.schedule(name, clock=clock, **schedule)  # type: ignore[arg-type]


def overdue(*names: str) -> None:
    """Save exports that have been due for a minute."""
    now = datetime.now(UTC)
    for name in names:
        saved(name, FrozenClock(now - timedelta(hours=2)), at=[(now - timedelta(minutes=1)).time()], time_zone="UTC")


@contextmanager
def schedulers(count: int = 1) -> Iterator[tuple[IO[str], list[subprocess.Popen[bytes]]]]:
    """Start schedulers that write to one pipe, and stop them."""
    reading, writing = os.pipe()
    processes = [subprocess.Popen([PROGRAM, "scheduler"], stdout=writing) for _number in range(count)]
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            yield said, processes
    finally:
        for process in processes:
            process.kill()
            process.wait(timeout=20)


def told_of(said: IO[str], *names: str) -> None:
    """Read until each of these exports is reported as completed."""
    waiting = set(names)
    while waiting:
        words = said.readline().split()
        assert words, "the scheduler ended"
        if words[:1] == ["export"]:
            assert words[2] == "Completed"
            waiting.remove(words[1])


@pytest.mark.slow
def test_missed_runs_are_caught_up_once_even_after_a_kill(workspace: Workspace) -> None:
    overdue("A")
    with schedulers() as (said, _processes):
        told_of(said, "A")
    overdue("B")
    with schedulers() as (said, [process]):
        told_of(said, "B")
        process.send_signal(signal.SIGTERM)
        assert "Scheduler ended." in said.read()
        assert process.wait(timeout=60) == 0
    assert Counter(each.export_name for each in workspace.export_runs) == {"A": 1, "B": 1}


@pytest.mark.slow
def test_two_schedulers_run_nothing_twice(workspace: Workspace, emulator: RunningEmulator) -> None:
    names = [f"E{number}" for number in range(5)]
    overdue(*names)
    with schedulers(2) as (said, _processes):
        told_of(said, *names)
    assert Counter(each.export_name for each in workspace.export_runs) == dict.fromkeys(names, 1)
    assert len(emulator.audiences()) == 5
    assert emulator.operations().count("AddAudiences") == 5


def test_scheduler_wakes_up_when_something_is_due_and_regularly(workspace: Workspace) -> None:
    clock = FrozenClock()
    assert next_look(workspace, clock.now()) == clock.now() + LOOKS_EVERY
    saved("A", clock, at=["12:00", "13:00"], time_zone="UTC")
    clock.advance(minutes=59, seconds=50)
    assert next_look(workspace, clock.now()) == clock.now() + timedelta(seconds=10)
    clock.advance(minutes=1)
    assert next_look(workspace, clock.now()) == clock.now() + PATIENCE


def test_error_is_reported_and_the_scheduler_continues(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = FrozenClock()
    look(workspace, said.append, clock)
    workspace.locks.take("refresh", "another")
    saved("A", clock, at=["13:00"], time_zone="UTC")
    clock.advance(hours=2)
    look(workspace, said.append, clock)
    assert said == []

    def broken(**_arguments: object) -> None:
        raise ValueError("jan@contoso.com")

    monkeypatch.setattr("ci_magics.activation.refreshes.scheduler.refresh", broken)
    look(workspace, said.append, clock)
    assert said == ["The refresh failed unexpectedly (ValueError); the scheduler continues."]


def test_user_who_cannot_refresh_cannot_start_a_scheduler(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workspace
    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    with pytest.raises(AccessError):
        run_scheduler()


@pytest.mark.slow
def test_year_of_schedules_in_three_time_zones(workspace: Workspace) -> None:
    """Clocks change on Sundays. Nothing is sent without consent, which makes the year fast."""
    ci.connect(contoso.NAME, withdraw=True)
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    for zone in ZONES:
        saved(zone, clock, at=["02:15"], weekly=["Sunday"], time_zone=zone)
    said: list[str] = []
    end = datetime(2027, 1, 1, tzinfo=UTC)
    while (moment := min(next_moments(workspace, clock.now()))) < end:
        clock.moment = moment
        for _scheduler in range(2):
            look(workspace, said.append, clock)
    runs = {zone: [each for each in workspace.export_runs if each.export_name == zone] for zone in ZONES}
    for zone, entries in runs.items():
        assert {each.status for each in entries} == {"Skipped"}
        local = [each.started_at.astimezone(ZoneInfo(zone)) for each in entries]
        assert len({each.date() for each in local}) == len(entries) == 52
        odd = [f"{each:%m-%d %H:%M}" for each in local if f"{each:%H:%M}" != "02:15"]
        assert (
            odd
            == {
                "Europe/Amsterdam": ["03-29 03:00"],
                "America/New_York": ["03-08 03:00"],
                "Australia/Lord_Howe": ["10-04 02:30"],
            }[zone]
        )
        back = {"Europe/Amsterdam": "10-25", "America/New_York": "11-01", "Australia/Lord_Howe": "04-05"}[zone]
        assert f"{back} 02:15" in [f"{each:%m-%d %H:%M}" for each in local]
