"""The scheduler: waits until something is due, then refreshes. All state is in the workspace."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from types import FrameType

from ci_magics.activation.exports.due import next_moments
from ci_magics.activation.exports.heartbeats import SCHEDULER, note_heartbeat
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import tell
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace

#: A user may change a schedule at any time, so the scheduler checks at least this often.
LOOKS_EVERY = timedelta(seconds=30)
#: Minimum wait between checks, for example while an export that is due runs elsewhere.
PATIENCE = timedelta(seconds=5)


def next_look(workspace: Workspace, now: datetime) -> datetime:
    """Return when to check next: when something is due, but within `LOOKS_EVERY` and not before `PATIENCE`.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    moment = min([*next_moments(workspace, now), now + LOOKS_EVERY])
    return max(moment, now + PATIENCE)


def run_scheduler(
    *, show: Callable[[str], None] = tell, workspace: Workspace | None = None, clock: Clock | None = None
) -> None:
    """Run all schedules until the process is told to stop.

    You can kill and restart it at any time: what is due is computed from the workspace. An export never runs twice for
    the same scheduled time, even with several schedulers, and after downtime it runs once.

    Parameters
    ----------
    show
        Called with each message about what was done.
    workspace
        Workspace to use; None opens the default one.
    clock
        Source of the current time; None means the system clock.

    Raises
    ------
    AccessError
        The current user may not refresh the workspace.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.REFRESH_ALL)
    clock = clock or SystemClock()
    ending = _Ending()
    show(f"Scheduler of {workspace.user}: looking for what is due.")
    try:
        while not ending.reported:
            note_heartbeat(workspace, SCHEDULER, clock.now())
            look(workspace, show, clock)
            now = clock.now()
            ending.wait(clock, next_look(workspace, now) - now)
    except KeyboardInterrupt:
        ending.reported = True
    show("Scheduler ended.")


def look(workspace: Workspace, show: Callable[[str], None], clock: Clock | None = None) -> None:
    """Do what is due, and show the result. Errors are shown, not raised, so that the scheduler continues.

    Parameters
    ----------
    workspace
        Workspace to use.
    show
        Called with each message about what was done or failed.
    clock
        Source of the current time; None means the system clock.
    """
    try:
        report = refresh(due_only=True, show=show, workspace=workspace, clock=clock)
    except CiError as error:
        if error.code != "refresh_running":  # another process is refreshing
            show(str(error))
        return
    except Exception as error:  # noqa: BLE001 - only the name: messages of other libraries can quote customer data
        show(f"The refresh failed unexpectedly ({type(error).__name__}); the scheduler continues.")
        return
    if report.segments or report.exports:
        show(repr(report))


class _Ending:
    """Let SIGTERM end the scheduler after its current work.

    Attributes
    ----------
    reported
        Whether the scheduler should end.
    """

    def __init__(self) -> None:
        self.reported = False
        signal.signal(signal.SIGTERM, self._report)

    def wait(self, clock: Clock, length: timedelta) -> None:
        """Wait for a duration, or until the scheduler should end.

        Counts down a duration instead of comparing times, so a clock adjustment cannot make the wait longer.
        """
        seconds = length.total_seconds()
        while seconds > 0 and not self.reported:
            clock.sleep(min(seconds, 1.0))
            seconds -= 1.0

    def _report(self, _signal: int, _frame: FrameType | None) -> None:
        self.reported = True
