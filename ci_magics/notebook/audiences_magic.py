"""``%ci_audiences``: show the lists of an account, or change one of them."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError, NotFoundError, nearest_name
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.grammar.words import Word
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.names import connection_named
from ci_magics.notebook.shared_options import QUIET
from ci_magics.workspace.access import nothing_shared

_VERBS = ("rename", "empty", "delete")

COMMAND = Command(
    "%ci_audiences",
    "Show the Customer Match lists of an account; rename, empty or delete one of them.",
    '%ci_audiences "Contoso EU"\n%ci_audiences "Contoso EU" empty "Big spenders" --confirm "Big spenders"',
    (
        Positional("CONNECTION", "whose account; may be left out where there is only one", kind="connection"),
        Positional("VERB", "what to do with one of them", choices=_VERBS),
        Positional("NAME_OR_ID", "name or number of the list", kind="audience"),
    ),
    (
        Flag("--to", "with rename: the new name", value="NEW"),
        Flag("--confirm", "the list's name once more, without which nothing is changed", value="NAME"),
        QUIET,
    ),
    notes="Emptying takes everybody out, no matter who added them. It needs no consent, since it sends nobody's data.",
)


def audiences(call: Call) -> Any:
    """Show the lists of an account, or change one."""
    words, arguments = list(call.arguments.words), call.arguments
    connection = _only_connection() if not words or _is_verb(words[0]) else _connection(call, words.pop(0))
    found = ci.audiences(connection, show=call.say)
    if not words:
        if {"to", "confirm"} & set(arguments.options):
            raise ArgumentError(
                f"--to and --confirm go with {_either(_VERBS)}, and the line has none of them.",
                "See %ci_audiences --help.",
                code="no_verb",
            )
        return found
    verb, *names = words
    _require_one_list(verb, names)
    audience, confirm = text_of(names[0]), arguments.given("confirm") or ""
    if verb.text == "rename" and "to" not in arguments.options:
        raise ArgumentError("rename needs the new name.", "Write rename OLD --to NEW.", code="new_name")
    if verb.text != "rename" and "to" in arguments.options:
        raise ArgumentError(
            f"--to is the new name for rename, and the line says {verb.text}.", "Leave out --to.", code="new_name"
        )
    if verb.text == "rename":
        return found.rename(audience, arguments.given("to"), confirm=confirm)
    change = found.empty if verb.text == "empty" else found.delete
    return change(audience, confirm=confirm)


def _is_verb(word: Any) -> bool:
    return isinstance(word, Word) and not word.quoted and word.text in _VERBS


def _connection(call: Call, word: Any) -> Any:
    return connection_named(word, ci.open_workspace().store, call.variables)


def _require_one_list(verb: Any, names: list[Any]) -> None:
    """Require a known verb, followed by exactly one list."""
    example = f"For example: {COMMAND.example.splitlines()[1]}."
    if not _is_verb(verb):
        said = text_of(verb)
        nearest = nearest_name(said, _VERBS)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ArgumentError(f"'{said}' is not {_either(_VERBS)}.{hint}", example, code="no_verb")
    if not names:
        raise ArgumentError(f"{verb.text} needs the name or number of a list.", example, code="no_verb")
    if len(names) > 1:
        raise ArgumentError(
            f"{verb.text} takes one list, and the line also has '{text_of(names[1])}'.",
            f"Name one list in each line; quote a name with blanks. {example}",
            code="no_verb",
        )


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _only_connection() -> str:
    """Return the only connection that the current user can see."""
    workspace = ci.open_workspace().store
    names = workspace.connections.names()
    if len(names) > 1:
        raise ArgumentError(
            "There are several connections.", f"Name one of them: {', '.join(names)}.", code="which_connection"
        )
    if not names:
        if len(workspace.all_connections):
            raise nothing_shared()
        raise NotFoundError("There is no connection yet.", "Make one: %ci_connect NAME.", code="not_found")
    return names[0]


MAGIC = Magic(COMMAND, audiences)
