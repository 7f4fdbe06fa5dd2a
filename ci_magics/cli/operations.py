"""Commands that derive from the declarations of operations: ``ci-magics status``, ``ci-magics segments rename``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ci_magics.asking import typed
from ci_magics.cli.command import JSON, QUIET, TerminalCommand, answer, say
from ci_magics.cli.outcome import document_of, status_of, text_of
from ci_magics.grammar.command import Arguments, Command, Flag
from ci_magics.grammar.operation import Parameter
from ci_magics.operations.declarations import NOUNS, Done, carry_out, declaration

Work = Callable[[Arguments, Callable[..., Done]], Done]


def operation_command(path: str, *more: Flag, work: Work | None = None) -> TerminalCommand:
    """Return the command of an operation without a noun.

    Parameters
    ----------
    path
        The operation's name in Python.
    more
        Options that only a line has.
    work
        Executes a line, given the function that executes one operation; by default, it executes only that operation.
    """
    name = path.replace("_", "-")

    def done(_verb: str, arguments: Arguments) -> int:
        carry = carrier(arguments)
        return _print_result(arguments, carry(path) if work is None else work(arguments, carry))

    return TerminalCommand(
        name,
        lambda: declaration(path).summary,
        lambda: declaration(path).command(f"ci-magics {name}", *more, QUIET, JSON),
        done,
    )


def noun_command(name: str) -> TerminalCommand:
    """Return the command of a noun.

    Parameters
    ----------
    name
        The noun, such as ``segments``.
    """
    noun, title = NOUNS[name], f"ci-magics {name}"

    @functools.cache
    def verbs() -> Mapping[str, Command]:
        return noun.commands(title, QUIET, JSON)

    def declare() -> Command:
        return noun.command(title, QUIET, JSON)

    def done(verb: str, arguments: Arguments) -> int:
        path = f"{name}.{verb.replace('-', '_')}" if verb else ""
        owner, rest = noun.owner_of(path, arguments)
        of = _collection_of(None if owner is None else owner.text) if noun.of else None
        if verb:
            return _print_result(arguments, carrier(arguments)(path, rest, of=of))
        return _print_result(arguments, Done(name, noun.listed([each.text for each in rest.words], of, title)))

    return TerminalCommand(name, lambda: noun.summary, declare, done, verbs)


def carrier(given: Arguments) -> Callable[..., Done]:
    """Return a function that executes one operation with the arguments of a line."""
    from ci_magics.activation.progress import silent

    show: Callable[[str], None] = (lambda _sentence: None) if given.switch("quiet") else say

    def carry(path: str, arguments: Arguments | None = None, *, of: Any = None, **options: Any) -> Done:
        context = {"show": show, "progress": silent, **options}
        return carry_out(declaration(path), given if arguments is None else arguments, _resolve, context, of)

    return carry


def _resolve(parameter: Parameter, word: Any) -> Any:
    if parameter.secret:
        return typed(parameter.option.help)
    return word if isinstance(word, int) else word.text


def _print_result(arguments: Arguments, done: Done) -> int:
    """Print a result, unless the line is quiet, and return the exit status."""
    if not arguments.switch("quiet"):
        result = done.shown(say)
        answer(document_of(result), text_of(result), as_json=arguments.switch("json"))
    return status_of(done.path, done.result)


def _collection_of(connection: str | None) -> Any:
    from ci_magics.operations.audiences import audiences_of

    return audiences_of(connection, show=say)
