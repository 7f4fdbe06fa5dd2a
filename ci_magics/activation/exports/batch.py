"""Run several saved exports, one after the other."""

from __future__ import annotations

from ci_magics.activation.exports.history import ExportHistory, history_line
from ci_magics.activation.exports.saved_runs import MANUAL, Show, run_one
from ci_magics.activation.progress import Reporter, silent
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import tell
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace


def run_exports(
    *names: str,
    progress: Reporter = silent,
    show: Show = tell,
    workspace: Workspace | None = None,
    clock: Clock | None = None,
) -> ExportHistory:
    """Run several exports; one that fails does not keep the others from running.

    Parameters
    ----------
    names
        Which; all whose schedule is on when none is named. Those without a connection do not run then.

    Returns
    -------
    ExportHistory
        What came of each.
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
