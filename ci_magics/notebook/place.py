"""Where in the line of a magic the cursor stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ci_magics.notebook.arguments import Command, Option, Positional
from ci_magics.notebook.call import Magic
from ci_magics.notebook.words import Word, begun

_LINE = re.compile(r"^\s*(?:[\w.,\[\]'\"() ]+=\s*)?(?P<name>%ci_\w+)\s(?P<rest>.*)$", re.DOTALL)
_CELL = re.compile(r"^\s*(?P<name>%%ci_\w+)\s(?P<rest>.*)$", re.DOTALL)
_CONTINUED = re.compile(r"\\\n\s*")


@dataclass(frozen=True)
class Place:
    """Where the cursor stands.

    Parameters
    ----------
    command
        What the magic takes.
    words
        The words before the cursor that are known by their place.
    options
        The options before the cursor, with their values.
    awaited
        The option whose value is being written, if any.
    raw
        What was written of the word or value, as it stands.
    after
        What stands behind the cursor.
    body
        The cell below the line of a cell magic.
    """

    command: Command
    words: Sequence[Word]
    options: Mapping[str, Sequence[Word]]
    awaited: Option | None
    raw: str
    after: str = ""
    body: str = ""
    quote: str = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        quote = self.raw[:1] if self.raw[:1] in ("'", '"') else ""
        text = self.raw[len(quote) :]
        object.__setattr__(self, "quote", quote)
        object.__setattr__(self, "text", text.removesuffix(quote) if quote else text)

    @property
    def positional(self) -> Positional | None:
        """What is known by this place, if anything is."""
        positionals = self.command.positionals
        if len(self.words) < len(positionals):
            return positionals[len(self.words)]
        return positionals[-1] if positionals and positionals[-1].several else None

    def named(self, kind: str) -> Iterator[Word]:
        """Return the words before the cursor that name things of a kind."""
        positionals = self.command.positionals
        for place, word in enumerate(self.words):
            known = positionals[min(place, len(positionals) - 1)] if positionals else None
            if known and known.kind == kind:
                yield word


def place_in(magics: Mapping[str, Magic], before: str, after: str) -> Place | None:
    """Return where the cursor stands, or None where that is not in the line of a magic of ours.

    Parameters
    ----------
    magics
        By their names with percent signs.
    before, after
        The cell up to the cursor, and what follows.
    """
    line, _, body = after.partition("\n")
    found = _CELL.match(before) if "\n" not in before else None
    found = found or _LINE.match(_CONTINUED.sub(" ", before).rpartition("\n")[2])
    magic = magics.get(found["name"]) if found else None
    return None if found is None or magic is None else _place(magic.command, found["rest"], line, body)


def _place(command: Command, line: str, after: str, body: str) -> Place:
    by_name = {option.name: option for option in command.options}
    whole, raw = begun(line)
    words: list[Word] = []
    options: dict[str, list[Word]] = {}
    awaited: Option | None = None
    for word in whole:
        if awaited is not None:
            options.setdefault(awaited.name, []).append(word)
            awaited = None
            continue
        name, equals, text = word.text.partition("=")
        if word.quoted or not name.startswith("-"):
            words.append(word)
        elif equals or name not in by_name or by_name[name].value is None:
            options.setdefault(name, []).append(Word(text))
        else:
            awaited = by_name[name]
    name, equals, value = raw.partition("=")
    if equals and awaited is None and name in by_name:
        awaited, raw = by_name[name], value
    return Place(command, tuple(words), options, awaited, raw, after, body)
