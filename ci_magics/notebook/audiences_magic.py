"""``%ci_audiences``: the lists of an account, and what is done with one of them."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError, NotFoundError
from ci_magics.notebook.arguments import Command, Option, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.names import connection_named
from ci_magics.notebook.shared_options import QUIET
from ci_magics.notebook.words import Word
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
        Option("--to", "with rename: the new name", value="NEW"),
        Option("--confirm", "the list's name once more, without which nothing is changed", value="NAME"),
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
            raise ArgumentError("--to and --confirm belong to a verb.", "See %ci_audiences --help.", code="no_verb")
        return found
    verb, *names = words
    if not _is_verb(verb) or len(names) != 1:
        raise ArgumentError(
            f"After the connection stands one of {', '.join(_VERBS)}, and then one list.",
            f"For example: {COMMAND.example.splitlines()[1]}.",
            code="no_verb",
        )
    audience, confirm = text_of(names[0]), arguments.given("confirm") or ""
    if (verb.text == "rename") != ("to" in arguments.options):
        raise ArgumentError(
            "rename needs the new name, and only rename does.", "Write rename OLD --to NEW.", code="new_name"
        )
    if verb.text == "rename":
        return found.rename(audience, arguments.given("to"), confirm=confirm)
    change = found.empty if verb.text == "empty" else found.delete
    return change(audience, confirm=confirm)


def _is_verb(word: Any) -> bool:
    return isinstance(word, Word) and not word.quoted and word.text in _VERBS


def _connection(call: Call, word: Any) -> Any:
    return connection_named(word, ci.open_workspace(), call.variables)


def _only_connection() -> str:
    """Return the only connection that the person sees."""
    workspace = ci.open_workspace()
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
