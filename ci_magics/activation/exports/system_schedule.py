"""The schedule of the system refresh: off until an administrator turns it on; exports follow it unless told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.exports.heartbeats import workspace_obstacles
from ci_magics.activation.exports.schedule import Schedule, schedule_of
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import tell
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Setting
from ci_magics.workspace.store import Workspace, open_workspace

_NAME = "system_schedule"


class SystemSchedule(BaseModel):
    """When the workspace is refreshed.

    Parameters
    ----------
    schedule
        When; None as long as nobody chose.
    active
        Whether it is on.
    since
        Since when it is as it is; what was due before does not count.
    """

    model_config = ConfigDict(frozen=True)

    schedule: Schedule | None = None
    active: bool = False
    since: datetime | None = None

    def __str__(self) -> str:
        if self.schedule is None:
            return "off"
        return str(self.schedule) if self.active else f"off ({self.schedule})"

    def __repr__(self) -> str:
        return f"System refresh: {self}"


def system_schedule(*, workspace: Workspace | None = None) -> SystemSchedule:
    """Return when the workspace is refreshed."""
    workspace = workspace or open_workspace()
    require(workspace, Verb.LIST_EXPORTS)
    kept = workspace.settings.get(_NAME)
    return SystemSchedule.model_validate(kept.value) if kept else SystemSchedule()


def set_system_schedule(
    *,
    at: Sequence[str | dt.time] = (),
    weekly: Sequence[str] = (),
    time_zone: str | None = None,
    active: bool = True,
    workspace: Workspace | None = None,
    clock: Clock | None = None,
    show: Callable[[str], None] = tell,
) -> SystemSchedule:
    """Choose when the workspace is refreshed, or turn that on and off.

    Parameters
    ----------
    at
        Times of the day, one to four, such as ``06:30``; the schedule stays as it was unless given.
    weekly
        Only on these days of the week; every day unless given.
    time_zone
        Such as ``Europe/Amsterdam``; the one of this machine unless given.
    active
        Whether it is on.
    show
        Called with each sentence about what keeps it from doing its job.

    Raises
    ------
    AccessError
        The current user is no administrator.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.SET_SYSTEM_SCHEDULE)
    before = system_schedule(workspace=workspace)
    now = (clock or SystemClock()).now()
    wanted = schedule_of(at, weekly, time_zone) or before.schedule
    chosen = SystemSchedule(schedule=wanted, active=active and wanted is not None, since=now)
    if chosen.active:
        for sentence in workspace_obstacles(workspace, now):
            show(sentence)
    is_as_it_was = (chosen.schedule, chosen.active) == (before.schedule, before.active)
    if is_as_it_was and (before.since is None or before.since <= now):
        return before
    workspace.settings.put(Setting(_NAME, chosen.model_dump(mode="json"), workspace.user, now))
    workspace.audit.note(Verb.SET_SYSTEM_SCHEDULE, "system refresh", schedule=str(chosen))
    return chosen
