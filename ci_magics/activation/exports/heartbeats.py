"""Detect whether anything starts scheduled work: schedulers and ``ci-magics refresh`` leave heartbeats."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ci_magics.advice import Command
from ci_magics.clock import CLOCKS_DIFFER
from ci_magics.workspace.export_models import Heartbeat
from ci_magics.workspace.processes import is_running, process_name, process_place
from ci_magics.workspace.store import Workspace

SCHEDULER, REFRESH = "scheduler", "refresh"
#: Name of the lock that a refresh holds while it works.
REFRESH_LOCK = "refresh"
#: The scheduler leaves a heartbeat at least every 30 seconds. After this long without one, it counts as stopped.
SILENCE = timedelta(minutes=5)
#: Cron or a timer runs ``ci-magics refresh`` at regular intervals. It may be late by one interval, or by this.
LEAST_PAUSE = timedelta(minutes=5)
HOW_TO_START = (
    f"Start a scheduler in a terminal that stays open: {Command('scheduler')}; "
    f"or let cron look every five minutes: */5 * * * * {Command('refresh', due_only=True)}"
)


@dataclass(frozen=True)
class SchedulerState:
    """Whether anything starts scheduled work.

    Parameters
    ----------
    is_running
        Whether a scheduler runs, or ``ci-magics refresh`` runs at regular intervals.
    last_seen
        Time of the last heartbeat of either; None if there is none.
    """

    is_running: bool
    last_seen: datetime | None

    @property
    def warning(self) -> str:
        """What is wrong and how to fix it; empty if something starts scheduled work."""
        if self.is_running:
            return ""
        since = f" (last seen {self.last_seen:%Y-%m-%d %H:%M} UTC)" if self.last_seen else ""
        return f"No scheduler runs{since}, so nothing is started on schedule. {HOW_TO_START}"


def note_heartbeat(workspace: Workspace, kind: str, now: datetime) -> None:
    """Record a heartbeat of a scheduler or a refresh.

    Parameters
    ----------
    workspace
        Workspace whose schedules the process serves.
    kind
        ``scheduler`` or ``refresh``.
    now
        Current time, in UTC.
    """
    identity = f"{kind}:{platform.node()}:{workspace.user}"[:300]
    before = next(iter(workspace.heartbeats.where(id=identity)), None)
    workspace.heartbeats.put(
        Heartbeat(
            id=identity,
            kind=kind,
            user=workspace.user,
            host=platform.node(),
            process=process_name(os.getpid()),
            seen_at=now,
            seen_before=before.seen_at if before else None,
            place=process_place(),
        )
    )


def scheduler_state(workspace: Workspace, now: datetime) -> SchedulerState:
    """Return whether anything starts scheduled work. Heartbeats dated in the future by a wrong clock do not count.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    beats = [each for each in workspace.heartbeats if each.seen_at <= now + CLOCKS_DIFFER]
    holder = workspace.locks.holder(REFRESH_LOCK)
    is_busy = holder is not None and holder.is_alive
    is_on = is_busy or any(_lives(each, now) if each.kind == SCHEDULER else _returns(each, now) for each in beats)
    return SchedulerState(is_on, max((each.seen_at for each in beats), default=None))


def _lives(beat: Heartbeat, now: datetime) -> bool:
    """Return whether a scheduler still runs; also checks its process if it runs on this machine."""
    if now - beat.seen_at > SILENCE:
        return False
    can_be_seen = beat.host == platform.node() and beat.place and beat.place == process_place()
    return not can_be_seen or is_running(beat.process)


def _returns(beat: Heartbeat, now: datetime) -> bool:
    """Return whether ``ci-magics refresh`` ran at least twice and is late by at most one interval."""
    if beat.seen_before is None:
        return False
    pause = max(beat.seen_at - beat.seen_before, LEAST_PAUSE)
    return now - beat.seen_at <= 2 * pause


def workspace_obstacles(workspace: Workspace, now: datetime) -> tuple[str, ...]:
    """Return what prevents all schedules of a workspace from running: messages with a next step.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    return tuple(each for each in (scheduler_state(workspace, now).warning, _temporary(workspace)) if each)


def is_temporary(path: Path) -> bool:
    """Return whether a path is in a folder that the system may empty."""
    places = (Path(each).resolve() for each in (tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108 - compared, not used
    return any(path.resolve().is_relative_to(each) for each in places)


def _temporary(workspace: Workspace) -> str:
    if not is_temporary(workspace.folder):
        return ""
    return (
        "The workspace is in a temporary folder, which the system may empty, and the schedules with it. "
        "Set CI_MAGICS_WORKSPACE to another one."
    )
