"""The declaration of a line's arguments, its help text, and what a parsed line holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_magics.grammar.words import Word

_INDENT = 24
_LONGEST_LIST = 50


@dataclass(frozen=True)
class Positional:
    """A positional argument.

    Parameters
    ----------
    name
        Placeholder in the usage line.
    help
        One line for ``--help``.
    several
        Whether it accepts more than one word.
    kind
        What the word names; selects the candidates for completion.
    choices
        The allowed words; empty if any word is allowed.
    needed
        Whether it must be given.
    """

    name: str
    help: str
    several: bool = False
    kind: str = "text"
    choices: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True)
class Flag:
    """An option: a word that begins with two hyphens. Without a ``value`` it is a switch."""

    name: str
    help: str
    value: str | None = None
    choices: tuple[str, ...] = ()
    whole_number: bool = False
    variable: bool = False
    repeatable: bool = False
    kind: str = "text"

    @property
    def key(self) -> str:
        """The key under which `Arguments` holds the value."""
        return self.name.lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Command:
    """The declaration of a magic's arguments."""

    name: str
    summary: str
    example: str
    positionals: tuple[Positional, ...] = ()
    options: tuple[Flag, ...] = ()
    notes: str = ""

    def help(self) -> str:
        """Return the text of ``--help`` and of ``%name?``."""
        usage = " ".join([self.name, *(_usage(each) for each in self.positionals), "[OPTION]..."])
        lines = [self.summary, "", usage, ""]
        lines += [f"  {each.name:<{_INDENT}} {each.help}" for each in self.positionals]
        lines += [f"  {shown(each):<{_INDENT}} {each.help}" for each in self.options]
        lines += ["", "For example:", *(f"  {line}" for line in self.example.splitlines())]
        return "\n".join([*lines, *(["", self.notes] if self.notes else [])])


@dataclass(frozen=True)
class Arguments:
    """The arguments parsed from a line: words, or objects in place of ``$name`` and ``{expression}``."""

    words: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    wants_help: bool = False

    def given(self, name: str) -> Any:
        """Return an option's value: text, a number, an object, or True for a switch; None if not given."""
        value = self.options.get(name)
        return value.text if isinstance(value, Word) else value

    def all(self, name: str) -> list[Any]:
        """Return all values of a repeatable option."""
        return [each.text if isinstance(each, Word) else each for each in self.options.get(name, [])]

    def switch(self, name: str) -> bool:
        """Return whether a switch was given."""
        return bool(self.options.get(name))


def _usage(positional: Positional) -> str:
    name = positional.name if positional.needed else f"[{positional.name}]"
    return f"{name}{'...' if positional.several else ''}"


def shown(option: Flag) -> str:
    """Return an option with its placeholder, as help and errors write it."""
    if option.value is None:
        return option.name
    listed = "|".join(option.choices)
    return f"{option.name} {listed if 0 < len(listed) <= _LONGEST_LIST else option.value}"
