"""Find what is due: for each saved export, the latest scheduled time that it has not run for yet."""

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
    export
        The export.
    due_at
        Scheduled time that it is due for. If several were missed, only the latest counts. None for a manual run.
    trigger
        Which schedule triggers it.
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
        The schedule that applies, the export's or that of the system refresh, and its trigger name.
    since
        Scheduled times before this do not count; see `believable`.
    """

    schedule: Schedule
    trigger: str
    since: datetime


def due_exports(workspace: Workspace, now: datetime) -> list[Due]:
    """Return the exports that are due, sorted by name.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    system, exports = system_schedule(workspace), list(workspace.exports)
    attempts = attempts_of(workspace, exports, system, now)
    return [due for export in exports if (due := _due(export, system, now, attempts)) is not None]


def system_due_at(workspace: Workspace, now: datetime) -> datetime | None:
    """Return the latest scheduled time of the system refresh that has no refresh yet, or None.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    system = system_schedule(workspace)
    if (is_on := _is_on(system)) is None:
        return None
    schedule, since = is_on
    if not is_known(schedule.time_zone):
        return None
    due_at = schedule.latest_until(now)
    return due_at if due_at > believable(since, now) and not workspace.refreshes.where(due_at=due_at) else None


def believable(moment: datetime, now: datetime) -> datetime:
    """Return the time since which a schedule is unchanged, or 1970 if that time is far in the future.

    A clock that was far ahead can record such a time. The schedule would then not run until that time, perhaps for
    years. With 1970 it runs once for its latest scheduled time, and after that as scheduled.

    Parameters
    ----------
    moment
        Recorded time.
    now
        Current time, in UTC.
    """
    return _LONG_AGO if moment > now + CLOCKS_DIFFER else moment


def timing_of(export: Export, system: SystemSchedule, now: datetime) -> Timing | None:
    """Return when an export runs.

    Parameters
    ----------
    export
        The export.
    system
        Schedule of the system refresh.
    now
        Current time, in UTC.

    Returns
    -------
    Timing or None
        None if the schedule that applies is off, if the export has no connection, or if this machine does not know the
        time zone.
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
    """The runs that decide when exports run next.

    Parameters
    ----------
    begun
        Runs for the latest scheduled times, by export id and scheduled time.
    waiting
        Retry times of runs that failed with a transient error, by export id.
    """

    begun: Mapping[tuple[str, datetime | None], ExportRun]
    waiting: Mapping[str, Sequence[datetime]]


def attempts_of(workspace: Workspace, exports: Sequence[Export], system: SystemSchedule, now: datetime) -> Attempts:
    """Read the runs that decide when exports run next.

    Makes two queries, regardless of the number of exports and runs.

    Parameters
    ----------
    workspace
        Workspace to use.
    exports
        Exports to look up.
    system
        Schedule of the system refresh.
    now
        Current time, in UTC.
    """
    timings = [timing for export in exports if (timing := timing_of(export, system, now)) is not None]
    moments = {timing.schedule.latest_until(now) for timing in timings}
    begun = {(run.export_id, run.due_at): run for run in workspace.export_runs.where_in("due_at", moments)}
    waiting: dict[str, list[datetime]] = {}
    for run in workspace.export_runs.having("retry_at"):
        waiting.setdefault(run.export_id, []).extend([run.retry_at] if run.retry_at else [])
    return Attempts(begun, waiting)


def next_run(export: Export, system: SystemSchedule, now: datetime, attempts: Attempts) -> datetime | None:
    """Return when an export runs next.

    Parameters
    ----------
    export
        The export.
    system
        Schedule of the system refresh.
    now
        Current time, in UTC.
    attempts
        Runs that `attempts_of` read.

    Returns
    -------
    datetime or None
        In the past if the export is overdue; None if it is not scheduled.
    """
    timing = timing_of(export, system, now)
    if timing is None:
        return None
    due = _due(export, system, now, attempts)
    if due is not None:
        return due.due_at
    # Ignore retry times that a wrong clock set too far in the future.
    waiting = [each for each in attempts.waiting.get(export.id, ()) if each <= now + RETRY_AFTER[-1]]
    return min([*waiting, timing.schedule.next_after(max(now, timing.since))])


def next_moments(workspace: Workspace, now: datetime) -> Iterator[datetime]:
    """Yield the next scheduled time of the system refresh and of each export, for the scheduler to wait for.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    system, exports = system_schedule(workspace), list(workspace.exports)
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
    # A run without an end was interrupted or waits for a retry; it is due unless it must wait longer.
    begun = attempts.begun.get((export.id, due_at))
    if begun is not None and (begun.finished_at is not None or _waits(begun, now)):
        return None
    return Due(export, due_at, timing.trigger)


def _waits(begun: ExportRun, now: datetime) -> bool:
    """Return whether it is too early to retry a run. No run waits longer than the longest delay in `RETRY_AFTER`."""
    return begun.retry_at is not None and now < begun.retry_at <= now + RETRY_AFTER[-1]


def _is_on(system: SystemSchedule) -> tuple[Schedule, datetime] | None:
    """Return the schedule of the system refresh and since when it is unchanged; None if it is off."""
    if system.schedule is None or system.since is None or not system.active:
        return None
    return system.schedule, system.since
