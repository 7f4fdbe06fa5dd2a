"""The interrupted runs that the export form can resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.fields import button, dropdown, offer, row, show
from ci_magics.workspace.statuses import RUNNING
from ci_magics.workspace.store import Workspace


class UnfinishedRuns:
    """A list of unfinished runs; hidden if there are none.

    Parameters
    ----------
    workspace
        Holds the runs.
    resume
        Called when the button is pressed.
    """

    def __init__(self, workspace: Workspace, resume: Callable[..., None]) -> None:
        self._workspace = workspace
        self.choice = dropdown("Interrupted run", [], "unfinished")
        self.resume_button = button("Resume this run", "resume", resume)
        self.row = row(self.choice, self.resume_button, name="resume-row")

    def refresh(self) -> None:
        """Offer the unfinished runs, newest first."""
        open_runs = [each for each in self._workspace.runs if each.finished_at is None and each.status != RUNNING]
        labels: list[tuple[str, Any]] = [
            (f"{each.name} of {each.started_at:%Y-%m-%d %H:%M} UTC to {each.connection_name}", each.id)
            for each in reversed(open_runs)
        ]
        offer(self.choice, labels)
        show(self.row, bool(labels))

    def chosen(self) -> str:
        """Return the id of the chosen run.

        Raises
        ------
        ArgumentError
            There is no unfinished run.
        """
        if self.choice.value is None:
            raise ArgumentError("No interrupted run is left to finish.", "To send again, show a plan.", code="no_run")
        return str(self.choice.value)
