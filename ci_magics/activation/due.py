"""What is due: for each saved export the last moment of its schedule for which it has not run yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ci_magics.activation.export_runs import BY_SCHEDULE, BY_SYSTEM
from ci_magics.activation.schedule import Schedule
from ci_magics.activation.system_schedule import SystemSchedule, system_schedule
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Due:
    """An export that is due.

    Parameters
    ----------
    due_at
        The moment that it is due for: only the last one counts, however many were missed. None when somebody asks.
    trigger
        By which schedule.
    """

    export: Export
    due_at: datetime | None
    trigger: str


@dataclass(frozen=True)
class Timing:
    """When an export runs.

    Parameters
    ----------
    schedule, trigger
        Its own schedule or that of the system refresh.
    since
        What was due before does not count.
    """

    schedule: Schedule
    trigger: str
    since: datetime


def due_exports(workspace: Workspace, now: datetime) -> list[Due]:
    """Return the exports that are due, by name."""
    system = system_schedule(workspace=workspace)
    return [due for export in workspace.exports if (due := _due(workspace, export, system, now)) is not None]


def system_due_at(workspace: Workspace, now: datetime) -> datetime | None:
    """Return the last moment of the system refresh that nobody has refreshed for yet."""
    system = system_schedule(workspace=workspace)
    if system.schedule is None or system.since is None or not system.active:
        return None
    due_at = system.schedule.latest_until(now)
    return due_at if due_at > system.since and not workspace.refreshes.where(due_at=due_at) else None


def timing_of(export: Export, system: SystemSchedule) -> Timing | None:
    """Return when an export runs; None when its schedule is off, it follows one that is, or it has no connection."""
    if not export.active or export.connection_id is None:
        return None
    if export.schedule is not None:
        return Timing(Schedule.model_validate(export.schedule), BY_SCHEDULE, export.scheduled_at)
    if system.schedule is None or system.since is None or not system.active:
        return None
    return Timing(system.schedule, BY_SYSTEM, max(export.scheduled_at, system.since))


def next_run(workspace: Workspace, export: Export, system: SystemSchedule, now: datetime) -> datetime | None:
    """Return when an export runs next; a moment that has passed when it is due, None when it does not."""
    timing = timing_of(export, system)
    if timing is None:
        return None
    due = _due(workspace, export, system, now)
    if due is not None:
        return due.due_at
    waiting = [each.retry_at for each in workspace.export_runs.where(export_id=export.id) if each.retry_at]
    return min([*waiting, timing.schedule.next_after(max(now, timing.since))])


def next_moments(workspace: Workspace, now: datetime) -> Iterator[datetime]:
    """Yield when something is due next, for each schedule: what a scheduler waits for."""
    system = system_schedule(workspace=workspace)
    if system.schedule is not None and system.active:
        yield system.schedule.next_after(now)
    for export in workspace.exports:
        moment = next_run(workspace, export, system, now)
        if moment is not None:
            yield moment


def _due(workspace: Workspace, export: Export, system: SystemSchedule, now: datetime) -> Due | None:
    timing = timing_of(export, system)
    if timing is None:
        return None
    due_at = timing.schedule.latest_until(now)
    if due_at <= timing.since:
        return None
    begun = next(iter(workspace.export_runs.where(export_id=export.id, due_at=due_at)), None)
    if begun is not None and (begun.finished_at is not None or (begun.retry_at is not None and begun.retry_at > now)):
        return None
    return Due(export, due_at, timing.trigger)
