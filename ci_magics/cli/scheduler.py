"""``ci-magics scheduler``: run refreshes and exports on schedule."""

from __future__ import annotations

import json

from ci_magics.cli.command import DONE, JSON, TerminalCommand
from ci_magics.display.output import write
from ci_magics.grammar.command import Arguments, Command

_LINE = Command(
    "ci-magics scheduler",
    "Keep exports and the system refresh on their schedules.",
    "ci-magics scheduler",
    (),
    (JSON,),
)


def _scheduler(_verb: str, arguments: Arguments) -> int:
    from ci_magics.activation.refreshes.scheduler import run_scheduler

    run_scheduler(show=_say_json if arguments.switch("json") else _say)
    return DONE


def _say(sentence: str) -> None:
    write(f"{sentence}\n")


def _say_json(sentence: str) -> None:
    _say(json.dumps({"said": sentence}))


COMMAND = TerminalCommand("scheduler", lambda: _LINE.summary, lambda: _LINE, _scheduler)
