"""Commands that reuse the arguments and the parser of a magic."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ci_magics.cli.command import DONE, USAGE, Commands, answer, say
from ci_magics.display.output import write
from ci_magics.errors import ArgumentError
from ci_magics.grammar.arguments import parse_words
from ci_magics.grammar.command import Arguments, Command, Flag
from ci_magics.grammar.words import Word

Work = Callable[[argparse.Namespace, Arguments], int]


def as_command(magic: Command, name: str) -> Command:
    """Return the command with the arguments of a magic, plus ``--json``.

    Parameters
    ----------
    magic
        The declaration of the magic.
    name
        The command, such as ``ci-magics segments``.
    """
    return replace(
        magic,
        name=name,
        example=magic.example.replace(magic.name, name),
        options=(*magic.options, Flag("--json", "answer with one JSON document")),
    )


def add_words(commands: Commands, command: Command, help: str, work: Work) -> None:  # noqa: A002 - argparse's word
    """Add a command whose arguments the magic's parser reads; argparse passes them on unchanged.

    Parameters
    ----------
    commands
        The parser's subcommands.
    command
        The declaration of the arguments.
    help
        What the command does, starting in lower case.
    work
        Carries out the command; returns the exit status.
    """
    name = command.name.removeprefix("ci-magics ")
    added = commands.add_parser(name, help=help, prefix_chars="\0", add_help=False)
    added.add_argument("words", nargs="*")
    added.set_defaults(work=lambda options: _read(options, command, work))


def _read(options: argparse.Namespace, command: Command, work: Work) -> int:
    options.json = "--json" in options.words
    try:
        arguments = parse_words(command, [_word(text) for text in options.words], {})
        if arguments.wants_help:
            write(f"{command.help()}\n")
            return DONE
        return work(options, arguments)
    except ArgumentError as error:
        if options.json:
            answer(options, error.document(), "")
        say(str(error))
        return USAGE


def rows_of(result: Any) -> list[dict[str, Any]]:
    """Return a table as one dictionary per row."""
    rows = result.to_frame().astype(object)
    return list(rows.where(rows.notna(), None).to_dict("records"))


def _word(text: str) -> Word:
    """Return a word of the command line, in which variables are not expanded."""
    return Word(text, quoted=not text.startswith("-"), held=True)
