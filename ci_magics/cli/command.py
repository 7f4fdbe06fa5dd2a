"""What all commands share: how one is added, how it answers, and the exit statuses."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ci_magics.cli.in_terminal import in_terminal

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it
else:
    Commands = Any

#: Exit statuses: done, failed, not understood (argparse's own), done in part.
DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3


def add_command(commands: Commands, name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's word
    """Add a command that answers in words, or with ``--json`` in one JSON document."""
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.add_argument("--json", action="store_true", help="answer with one JSON document")
    return command


def answer(options: argparse.Namespace, document: Any, text: str) -> None:
    """Print what a command has to say: the document with ``--json``, else the text."""
    said = json.dumps(in_terminal(document), indent=2, default=str) if options.json else in_terminal(text)
    sys.stdout.write(f"{said}\n")


def say(sentence: str) -> None:
    """Tell something beside the answer."""
    sys.stderr.write(f"{in_terminal(sentence)}\n")
