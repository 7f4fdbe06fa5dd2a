"""Shared by all commands: registration, output, and exit statuses."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from typing import TYPE_CHECKING, Any

from ci_magics.display.output import write
from ci_magics.errors import ArgumentError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it
else:
    Commands = Any

#: Exit statuses: done, failed, usage error (argparse's own), done in part.
DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3


def add_command(commands: Commands, name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's word
    """Add a command that prints text, or one JSON document with ``--json``.

    Parameters
    ----------
    commands
        The parser's subcommands.
    name
        The word on the command line.
    help
        What the command does, starting in lower case.
    """
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.add_argument("--json", action="store_true", help="answer with one JSON document")
    return command


def answer(options: argparse.Namespace, document: Any, text: str) -> None:
    """Print the result of a command: JSON with ``--json``, else text.

    Parameters
    ----------
    options
        The parsed options; only ``json`` is used.
    document
        The result as JSON-compatible values.
    text
        The result as text.
    """
    said = json.dumps(document, indent=2, default=str) if options.json else text
    write(f"{said}\n")


def say(sentence: str) -> None:
    """Report progress on standard error."""
    write(f"{sentence}\n", "stderr")


def typed(question: str) -> str:
    """Prompt for a secret without echoing it, or read the first line of standard input.

    Raises
    ------
    ArgumentError
        There is nothing to read, or it is not text.
    """
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            return getpass.getpass(f"{question}: ").strip()
        line = sys.stdin.readline() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise ArgumentError(
            "Standard input is not text in the encoding of this terminal.",
            "Set PYTHONIOENCODING to its encoding, for example to latin-1.",
            code="not_text",
        ) from None
    except (EOFError, ValueError, OSError):
        line = ""
    if not line.strip():
        raise ArgumentError("Nothing was typed.", f"Type it, or pipe it in: {question}.", code="nothing_typed")
    return line.strip()
