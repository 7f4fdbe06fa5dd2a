"""List the saved exports in a table: segments, connection, last run, next run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ci_magics.activation.exports.due import Attempts, attempts_of, next_run, timing_of
from ci_magics.activation.exports.heartbeats import workspace_obstacles
from ci_magics.activation.exports.schedule_checks import (
    Surroundings,
    is_scheduled,
    obstacles,
    surroundings,
)
from ci_magics.activation.exports.schedule_settings import schedule_text
from ci_magics.activation.exports.system_schedule import SystemSchedule, system_schedule
from ci_magics.activation.exports.time_zones import zone_of
from ci_magics.advice import CONNECTION, NAME, SEGMENT, Do, worded
from ci_magics.clock import CLOCKS_DIFFER, Clock
from ci_magics.display.result_table import Column, ResultList, as_minute, frame_only
from ci_magics.workspace.access import Verb, may, require
from ci_magics.workspace.export_models import NO_CONNECTION, Export, ExportRun
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

NOT_RUN = "Not run yet"


@dataclass(frozen=True)
class ExportLine:
    """One line in the list of exports.

    Parameters
    ----------
    name, connection, segments
        Export name, connection name, and segment names.
    status, reason
        Status of the last run, regardless of its trigger; or that it has not run, or has no connection.
    last_run
        When the last run started.
    next_run
        When it runs next. In the past if it is overdue; None if no schedule is on.
    overdue
        Whether ``next_run`` has passed.
    time_zone
        Time zone of its schedule.
    schedule
        The schedule in words.
    permissions
        ``edit`` or ``view``: what the current user may do with it.
    warnings
        What prevents its schedule from running: messages with a next step.
    """

    name: str
    connection: str
    segments: tuple[str, ...]
    status: str
    reason: str
    last_run: datetime | None
    next_run: datetime | None
    overdue: bool
    time_zone: str
    schedule: str
    permissions: str
    warnings: tuple[str, ...] = ()

    @property
    def next_run_text(self) -> str:
        """The next run in the time zone of its schedule."""
        if self.next_run is None:
            return "-"
        text = f"{self.next_run.astimezone(zone_of(self.time_zone)):%Y-%m-%d %H:%M %Z}"
        return f"due since {text}" if self.overdue else text


@dataclass(frozen=True, repr=False)
class ExportList(ResultList[ExportLine]):
    """Saved exports, sorted by name.

    Parameters
    ----------
    exports
        One line for each export.
    notes
        What was just done, and what prevents all schedules from running. Shown below the table.
    """

    exports: tuple[ExportLine, ...]
    notes: tuple[str, ...] = ()

    _columns = (
        Column("Export", "name"),
        Column("Connection", "connection"),
        Column("Segments", "segments"),
        *frame_only("status", "reason"),
        Column("Status", lambda each: f"{each.status}: {each.reason}" if each.reason else each.status),
        Column("Last run (UTC)", "last_run", lambda moment: as_minute(moment) or "-"),
        *frame_only("next_run", "time_zone"),
        Column("Next run", lambda each: each.next_run_text),
        Column("Schedule", "schedule"),
        Column("Your permissions", "permissions"),
        *frame_only("warnings"),
    )

    @property
    def _if_empty(self) -> str:
        return f"No export is saved yet. Save one: {Do('exports.save', NAME, SEGMENT, to=CONNECTION)}."

    @property
    def _rows(self) -> tuple[ExportLine, ...]:
        return self.exports

    @property
    def _notes(self) -> tuple[str, ...]:
        return (*self.warnings, *self.notes)

    def names(self) -> list[str]:
        """Return the export names."""
        return [each.name for each in self.exports]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What prevents the schedules of the listed exports from running."""
        return tuple(f"! {each.name}: {warning}" for each in self.exports for warning in each.warnings)


def list_exports(workspace: Workspace, names: Sequence[str], clock: Clock) -> ExportList:
    """List saved exports, all without names; see `Exports.overview`."""
    require(workspace, Verb.LIST_EXPORTS)
    exports = [workspace.exports[name] for name in names] or list(workspace.exports)
    around = _around(workspace, exports, clock.now())
    lines = tuple(_line(each, around) for each in exports)
    scheduled = any(is_scheduled(each, around.system) for each in exports)
    notes = tuple(f"! {each}" for each in workspace_obstacles(workspace, around.now)) if scheduled else ()
    return ExportList(lines, notes)


@dataclass(frozen=True)
class _Around:
    """Data that the lines need in addition to the exports, read once for all of them."""

    now: datetime
    system: SystemSchedule
    attempts: Attempts
    last_runs: Mapping[str, ExportRun]
    connections: Mapping[str, Connection]
    editable: Mapping[str | None, bool]
    surroundings: Surroundings


def _around(workspace: Workspace, exports: Sequence[Export], now: datetime) -> _Around:
    system = system_schedule(workspace)
    found = surroundings(workspace)
    connections = found.connections
    return _Around(
        now=now,
        system=system,
        attempts=attempts_of(workspace, exports, system, now),
        last_runs=_last_runs(workspace, now),
        connections=connections,
        surroundings=found,
        editable={
            None: may(workspace, Verb.EDIT_EXPORT),
            **{key: may(workspace, Verb.EDIT_EXPORT, each) for key, each in connections.items()},
        },
    )


def _last_runs(workspace: Workspace, now: datetime) -> dict[str, ExportRun]:
    """Return the last run of each export; one with a date far in the future counts only if there is no other."""
    until = now + CLOCKS_DIFFER
    found = {each.export_id: each for each in workspace.export_runs.last_of_each("export_id")}
    if all(each.started_at <= until for each in found.values()):
        return found
    return found | {each.export_id: each for each in workspace.export_runs.last_of_each("export_id", until=until)}


def _line(export: Export, around: _Around) -> ExportLine:
    last = around.last_runs.get(export.id)
    status, reason = (last.status, worded(last.reason)) if last else (NOT_RUN, "")
    timing = timing_of(export, around.system, around.now)
    moment = next_run(export, around.system, around.now, around.attempts)
    connection = around.connections.get(export.connection_id or "")
    return ExportLine(
        name=export.name,
        connection=export.connection if connection else NO_CONNECTION,
        segments=export.segments,
        status=status if connection else NO_CONNECTION,
        reason=reason if connection else "",
        last_run=last.started_at if last else None,
        next_run=moment,
        overdue=moment is not None and moment <= around.now,
        time_zone=timing.schedule.time_zone if timing else "UTC",
        schedule=schedule_text(export, around.system),
        permissions="edit" if around.editable[connection.id if connection else None] else "view",
        warnings=obstacles(export, around.surroundings),
    )
