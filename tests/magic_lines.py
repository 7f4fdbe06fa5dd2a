"""Parse a line as its magic does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_magics.grammar.arguments import parse
from ci_magics.grammar.command import Arguments
from ci_magics.notebook.call import Magic
from ci_magics.notebook.registry import MAGICS


def magic(title: str) -> Magic:
    """Return a magic by its name with percent signs."""
    return next(each for each in MAGICS if each.title == title)


def parsed(line: str, variables: Mapping[str, Any] | None = None) -> Arguments:
    """Return the arguments of a line; those after the verb, if it has one."""
    title, _, rest = line.strip().partition(" ")
    chosen = magic(title).chosen(rest)
    return parse(chosen.command, chosen.rest, variables or {})
