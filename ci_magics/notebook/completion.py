"""Tab completion in magic lines: options, and names of existing objects.

The ``kind`` of each `Flag` and `Positional` determines the candidates, so a new magic needs no code here. Completion
reads only local data: the notebook's variables and the workspace's names. It never calls an account or a database
server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ci_magics.errors import CiError
from ci_magics.notebook.candidates import KINDS, Candidates, Surroundings, variables_of
from ci_magics.notebook.place import Place, place_in
from ci_magics.notebook.registry import MAGICS
from ci_magics.notebook.stored_names import StoredNames
from ci_magics.quoting import magic_quoted, magic_word

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

IDENTIFIER = "ci_magics.names"
_BY_NAME = {magic.title: magic for magic in MAGICS}
_BREAKS = re.compile(r"[\s'\"]")


class _Nothing(list[SimpleCompletion]):
    """An empty completion that counts as an answer, so that IPython offers no Python names in a magic line."""

    def __len__(self) -> int:
        return 1


def matcher_for(variables: Mapping[str, Any], stored: StoredNames) -> Any:
    """Return the IPython matcher for magic lines.

    Parameters
    ----------
    variables
        The notebook's variables.
    stored
        The names in the workspace.
    """

    @context_matcher(identifier=IDENTIFIER, priority=100)  # type: ignore[untyped-decorator]  # IPython's
    def match(context: CompletionContext) -> dict[str, Any]:
        lines = context.full_text.split("\n")
        before = "\n".join([*lines[: context.cursor_line], lines[context.cursor_line][: context.cursor_position]])
        place = place_in(_BY_NAME, before, context.full_text[len(before) :])
        if place is None or (place.raw.startswith("{") and not place.quote):
            return {"completions": [], "suppress": False}
        replaced, found = _completions(place, variables, stored)
        return {"completions": found or _Nothing(), "suppress": True, "matched_fragment": replaced, "ordered": True}

    return match


def add_matcher(shell: InteractiveShell, stored: StoredNames) -> Any:
    """Enable Tab completion of the magics in a shell.

    Parameters
    ----------
    shell
        The shell to change.
    stored
        The names in the workspace.

    Returns
    -------
    Any
        The matcher, for `remove_matcher`; None if the shell has no completer.
    """
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return None
    match = matcher_for(shell.user_ns, stored)
    completer.custom_matchers.append(match)
    return match


def remove_matcher(shell: InteractiveShell, match: Any) -> None:
    """Remove the matcher that `add_matcher` added.

    Parameters
    ----------
    shell
        The shell to change.
    match
        The return value of `add_matcher`.
    """
    matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", [])
    if match in matchers:
        matchers.remove(match)


def _completions(place: Place, variables: Mapping[str, Any], stored: StoredNames) -> tuple[str, list[SimpleCompletion]]:
    """Return the text to replace at the cursor, and its possible completions."""
    if not place.quote and place.raw.startswith("$"):
        names = [f"${name}" for name in variables_of(variables)]
        return place.raw, [SimpleCompletion(name, type="variable") for name in _fitting(names, place.raw)]
    if place.awaited is None and not place.quote and place.raw.startswith("-"):
        return place.raw, _options(place)
    found = list(_candidates(place, variables, stored))
    tail = next((each.tail for each in found if each.tail is not None), None)
    if tail is not None:
        return tail, [SimpleCompletion(name, type=each.kind) for each in found for name in _fitting(each.names, tail)]
    completions = [
        SimpleCompletion(_written(place, each.kind, name), type=each.kind)
        for each in found
        for name in _fitting(each.names, place.text)
    ]
    options = _options(place) if place.awaited is None and not place.raw else []
    return place.raw, [*completions, *options]


def _options(place: Place) -> list[SimpleCompletion]:
    """Return the options that can still be given."""
    names = [each.name for each in place.command.options if each.repeatable or each.name not in place.options]
    return [SimpleCompletion(name, type="option") for name in _fitting([*names, "--help"], place.raw)]


def _candidates(place: Place, variables: Mapping[str, Any], stored: StoredNames) -> Iterator[Candidates]:
    wanted = place.awaited or place.positional
    if wanted is None:
        return
    if wanted.choices:
        yield Candidates("choice", wanted.choices)
    if wanted.kind in KINDS:
        try:
            yield from KINDS[wanted.kind](place, Surroundings(variables, stored))
        except CiError:
            return  # the workspace cannot be read; the magic itself reports why


def _written(place: Place, kind: str, name: str) -> str:
    """Return a name as it must be written here, quoted if it needs quotes or already has an opening one."""
    if not place.quote:
        plain = kind in ("variable", "option") or (kind == "file" and not _BREAKS.search(name))
        return name if plain else magic_word(name)
    if place.quote in name:
        return magic_quoted(name)
    return f"{place.quote}{name}{'' if place.after.startswith(place.quote) else place.quote}"


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    """Return the names that start with the typed text, ignoring case; if there are none, those that contain it."""
    folded, every = begun.casefold(), list(dict.fromkeys(names))
    return [name for name in every if name.casefold().startswith(folded)] or [
        name for name in every if folded in name.casefold()
    ]
