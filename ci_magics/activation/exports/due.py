"""What is due: for each saved export the last moment of its schedule for which it has not run yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ci_magics.activation.exports.saved_runs import BY_SCHEDULE, BY_SYSTEM, RETRY_AFTER
from ci_magics.activation.exports.schedule import Schedule
from ci_magics.activation.exports.system_schedule import SystemSchedule, system_schedule
from ci_magics.activation.exports.time_zones import is_known
from ci_magics.clock import CLOCKS_DIFFER
from ci_magics.workspace.export_models import Export, ExportRun
from ci_magics.workspace.store import Workspace

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
        What was due before does not count; see `believable`.
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
    if (is_on := _is_on(system)) is None:
        return None
    schedule, since = is_on
    if not is_known(schedule.time_zone):
        return None
    due_at = schedule.latest_until(now)
    return due_at if due_at > believable(since, now) and not workspace.refreshes.where(due_at=due_at) else None


def believable(moment: datetime, now: datetime) -> datetime:
    """Return since when a schedule is as it is; long ago where that was noted under a clock that was far ahead.

    Such a schedule would not run before that moment comes, perhaps in years. So it runs once for its last moment, as
    one that was set long ago, and from then on as it says.
    """
    return _LONG_AGO if moment > now + CLOCKS_DIFFER else moment


def timing_of(export: Export, system: SystemSchedule, now: datetime) -> Timing | None:
    """Return when an export runs.

    None when its schedule is off, it follows one that is, it has no connection, or this machine does not know the time
    zone.
    """
    if not export.active or export.connection_id is None:
        return None
    if export.schedule is not None:
        schedule = Schedule.model_validate(export.schedule)
        timing = Timing(schedule, BY_SCHEDULE, believable(export.scheduled_at, now))
    elif (is_on := _is_on(system)) is not None:
        schedule, since = is_on
        timing = Timing(schedule, BY_SYSTEM, max(believable(export.scheduled_at, now), believable(since, now)))
    else:
        return None
    return timing if is_known(timing.schedule.time_zone) else None


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
    timings = [timing for export in exports if (timing := timing_of(export, system, now)) is not None]
    moments = {timing.schedule.latest_until(now) for timing in timings}
    begun = {(run.export_id, run.due_at): run for run in workspace.export_runs.among("due_at", moments)}
    waiting: dict[str, list[datetime]] = {}
    for run in workspace.export_runs.having("retry_at"):
        waiting.setdefault(run.export_id, []).extend([run.retry_at] if run.retry_at else [])
    return Attempts(begun, waiting)


def next_run(export: Export, system: SystemSchedule, now: datetime, attempts: Attempts) -> datetime | None:
    """Return when an export runs next; a moment that has passed when it is due, None when it does not."""
    timing = timing_of(export, system, now)
    if timing is None:
        return None
    due = _due(export, system, now, attempts)
    if due is not None:
        return due.due_at
    waiting = [each for each in attempts.waiting.get(export.id, ()) if each <= now + RETRY_AFTER[-1]]
    return min([*waiting, timing.schedule.next_after(max(now, timing.since))])


def next_moments(workspace: Workspace, now: datetime) -> Iterator[datetime]:
    """Yield when something is due next, for each schedule: what a scheduler waits for."""
    system, exports = system_schedule(workspace=workspace), list(workspace.exports)
    if (is_on := _is_on(system)) is not None and is_known(is_on[0].time_zone):
        yield is_on[0].next_after(now)
    attempts = attempts_of(workspace, exports, system, now)
    for export in exports:
        moment = next_run(export, system, now, attempts)
        if moment is not None:
            yield moment


def _due(export: Export, system: SystemSchedule, now: datetime, attempts: Attempts) -> Due | None:
    timing = timing_of(export, system, now)
    if timing is None:
        return None
    due_at = timing.schedule.latest_until(now)
    if due_at <= timing.since:
        return None
    begun = attempts.begun.get((export.id, due_at))
    if begun is not None and (begun.finished_at is not None or _waits(begun, now)):
        return None
    return Due(export, due_at, timing.trigger)


def _waits(begun: ExportRun, now: datetime) -> bool:
    """Tell whether it is not yet time to try a run again; nobody waits longer than the longest pause."""
    return begun.retry_at is not None and now < begun.retry_at <= now + RETRY_AFTER[-1]


def _is_on(system: SystemSchedule) -> tuple[Schedule, datetime] | None:
    """Return the schedule of the system refresh and since when it is as it is; None where it is off."""
    if system.schedule is None or system.since is None or not system.active:
        return None
    return system.schedule, system.since
