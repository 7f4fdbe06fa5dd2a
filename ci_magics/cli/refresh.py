"""``ci-magics refresh``: one pass, for cron, Airflow or a timer unit."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci_magics.cli.command import DONE, FAILED, PARTLY, Commands, add_command, answer


def add(commands: Commands) -> None:
    """Add the command."""
    refresh = add_command(commands, "refresh", "evaluate dynamic segments, then run the exports that are due")
    refresh.add_argument(
        "--due", action="store_true", help="only what the schedules say is due now, and the segments that it needs"
    )
    refresh.add_argument(
        "--notebook", type=Path, metavar="FILE", help="execute this notebook first; when it fails, nothing is exported"
    )
    refresh.set_defaults(work=_refresh)


def _refresh(options: argparse.Namespace) -> int:
    from ci_magics.activation.refreshing import refresh

    report = refresh(due_only=options.due, notebook=options.notebook, show=_say)
    answer(options, report.document(), repr(report))
    if report.reason or report.not_completed:
        return FAILED
    return DONE if report.status == "Completed" else PARTLY


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
