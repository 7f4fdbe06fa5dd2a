"""The command line: ``ci-magics``. A new command is a file with an ``add`` and a line here."""

from __future__ import annotations

import argparse

from ci_magics.cli import (
    audit,
    doctor,
    emulator,
    exports,
    forget,
    notebook,
    notifications,
    purge,
    refresh,
    roles,
    scheduler,
    segments,
    status,
)
from ci_magics.cli.command import FAILED, answer, say
from ci_magics.errors import CiError

COMMANDS = (
    notebook,
    status,
    doctor,
    notifications,
    emulator,
    segments,
    exports,
    refresh,
    scheduler,
    roles,
    audit,
    forget,
    purge,
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        The exit status: 0 when it is done, 1 when it failed, 2 when it was not understood, 3 when a part was refused.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.work(options))
    except CiError as error:
        if getattr(options, "json", False):
            answer(options, error.document(), "")
        say(str(error))
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci-magics", description="Customer Match audiences from notebooks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
