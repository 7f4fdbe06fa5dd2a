"""``ci-magics scheduler``: run refreshes and exports on schedule."""

from __future__ import annotations

import argparse
import json

from ci_magics.cli.command import DONE, Commands, add_command
from ci_magics.display.output import write


def add(commands: Commands) -> None:
    """Add the command."""
    scheduler = add_command(commands, "scheduler", "keep exports and the system refresh on their schedules")
    scheduler.set_defaults(work=_scheduler)


def _scheduler(options: argparse.Namespace) -> int:
    from ci_magics.activation.refreshes.scheduler import run_scheduler

    run_scheduler(show=_say_json if options.json else _say)
    return DONE


def _say(sentence: str) -> None:
    write(f"{sentence}\n")


def _say_json(sentence: str) -> None:
    _say(json.dumps({"said": sentence}))
