"""``ci-magics exports``: the saved exports, with the verbs and options of ``%ci_exports``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from ci_magics.cli.command import DONE, FAILED, PARTLY, USAGE, Commands, answer
from ci_magics.errors import ArgumentError
from ci_magics.notebook.arguments import Arguments, Option, parse_words
from ci_magics.notebook.exports_command import COMMAND
from ci_magics.notebook.words import Word

_COMMAND = replace(
    COMMAND,
    name="ci-magics exports",
    example=COMMAND.example.replace("%ci_exports", "ci-magics exports"),
    options=(*COMMAND.options, Option("--json", "answer with one JSON document")),
)


def add(commands: Commands) -> None:
    """Add the command. Its words are read by the parser of the magic, so argparse takes them all as they are."""
    exports = commands.add_parser(
        "exports", help="list the saved exports, run, change or schedule them", prefix_chars="\0", add_help=False
    )
    exports.add_argument("words", nargs="*")
    exports.set_defaults(work=_exports)


def _exports(options: argparse.Namespace) -> int:
    options.json = "--json" in options.words
    try:
        arguments = parse_words(_COMMAND, [_word(text) for text in options.words], {})
        if arguments.wants_help:
            sys.stdout.write(f"{_COMMAND.help()}\n")
            return DONE
        return _carried_out(options, arguments)
    except ArgumentError as error:
        answer_error(options, error)
        return USAGE


def answer_error(options: argparse.Namespace, error: ArgumentError) -> None:
    """Say why a line was not understood."""
    if options.json:
        answer(options, error.document(), "")
    sys.stderr.write(f"{error}\n")


def _carried_out(options: argparse.Namespace, arguments: Arguments) -> int:
    from ci_magics.activation.progress import silent
    from ci_magics.notebook.exports_verbs import carry_out

    quiet = arguments.switch("quiet")
    result = carry_out(arguments, silent, (lambda _sentence: None) if quiet else _say)
    if not quiet:
        answer(options, document_of(result), repr(result))
    ran = bool(arguments.words) and arguments.words[0].text.startswith("run")
    return status_of(result) if ran else DONE


def document_of(result: Any) -> Any:
    """Return what a verb gave as a document: an object, or a list of them."""
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json")
    if hasattr(result, "to_frame"):
        return result.to_frame().astype(object).where(lambda frame: frame.notna(), None).to_dict("records")
    documents = {name: getattr(result, name) for name in ("code", "saved_by", "saved_at")}
    return {**vars(result.line), **documents, "history": [vars(each) for each in result.history]}


def status_of(result: Any) -> int:
    """Return the exit status after exports ran: done, failed, or done in part."""
    statuses = [each.status for each in getattr(result, "runs", [result])]
    if any(each not in ("Completed", "Completed with errors") for each in statuses):
        return FAILED
    return PARTLY if "Completed with errors" in statuses else DONE


def _word(text: str) -> Word:
    """Return a word of the command line, in which nothing stands for a variable."""
    return Word(text, quoted=not text.startswith("-"), held=True)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
