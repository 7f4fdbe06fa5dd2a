"""The ``ci-magics`` command line. Commands derive from the declarations of operations; a few run processes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ci_magics.advice import Reader, reading
from ci_magics.cli import audit, emulator, notebook, refresh, scheduler
from ci_magics.cli.command import DONE, FAILED, PARTLY, USAGE, TerminalCommand, answer, say
from ci_magics.cli.operations import noun_command, operation_command
from ci_magics.display.output import adapt_streams, unwritten, write
from ci_magics.errors import ArgumentError, CiError, nearest_name
from ci_magics.grammar.command import Arguments
from ci_magics.operations import lines
from ci_magics.operations.declarations import Done


def _segment(arguments: Arguments, carry: Callable[..., Done]) -> Done:
    return lines.segment(arguments, carry, show=say)


COMMANDS: tuple[TerminalCommand, ...] = (
    operation_command("connect"),
    operation_command("insights"),
    operation_command("segment", *lines.SEGMENT, work=_segment),
    operation_command("preview"),
    operation_command("export", *lines.EXPORT, work=lines.export),
    operation_command("plan"),
    operation_command("status"),
    operation_command("overlap"),
    *(noun_command(name) for name in ("connections", "segments", "exports", "runs", "audiences")),
    emulator.COMMAND,
    refresh.COMMAND,
    scheduler.COMMAND,
    notebook.COMMAND,
    operation_command("doctor"),
    *(noun_command(name) for name in ("notifications", "roles")),
    audit.COMMAND,
    operation_command("forget"),
    operation_command("purge"),
)


def main(arguments: Sequence[str] | None = None) -> int:
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
        return _ended(list(sys.argv[1:] if arguments is None else arguments))


def _ended(words: list[str]) -> int:
    """Run a command and return the exit status."""
    adapt_streams()
    unwritten.clear()
    try:
        status = _run(words)
    except ArgumentError as error:
        return _failed(words, error, USAGE)
    except CiError as error:
        return _failed(words, error, FAILED)
    except Exception as error:  # noqa: BLE001 - messages of other libraries may quote data, so none is shown
        return _failed(words, _unexpected(error), FAILED)
    if status == DONE and "stdout" in unwritten:
        say("The work is done, but its output could not be written completely: is the disk full?")
        return PARTLY
    return status


def _run(words: list[str]) -> int:
    known = {each.name: each for each in COMMANDS}
    if words and words[0] in ("--help", "-h"):
        write(f"{_overview()}\n")
        return DONE
    if not words:
        raise ArgumentError("ci-magics needs a command.", "See ci-magics --help.", code="no_command")
    if words[0] not in known:
        nearest = nearest_name(words[0], known)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ArgumentError(f"There is no command '{words[0]}'.{hint}", "See ci-magics --help.", code="unknown_command")
    return known[words[0]].run(words[1:])


def _overview() -> str:
    width = max(len(each.name) for each in COMMANDS)
    commands = [f"  {each.name:<{width}}  {each.summary()}" for each in COMMANDS]
    return "\n".join(["Customer Match audiences from notebooks.", "", "ci-magics COMMAND [--help]", "", *commands])


def _failed(words: Sequence[str], error: CiError, status: int) -> int:
    if "--json" in words:
        answer(error.document(), "", as_json=True)
    say(str(error))
    return status


def _unexpected(error: Exception) -> CiError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"line {last.lineno} of {Path(last.filename).name}"
    return CiError(
        f"The command failed unexpectedly ({type(error).__name__} in {where}).",
        "Please report this as a bug of ci-magics, with what you typed.",
        code="unexpected",
    )
