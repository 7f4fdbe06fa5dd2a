"""The ``ci-magics`` command line. To add a command, write a module with ``add`` and list it here."""

from __future__ import annotations

import argparse
import traceback
from pathlib import Path
from typing import NoReturn

from ci_magics.advice import Reader, reading
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
from ci_magics.cli.command import DONE, FAILED, PARTLY, answer, say
from ci_magics.discretion import without_addresses
from ci_magics.display.output import adapt_streams, unwritten
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

    Parameters
    ----------
    arguments
        The words after ``ci-magics``; those of the process if None.

    Returns
    -------
    int
        The exit status: 0 done, 1 failed, 2 usage error, 3 done in part.
    """
    with reading(Reader.TERMINAL):
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    adapt_streams()
    unwritten.clear()
    options = _parser().parse_args(arguments)
    try:
        status = int(options.work(options))
    except CiError as error:
        return _failed(options, error)
    except Exception as error:  # noqa: BLE001 - messages of other libraries may quote data, so none is shown
        return _failed(options, _unexpected(error))
    if status == DONE and "stdout" in unwritten:
        say("The work is done, but what it says could not be written to the end: is the disk full?")
        return PARTLY
    return status


def _failed(options: argparse.Namespace, error: CiError) -> int:
    if getattr(options, "json", False):
        answer(options, error.document(), "")
    say(str(error))
    return FAILED


def _unexpected(error: Exception) -> CiError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"line {last.lineno} of {Path(last.filename).name}"
    return CiError(
        f"The command failed unexpectedly ({type(error).__name__} in {where}).",
        "Please report this as a bug of ci-magics, with what you typed.",
        code="unexpected",
    )


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors repeat no address."""

    def error(self, message: str) -> NoReturn:
        super().error(without_addresses(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ci-magics", description="Customer Match audiences from notebooks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
