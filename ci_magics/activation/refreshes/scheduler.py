"""The scheduler: waits for whatever is due next, and refreshes. What was done is in the workspace, not in here."""

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

#: Somebody may change a schedule meanwhile: the scheduler looks again at least so often.
LOOKS_EVERY = timedelta(seconds=30)
#: What is due and runs elsewhere is looked at again so soon, not at once.
PATIENCE = timedelta(seconds=5)


def next_look(workspace: Workspace, now: datetime) -> datetime:
    """Return when to look next: when something is due, and soon in any case."""
    moment = min([*next_moments(workspace, now), now + LOOKS_EVERY])
    return max(moment, now + PATIENCE)


def run_scheduler(
    *, show: Callable[[str], None] = tell, workspace: Workspace | None = None, clock: Clock | None = None
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
        The current user may not refresh the workspace.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.REFRESH_ALL)
    clock = clock or SystemClock()
    ending = _Ending()
    show(f"Scheduler of {workspace.user}: looking for what is due.")
    try:
        while not ending.told:
            note_heartbeat(workspace, SCHEDULER, clock.now())
            look(workspace, show, clock)
            now = clock.now()
            ending.wait(clock, next_look(workspace, now) - now)
    except KeyboardInterrupt:
        ending.told = True
    show("Scheduler ended.")


def look(workspace: Workspace, show: Callable[[str], None], clock: Clock | None = None) -> None:
    """Do what is due, and tell what was done and what went wrong; the scheduler goes on."""
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


class _Ending:
    """Lets SIGTERM end the scheduler after what it is doing.

    Attributes
    ----------
    told
        Whether it is to end.
    """

    def __init__(self) -> None:
        self.told = False
        signal.signal(signal.SIGTERM, self._tell)

    def wait(self, clock: Clock, length: timedelta) -> None:
        """Wait until the time has passed or the scheduler is to end.

        What is waited for is a length, not a moment: a clock that is set right meanwhile does not make it longer.
        """
        seconds = length.total_seconds()
        while seconds > 0 and not self.told:
            clock.sleep(min(seconds, 1.0))
            seconds -= 1.0

    def _tell(self, _signal: int, _frame: FrameType | None) -> None:
        self.told = True
