"""Set the schedules of saved exports: their own, that of the system refresh, or off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from ci_magics.activation.exports.heartbeats import workspace_obstacles
from ci_magics.activation.exports.saving import change_export, connection_of
from ci_magics.activation.exports.schedule import Schedule
from ci_magics.activation.exports.schedule_checks import is_scheduled, obstacles, surroundings
from ci_magics.activation.exports.system_schedule import SystemSchedule
from ci_magics.advice import Do, Opt, advise
from ci_magics.clock import Clock
from ci_magics.errors import ArgumentError, quoted_list
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.store import Workspace


def schedule_export(
    workspace: Workspace,
    names: Sequence[str],
    schedule: Schedule | None,
    *,
    follow_system: bool,
    active: bool | None,
    keep: bool | None,
    clock: Clock,
    show: Callable[[str], None],
) -> list[Export]:
    """Set the schedules of exports; see `Exports.schedule`."""
    exports = [workspace.exports[name] for name in names]
    _require_one_choice(names, schedule, follow_system, active)
    for export in exports:
        require(workspace, Verb.SCHEDULE_EXPORT, connection_of(workspace, export))
    changes_timing = schedule is not None or follow_system
    own = [each for each in exports if each.schedule is not None]
    if changes_timing and len(exports) > 1 and own and keep is None:
        raise ArgumentError(
            f"These exports already have their own schedule: {quoted_list(each.name for each in own)}.",
            advise(
                "Use ",
                Opt("keep", True),
                " to leave those as they are, or ",
                Opt("keep", False),
                " to give all the new one.",
            ),
            code="keep_or_replace",
        )
    document = schedule.document() if schedule else None
    now = clock.now()

    def scheduled(found: Export) -> Export:
        stays = not changes_timing or (bool(keep) and found.schedule is not None)
        wanted = replace(
            found,
            schedule=found.schedule if stays else document,
            active=(found.active or not stays) if active is None else active,
        )
        # `scheduled_at` can be in the future if the clock was wrong. Setting the schedule again corrects it.
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
    """Show what prevents the new schedules from running."""
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
    """Return in words when an export runs.

    Parameters
    ----------
    export
        The export.
    system
        Schedule of the system refresh. If given, the text says when that is off.
    """
    if export.schedule is None:
        is_off = system is not None and not system.active
        return f"with the system refresh{' (off)' if is_off else ''}" if export.active else "off"
    text = str(Schedule.model_validate(export.schedule))
    return text if export.active else f"off ({text})"


def _require_one_choice(
    names: Sequence[str], schedule: Schedule | None, follow_system: bool, active: bool | None
) -> None:
    if not names:
        raise ArgumentError("No export is named.", advise("Name one; ", Do("exports"), " lists them."), code="no_name")
    if schedule is not None and follow_system:
        raise ArgumentError(
            "An export has its own schedule or follows the system refresh, not both.",
            advise("Leave out ", Opt("follow_system", True), ", or the times."),
            code="two_ways",
        )
    if schedule is None and not follow_system and active is None:
        raise ArgumentError(
            "Nothing says when it runs.",
            advise(
                "Give times with ",
                Opt("at", "06:00"),
                ", or use ",
                Opt("follow_system", True),
                ", ",
                Opt("active", True),
                " or ",
                Opt("active", False),
                ".",
            ),
            code="no_schedule",
        )
