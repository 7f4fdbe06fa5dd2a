"""``ci-magics segments``: the segments of the workspace, with the verbs of ``%ci_segment``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ci_magics.cli.command import DONE, Commands, answer, say
from ci_magics.cli.magic_words import add_words, as_command, rows_of
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Command, Flag, Positional
from ci_magics.notebook.segment_verbs import ALLOWANCES, OVERRIDES, VERBS, carry_out, verb_of
from ci_magics.notebook.shared_options import QUIET

_COMMAND = as_command(
    Command(
        "ci-magics segments",
        "List the segments, or do something with one that exists.",
        'ci-magics segments\nci-magics segments "Big spenders" --refresh --allow-shrink\n'
        'ci-magics segments "Big spenders" --undo',
        (Positional("NAME", "the segment", kind="segment"),),
        (*VERBS, *ALLOWANCES, *OVERRIDES, Flag("--list", "list the segments, as without any words"), QUIET),
    ),
    "ci-magics segments",
)


def add(commands: Commands) -> None:
    """Add the command."""
    add_words(commands, _COMMAND, "list the segments, refresh one, undo its last change, or change it", _segments)


def _segments(options: argparse.Namespace, arguments: Arguments) -> int:
    quiet = arguments.switch("quiet")
    result = _result(arguments, quiet=quiet)
    if not quiet:
        answer(options, _document(result), str(result))
    return DONE


def _result(arguments: Arguments, *, quiet: bool) -> Any:
    from ci_magics.activation.segments.listing import list_segments

    given = {name: value for name, value in arguments.options.items() if name != "json"}
    arguments = Arguments(arguments.words, given)
    verb = verb_of(arguments)
    if verb is not None:
        return carry_out(verb, arguments.words[0].text, arguments, (lambda _sentence: None) if quiet else say)
    beside = [each.name for each in (*ALLOWANCES, *OVERRIDES) if each.key in given]
    if beside:
        raise ArgumentError(
            f"{beside[0]} is about a refresh, and --refresh is missing.",
            f"For example: ci-magics segments NAME --refresh {beside[0]}.",
            code="no_verb",
        )
    return list_segments(*(each.text for each in arguments.words))


def _document(result: Any) -> Any:
    if isinstance(result, Path):
        return {"file": str(result)}
    return rows_of(result) if hasattr(result, "to_frame") else result.to_dict()
