"""What is due: for each saved export the last moment of its schedule for which it has not run yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ci_magics.activation.exports.running import BY_SCHEDULE, BY_SYSTEM
from ci_magics.activation.exports.schedule import Schedule
from ci_magics.activation.exports.system_schedule import SystemSchedule, system_schedule
from ci_magics.workspace.export_models import Export, ExportRun
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
    system, exports = system_schedule(workspace=workspace), list(workspace.exports)
    attempts = attempts_of(workspace, exports, system, now)
    return [due for export in exports if (due := _due(export, system, now, attempts)) is not None]


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


@dataclass(frozen=True)
class Attempts:
    """The runs of exports that decide when these run next.

    Parameters
    ----------
    begun
        Those for the last moment of a schedule, by export and moment.
    waiting
        When those that failed for a while are tried again, by export.
    """

    begun: Mapping[tuple[str, datetime | None], ExportRun]
    waiting: Mapping[str, Sequence[datetime]]


def attempts_of(workspace: Workspace, exports: Sequence[Export], system: SystemSchedule, now: datetime) -> Attempts:
    """Read what of the runs decides when exports run next: two queries, however many exports and runs there are."""
    timings = [timing for export in exports if (timing := timing_of(export, system)) is not None]
    moments = {timing.schedule.latest_until(now) for timing in timings}
    begun = {(run.export_id, run.due_at): run for run in workspace.export_runs.among("due_at", moments)}
    waiting: dict[str, list[datetime]] = {}
    for run in workspace.export_runs.having("retry_at"):
        waiting.setdefault(run.export_id, []).extend([run.retry_at] if run.retry_at else [])
    return Attempts(begun, waiting)


def next_run(export: Export, system: SystemSchedule, now: datetime, attempts: Attempts) -> datetime | None:
    """Return when an export runs next; a moment that has passed when it is due, None when it does not."""
    timing = timing_of(export, system)
    if timing is None:
        return None
    due = _due(export, system, now, attempts)
    if due is not None:
        return due.due_at
    waiting = attempts.waiting.get(export.id, ())
    return min([*waiting, timing.schedule.next_after(max(now, timing.since))])


def next_moments(workspace: Workspace, now: datetime) -> Iterator[datetime]:
    """Yield when something is due next, for each schedule: what a scheduler waits for."""
    system, exports = system_schedule(workspace=workspace), list(workspace.exports)
    if system.schedule is not None and system.active:
        yield system.schedule.next_after(now)
    attempts = attempts_of(workspace, exports, system, now)
    for export in exports:
        moment = next_run(export, system, now, attempts)
        if moment is not None:
            yield moment


def _due(export: Export, system: SystemSchedule, now: datetime, attempts: Attempts) -> Due | None:
    timing = timing_of(export, system)
    if timing is None:
        return None
    due_at = timing.schedule.latest_until(now)
    if due_at <= timing.since:
        return None
    begun = attempts.begun.get((export.id, due_at))
    if begun is not None and (begun.finished_at is not None or (begun.retry_at is not None and begun.retry_at > now)):
        return None
    return Due(export, due_at, timing.trigger)
