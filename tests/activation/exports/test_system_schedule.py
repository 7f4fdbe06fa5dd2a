"""The schedule of the whole workspace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import FrozenClock

from ci_magics.activation.exports import due
from ci_magics.activation.exports.due import system_due_at
from ci_magics.activation.exports.schedule import make_schedule
from ci_magics.activation.exports.system_schedule import set_system_schedule, system_schedule

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def quietly(_sentence: str) -> None:
    """Show nothing."""


def test_schedule_set_again_keeps_its_start(workspace: Workspace) -> None:
    schedule = make_schedule(at=["06:00"], time_zone="Europe/Berlin")
    clock = FrozenClock(NOON)
    set_system_schedule(workspace, schedule, active=True, clock=clock, show=quietly)
    noted = len(list(workspace.audit))
    clock.moment += timedelta(days=3)
    set_system_schedule(workspace, schedule, active=True, clock=clock, show=quietly)
    assert system_schedule(workspace).since == NOON
    assert len(list(workspace.audit)) == noted
    assert system_due_at(workspace, clock.now()) == datetime(2026, 3, 31, 4, tzinfo=UTC)


def test_nothing_is_due_in_a_time_zone_that_this_machine_does_not_know(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = make_schedule(at=["06:00"], time_zone="Europe/Berlin")
    set_system_schedule(workspace, schedule, active=True, clock=FrozenClock(NOON), show=quietly)
    assert system_due_at(workspace, NOON + timedelta(days=1)) is not None
    monkeypatch.setattr(due, "is_known", lambda _zone: False)
    assert system_due_at(workspace, NOON + timedelta(days=1)) is None
