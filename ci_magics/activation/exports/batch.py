"""Run several saved exports in sequence."""

from __future__ import annotations

from collections.abc import Sequence

from ci_magics.activation.exports.history import ExportHistory, history_line
from ci_magics.activation.exports.saved_runs import MANUAL, Show, run_one
from ci_magics.activation.progress import Reporter
from ci_magics.clock import Clock
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace


def run_exports(
    workspace: Workspace, names: Sequence[str], *, progress: Reporter, show: Show, clock: Clock
) -> ExportHistory:
    """Run several exports in sequence; see `Exports.run`.

    Without names, run every export whose schedule is on and that has a connection.
    """
    require(workspace, Verb.RUN_EXPORT)
    named = {each.id: each for each in (workspace.exports[name] for name in names)}
    chosen = list(named.values()) or [
        each for each in workspace.exports if each.active and each.connection_id is not None
    ]
    done = []
    for export in chosen:
        entry = run_one(workspace, export, MANUAL, progress=progress, show=show, clock=clock)
        if entry is None:
            show(f"The export '{export.name}' is running already.")
        else:
            done.append(history_line(workspace, entry))
    return ExportHistory(tuple(done))
