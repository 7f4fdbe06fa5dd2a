"""``ci-magics exports``: saved exports, with the verbs and options of ``%ci_exports``."""

from __future__ import annotations

import argparse
from typing import Any

from ci_magics.cli.command import DONE, FAILED, PARTLY, Commands, answer, say
from ci_magics.cli.magic_words import add_words, as_command, rows_of
from ci_magics.grammar.command import Arguments
from ci_magics.notebook.exports_command import COMMAND

_COMMAND = as_command(COMMAND, "ci-magics exports")


def add(commands: Commands) -> None:
    """Add the command."""
    add_words(commands, _COMMAND, "list the saved exports, run, change or schedule them", _carried_out)


def _carried_out(options: argparse.Namespace, arguments: Arguments) -> int:
    from ci_magics.activation.progress import silent
    from ci_magics.notebook.exports_verbs import carry_out

    quiet = arguments.switch("quiet")
    result = carry_out(arguments, silent, (lambda _sentence: None) if quiet else say)
    if not quiet:
        answer(options, document_of(result), repr(result))
    ran = bool(arguments.words) and arguments.words[0].text.startswith("run")
    return status_of(result) if ran else DONE


def document_of(result: Any) -> Any:
    """Return the result of a verb as JSON-compatible values: an object or a list of objects."""
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json")
    if hasattr(result, "to_frame"):
        return rows_of(result)
    documents = {name: getattr(result, name) for name in ("code", "saved_by", "saved_at")}
    return {**vars(result.line), **documents, "history": [vars(each) for each in result.history]}


def status_of(result: Any) -> int:
    """Return the exit status after exports ran: done, failed, or done in part."""
    statuses = [each.status for each in getattr(result, "runs", [result])]
    if any(each not in ("Completed", "Completed with errors") for each in statuses):
        return FAILED
    return PARTLY if "Completed with errors" in statuses else DONE
