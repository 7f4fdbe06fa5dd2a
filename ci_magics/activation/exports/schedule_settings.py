"""Give saved exports their schedules: their own, that of the system refresh, or none for now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from ci_magics.activation.exports.heartbeats import workspace_obstacles
from ci_magics.activation.exports.saving import change_export, connection_of
from ci_magics.activation.exports.schedule import Schedule, schedule_of
from ci_magics.activation.exports.schedule_checks import is_scheduled, obstacles, surroundings
from ci_magics.activation.exports.system_schedule import SystemSchedule
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import tell
from ci_magics.errors import ArgumentError, quoted_list
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.store import Workspace, open_workspace


def schedule_export(
    *names: str,
    at: Sequence[str | dt.time] = (),
    weekly: Sequence[str] = (),
    time_zone: str | None = None,
    follow_system: bool = False,
    active: bool | None = None,
    keep: bool | None = None,
    workspace: Workspace | None = None,
    clock: Clock | None = None,
    show: Callable[[str], None] = tell,
) -> list[Export]:
    """Give exports their own schedule, let them follow the system refresh, or turn their schedules on and off.

    What was due before now does not count any more: nothing is caught up because a schedule changed.

    Parameters
    ----------
    names
        The exports.
    at
        Times of the day for their own schedule, one to four, such as ``06:30``.
    weekly
        Only on these days of the week; every day unless given.
    time_zone
        Such as ``Europe/Amsterdam``; the one of this machine unless given.
    follow_system
        Let them follow the system refresh instead.
    active
        Whether their schedules are on; a new schedule is, unless told.
    keep
        For several exports of which some have their own schedule: True keeps those, False replaces them.
    show
        Called with each sentence about what keeps a schedule from doing its job.

    Raises
    ------
    ArgumentError
        Nothing is asked, or two things that exclude each other; or several exports have their own schedules and
        ``keep`` was not given.
    """
    workspace = workspace or open_workspace()
    exports = [workspace.exports[name] for name in names]
    schedule = schedule_of(at, weekly, time_zone)
    _require_one_choice(names, schedule, follow_system, active)
    for export in exports:
        require(workspace, Verb.SCHEDULE_EXPORT, connection_of(workspace, export))
    changes_timing = schedule is not None or follow_system
    own = [each for each in exports if each.schedule is not None]
    if changes_timing and len(exports) > 1 and own and keep is None:
        raise ArgumentError(
            f"These exports already have their own schedule: {quoted_list(each.name for each in own)}.",
            "Use --keep to leave those as they are, or --replace to give all the new one.",
            code="keep_or_replace",
        )
    document = schedule.document() if schedule else None
    clock = clock or SystemClock()
    now = clock.now()

    def scheduled(found: Export) -> Export:
        stays = not changes_timing or (bool(keep) and found.schedule is not None)
        wanted = replace(
            found,
            schedule=found.schedule if stays else document,
            active=(found.active or not stays) if active is None else active,
        )
        # Set once more under a right clock, a schedule that was set under a wrong one counts from now.
        is_as_it_was = wanted == found and found.scheduled_at <= now
        return wanted if is_as_it_was else replace(wanted, scheduled_at=now)

    chosen_text = str(schedule) if schedule else "with the system refresh" if follow_system else ""
    done = [
        change_export(workspace, each, scheduled, Verb.SCHEDULE_EXPORT, schedule=chosen_text, turned=_turned(active))
        for each in exports
    ]
    _warn(workspace, done, now, show)
    return done


def _warn(workspace: Workspace, exports: Sequence[Export], now: dt.datetime, show: Callable[[str], None]) -> None:
    """Say what keeps schedules that were just set from doing their job."""
    around = surroundings(workspace)
    for export in exports:
        for sentence in obstacles(export, around):
            show(f"{export.name}: {sentence}")
        if export.active and not is_scheduled(export, around.system):
            show(f"{export.name}: It follows the system refresh, which is off. An administrator can give it times.")
    if any(is_scheduled(each, around.system) for each in exports):
        for sentence in workspace_obstacles(workspace, now):
            show(sentence)


def _turned(active: bool | None) -> str:
    return "" if active is None else "on" if active else "off"


def schedule_text(export: Export, system: SystemSchedule | None = None) -> str:
    """Return when an export runs, in words; with the system's schedule, whether that is off."""
    if export.schedule is None:
        is_off = system is not None and not system.active
        return f"with the system refresh{' (off)' if is_off else ''}" if export.active else "off"
    text = str(Schedule.model_validate(export.schedule))
    return text if export.active else f"off ({text})"


def _require_one_choice(
    names: tuple[str, ...], schedule: Schedule | None, follow_system: bool, active: bool | None
) -> None:
    if not names:
        raise ArgumentError("No export is named.", "Name one; %ci_exports lists them.", code="no_name")
    if schedule is not None and follow_system:
        raise ArgumentError(
            "An export has its own schedule or follows the system refresh, not both.",
            "Leave out --system, or the times.",
            code="two_ways",
        )
    if schedule is None and not follow_system and active is None:
        raise ArgumentError(
            "Nothing says when it runs.",
            "Give times with --at 06:00, or use --system, --on or --off.",
            code="no_schedule",
        )
