"""Magics that manage: a noun, then one of its verbs, as in ``%ci_segments rename "Big" "Large"``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import ci_magics as ci
from ci_magics.errors import CiError
from ci_magics.grammar.command import Command, Flag
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.names import connection_named
from ci_magics.notebook.shared_options import QUIET
from ci_magics.operations.declarations import NOUNS, Noun

LIST = Flag("--list", "list them, instead of showing the panel")


def noun_magic(name: str, panel: Callable[[], Any] | None = None) -> Magic:
    """Return the magic of a noun.

    Parameters
    ----------
    name
        The noun, such as ``segments``.
    panel
        Shows the form of the noun, for a line without words; without it, the line lists.
    """
    noun, title = NOUNS[name], f"%ci_{name}"

    @functools.cache
    def verbs() -> Mapping[str, Command]:
        return noun.commands(title, QUIET)

    def declare() -> Command:
        return noun.command(title, *([] if panel is None else [LIST]), QUIET)

    def work(call: Call) -> Any:
        if panel is not None and not (call.verb or call.arguments.words or call.arguments.options):
            return panel()
        return _carried_out(noun, call)

    return Magic(title, declare, work, verbs)


def _carried_out(noun: Noun, call: Call) -> Any:
    path = f"{noun.name}.{call.verb.replace('-', '_')}" if call.verb else ""
    owner, arguments = noun.owner_of(path, call.arguments)
    collection = _collection(owner, call) if noun.of else None
    if not call.verb:
        return noun.listed([text_of(each) for each in arguments.words], collection, f"%ci_{noun.name}")
    done = call.carry_out(path, arguments, of=collection)
    if done.path in ("exports.run", "exports.run_all"):
        _require_completed(done.result, call)
    return done


def _collection(owner: Any, call: Call) -> Any:
    named = None if owner is None else connection_named(owner, ci.open_workspace().store, call.variables)
    from ci_magics.operations.audiences import audiences_of

    return audiences_of(named, show=call.say)


def _require_completed(result: Any, call: Call) -> None:
    """Raise an error, which stops the notebook, if one of several exports did not complete."""
    left = getattr(result, "not_completed", ())
    if left:
        call.say(repr(result))
        names = ", ".join(f"'{each.export}'" for each in left)
        raise CiError(f"Not completed: {names}.", "The table above says why.", code="not_completed")
