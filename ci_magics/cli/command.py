"""Shared by all commands: what a command is, its output, and exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_magics.display.output import write
from ci_magics.grammar.arguments import parse_words
from ci_magics.grammar.command import Arguments, Command, Flag
from ci_magics.grammar.words import Word

#: Exit statuses: done, failed, usage error, done in part.
DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3
JSON = Flag("--json", "answer with one JSON document")
QUIET = Flag("--quiet", "print only errors")


@dataclass(frozen=True)
class TerminalCommand:
    """A command of ``ci-magics``.

    Parameters
    ----------
    name
        The word after ``ci-magics``.
    summary
        Returns a summary in one line.
    declare
        Returns the declaration of its arguments; for a noun, of a line without a verb.
    work
        Executes a line and returns the exit status. It receives the verb, which may be empty, and the arguments.
    verbs
        Returns the declarations of its verbs.
    """

    name: str
    summary: Callable[[], str]
    declare: Callable[[], Command]
    work: Callable[[str, Arguments], int]
    verbs: Callable[[], Mapping[str, Command]] = dict

    def run(self, texts: Sequence[str]) -> int:
        """Execute a line.

        Parameters
        ----------
        texts
            The words after the command's name.

        Raises
        ------
        ArgumentError
            The words do not match the declaration.
        """
        verbs = self.verbs()
        verb = texts[0] if texts and texts[0] in verbs else ""
        command, rest = (verbs[verb], texts[1:]) if verb else (self.declare(), texts)
        arguments = parse_words(command, [_word(text) for text in rest], {})
        if arguments.wants_help:
            write(f"{command.help()}\n")
            return DONE
        return self.work(verb, arguments)


def answer(document: Any, text: str, *, as_json: bool) -> None:
    """Print the result of a command: one JSON document, or text.

    Parameters
    ----------
    document
        The result as JSON-compatible values.
    text
        The result as text.
    as_json
        Whether JSON is wanted.
    """
    output = json.dumps(document, indent=2, default=str) if as_json else text
    write(f"{output}\n")


def say(sentence: str) -> None:
    """Report progress on standard error."""
    write(f"{sentence}\n", "stderr")


def _word(text: str) -> Word:
    """Return a word of the command line, in which variables are not expanded."""
    return Word(text, quoted=not text.startswith("-"), has_quotes=True)
