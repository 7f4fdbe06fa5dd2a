"""The scheduler: waits for whatever is due next, and refreshes. What was done is in the workspace, not in here."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from ci_magics.activation.exports.due import next_moments
from ci_magics.activation.refreshing.refreshing import refresh
from ci_magics.clock import Clock
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace

#: Somebody may change a schedule meanwhile: the scheduler looks again at least so often.
LOOKS_EVERY = timedelta(seconds=30)
#: What is due and runs elsewhere is looked at again so soon, not at once.
PATIENCE = timedelta(seconds=5)


class NextMoment(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires at once, then whenever something is due next.

    Parameters
    ----------
    workspace
        Whose schedules.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return when to look next; APScheduler asks after each time."""
        if previous_fire_time is None:
            return now
        return next_look(self._workspace, now.astimezone(UTC))


def next_look(workspace: Workspace, now: datetime) -> datetime:
    """Return when to look next: when something is due, and soon in any case."""
    moment = min([*next_moments(workspace, now), now + LOOKS_EVERY])
    return max(moment, now + PATIENCE)


def run_scheduler(
    *, show: Callable[[str], None] = print, workspace: Workspace | None = None, clock: Clock | None = None
) -> None:
    """Keep everything on its schedule until the process is told to end.

    It can be killed at any moment and started again: what is due is worked out from the workspace, an export never
    runs twice for one moment however many schedulers there are, and after a pause it runs once.

    Parameters
    ----------
    show
        Called with what was done.
    workspace
        Whose schedules; the default one unless given.
    clock
        Where time comes from.

    Raises
    ------
    AccessError
        Whoever works here may not refresh the workspace.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.REFRESH_ALL)
    scheduler = BlockingScheduler(timezone=UTC, logger=_only_errors())
    scheduler.add_job(
        lambda: look(workspace, show, clock),
        NextMoment(workspace),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    _end_when_told(scheduler)
    show(f"Scheduler of {workspace.user}: looking for what is due.")
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        scheduler.shutdown(wait=True)
    show("Scheduler ended.")


def look(workspace: Workspace, show: Callable[[str], None], clock: Clock | None = None) -> None:
    """Do what is due, and say what was done; what goes wrong is said too, and the scheduler goes on."""
    try:
        report = refresh(due_only=True, show=show, workspace=workspace, clock=clock)
    except CiError as error:
        if error.code != "refresh_running":  # somebody else is on it
            show(str(error))
        return
    except Exception as error:  # noqa: BLE001 - said by its name: the words of another library may quote data
        show(f"The refresh broke off unexpectedly ({type(error).__name__}); the scheduler goes on.")
        return
    if report.segments or report.exports:
        show(repr(report))


def _only_errors() -> logging.Logger:
    """Return where APScheduler writes: at each look, it would say that a long refresh is still on its way."""
    logger = logging.getLogger("ci_magics.scheduler")
    logger.setLevel(logging.ERROR)
    return logger


def _end_when_told(scheduler: Any) -> None:
    """Let SIGTERM end the scheduler after what it is doing, as Ctrl-C does."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        scheduler.shutdown(wait=False)

    signal.signal(signal.SIGTERM, end)
