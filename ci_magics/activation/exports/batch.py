"""Run several saved exports in sequence."""

from __future__ import annotations

from ci_magics.activation.exports.history import ExportHistory, history_line
from ci_magics.activation.exports.saved_runs import MANUAL, Show, run_one
from ci_magics.activation.progress import Reporter, silent
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import announce
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace


def run_exports(
    *names: str,
    progress: Reporter = silent,
    show: Show = announce,
    workspace: Workspace | None = None,
    clock: Clock | None = None,
) -> ExportHistory:
    """Run several exports in sequence. An export that fails does not stop the others.

    Parameters
    ----------
    names
        Exports to run. Without names, run every export whose schedule is on and that has a connection.
    progress
        Called with the progress of the run; silent by default.
    show
        Called with each message for the user, such as a sign-in code.
    workspace
        Workspace to use; None opens the default one.
    clock
        Source of the current time; None means the system clock.

    Returns
    -------
    ExportHistory
        One line for each export that ran. An export that is already running elsewhere has no line.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.RUN_EXPORT)
    chosen = [workspace.exports[name] for name in dict.fromkeys(names)]
    chosen = chosen or [each for each in workspace.exports if each.active and each.connection_id is not None]
    done = []
    for export in chosen:
        entry = run_one(workspace, export, MANUAL, progress=progress, show=show, clock=clock or SystemClock())
        if entry is None:
            show(f"The export '{export.name}' is running already.")
        else:
            done.append(history_line(workspace, entry))
    return ExportHistory(tuple(done))
