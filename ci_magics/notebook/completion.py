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
from ci_magics.notebook.candidates import KINDS, Candidates, NameSources, variables_of
from ci_magics.notebook.cursor import CursorPosition, cursor_position
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
        cursor = cursor_position(_BY_NAME, before, context.full_text[len(before) :])
        if cursor is None or (cursor.raw.startswith("{") and not cursor.quote):
            return {"completions": [], "suppress": False}
        replaced, found = _completions(cursor, variables, stored)
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


def _completions(
    cursor: CursorPosition, variables: Mapping[str, Any], stored: StoredNames
) -> tuple[str, list[SimpleCompletion]]:
    """Return the text to replace at the cursor, and its possible completions."""
    if not cursor.quote and cursor.raw.startswith("$"):
        names = [f"${name}" for name in variables_of(variables)]
        return cursor.raw, [SimpleCompletion(name, type="variable") for name in _matching(names, cursor.raw)]
    if cursor.open_option is None and not cursor.quote and cursor.raw.startswith("-"):
        return cursor.raw, _options(cursor)
    found = list(_candidates(cursor, variables, stored))
    tail = next((each.tail for each in found if each.tail is not None), None)
    if tail is not None:
        return tail, [SimpleCompletion(name, type=each.kind) for each in found for name in _matching(each.names, tail)]
    completions = [
        SimpleCompletion(_quoted_if_needed(cursor, each.kind, name), type=each.kind)
        for each in found
        for name in _matching(each.names, cursor.text)
    ]
    options = _options(cursor) if cursor.open_option is None and not cursor.raw else []
    return cursor.raw, [*completions, *options]


def _options(cursor: CursorPosition) -> list[SimpleCompletion]:
    """Return the options that can still be given."""
    names = [each.name for each in cursor.command.options if each.repeatable or each.name not in cursor.options]
    return [SimpleCompletion(name, type="option") for name in _matching([*names, "--help"], cursor.raw)]


def _candidates(cursor: CursorPosition, variables: Mapping[str, Any], stored: StoredNames) -> Iterator[Candidates]:
    wanted = cursor.open_option or cursor.positional
    if wanted is None:
        return
    if wanted.choices:
        yield Candidates("choice", wanted.choices)
    if wanted.kind in KINDS:
        try:
            yield from KINDS[wanted.kind](cursor, NameSources(variables, stored))
        except CiError:
            return  # the workspace cannot be read; the magic itself reports why


def _quoted_if_needed(cursor: CursorPosition, kind: str, name: str) -> str:
    """Return a name as it must be written here, quoted if it needs quotes or already has an opening one."""
    if not cursor.quote:
        plain = kind in ("variable", "option") or (kind == "file" and not _BREAKS.search(name))
        return name if plain else magic_word(name)
    if cursor.quote in name:
        return magic_quoted(name)
    return f"{cursor.quote}{name}{'' if cursor.after.startswith(cursor.quote) else cursor.quote}"


def _matching(names: Iterable[str], typed: str) -> list[str]:
    """Return the names that start with the typed text, ignoring case; if there are none, those that contain it."""
    folded, unique = typed.casefold(), list(dict.fromkeys(names))
    return [name for name in unique if name.casefold().startswith(folded)] or [
        name for name in unique if folded in name.casefold()
    ]
