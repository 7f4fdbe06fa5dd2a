"""``ci-magics refresh``: refresh once, for cron, Airflow, or a systemd timer."""

from __future__ import annotations

import argparse
from pathlib import Path

from ci_magics.cli.command import DONE, FAILED, PARTLY, Commands, add_command, answer, say
from ci_magics.errors import CiError


def add(commands: Commands) -> None:
    """Add the command."""
    refresh = add_command(commands, "refresh", "evaluate dynamic segments, then run the exports that are due")
    refresh.add_argument(
        "--due", action="store_true", help="only what the schedules say is due now, and the segments that it needs"
    )
    refresh.add_argument(
        "--notebook", type=Path, metavar="FILE", help="execute this notebook first; when it fails, nothing is exported"
    )
    for name, left in (("empty", "nobody"), ("shrink", "less than half of its profiles")):
        refresh.add_argument(
            f"--allow-{name}",
            action="append",
            default=[],
            metavar="SEGMENT",
            help=f"replace this segment although {left} would be left; may be repeated",
        )
    refresh.set_defaults(work=_refresh)


def _refresh(options: argparse.Namespace) -> int:
    from ci_magics.activation.exports.heartbeats import REFRESH, note_heartbeat
    from ci_magics.activation.refreshes.refresh import refresh
    from ci_magics.clock import present
    from ci_magics.workspace.store import open_workspace

    began = present()
    try:
        report = refresh(
            due_only=options.due,
            notebook=options.notebook,
            allow_empty=options.allow_empty,
            allow_shrink=options.allow_shrink,
            show=say,
        )
    except CiError as error:
        if not (options.due and error.code == "refresh_running"):
            raise
        answer(options, error.document(), str(error))  # another refresh is already doing this
        return DONE
    note_heartbeat(open_workspace(), REFRESH, began)
    answer(options, report.document(), repr(report))
    if report.reason or report.not_completed:
        return FAILED
    return DONE if report.status == "Completed" else PARTLY
