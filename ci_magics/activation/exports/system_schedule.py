"""The schedule of the system refresh. Off until an administrator turns it on; the default for exports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.exports.heartbeats import workspace_obstacles
from ci_magics.activation.exports.schedule import Schedule
from ci_magics.clock import Clock
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Setting
from ci_magics.workspace.store import Workspace

_NAME = "system_schedule"


class SystemSchedule(BaseModel):
    """When the workspace is refreshed.

    Parameters
    ----------
    schedule
        The schedule; None if never set.
    active
        Whether the schedule is on.
    since
        Since when the schedule is unchanged. Scheduled times before this do not count.
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


def system_schedule(workspace: Workspace) -> SystemSchedule:
    """Return the schedule of the system refresh."""
    require(workspace, Verb.LIST_EXPORTS)
    kept = workspace.settings.get(_NAME)
    return SystemSchedule.model_validate(kept.value) if kept else SystemSchedule()


def set_system_schedule(
    workspace: Workspace, schedule: Schedule | None, *, active: bool, clock: Clock, show: Callable[[str], None]
) -> SystemSchedule:
    """Set the schedule of the system refresh, or turn it on or off; without a schedule, the stored one stays."""
    require(workspace, Verb.SET_SYSTEM_SCHEDULE)
    before = system_schedule(workspace)
    now = clock.now()
    wanted = schedule or before.schedule
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
