"""Parse the line of a magic up to the cursor, for completion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.grammar.words import Word, split_unfinished
from ci_magics.notebook.call import Magic

_LINE = re.compile(r"^\s*(?:[\w.,\[\]'\"() ]+=\s*)?(?P<name>%ci_\w+)\s(?P<rest>.*)$", re.DOTALL)
_CELL = re.compile(r"^\s*(?P<name>%%ci_\w+)\s(?P<rest>.*)$", re.DOTALL)
_CONTINUED = re.compile(r"\\\n\s*")


@dataclass(frozen=True)
class CursorPosition:
    """The position of the cursor in a magic's line.

    Parameters
    ----------
    command
        Declaration of the magic's arguments.
    words
        The positional words before the cursor.
    options
        The options before the cursor, with their values.
    open_option
        The option whose value is being typed, if any.
    raw
        The typed part of the current word or value, unchanged.
    after
        The text after the cursor in this line.
    body
        The body of a cell magic.
    """

    command: Command
    words: Sequence[Word]
    options: Mapping[str, Sequence[Word]]
    open_option: Flag | None
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
        """The positional argument at the cursor, if any."""
        positionals = self.command.positionals
        if len(self.words) < len(positionals):
            return positionals[len(self.words)]
        return positionals[-1] if positionals and positionals[-1].several else None

    def named(self, kind: str) -> Iterator[Word]:
        """Yield the words before the cursor whose argument is of this kind."""
        positionals = self.command.positionals
        for index, word in enumerate(self.words):
            known = positionals[min(index, len(positionals) - 1)] if positionals else None
            if known and known.kind == kind:
                yield word


def cursor_position(magics: Mapping[str, Magic], before: str, after: str) -> CursorPosition | None:
    """Return the position of the cursor, or None if it is not in the line of one of our magics.

    Parameters
    ----------
    magics
        The magics by name, with percent signs.
    before
        The cell up to the cursor.
    after
        The cell after the cursor.
    """
    line, _, body = after.partition("\n")
    found = _CELL.match(before) if "\n" not in before else None
    found = found or _LINE.match(_CONTINUED.sub(" ", before).rpartition("\n")[2])
    magic = magics.get(found["name"]) if found else None
    if found is None or magic is None:
        return None
    match = magic.chosen(found["rest"], typing=True)
    return _parse_line(match.command, match.rest, line, body)


def _parse_line(command: Command, line: str, after: str, body: str) -> CursorPosition:
    by_name = {option.name: option for option in command.options}
    complete, raw = split_unfinished(line)
    words: list[Word] = []
    options: dict[str, list[Word]] = {}
    open_option: Flag | None = None
    for word in complete:
        if open_option is not None:
            options.setdefault(open_option.name, []).append(word)
            open_option = None
            continue
        name, equals, text = word.text.partition("=")
        if word.quoted or not name.startswith("-"):
            words.append(word)
        elif equals or name not in by_name or by_name[name].value is None:
            options.setdefault(name, []).append(Word(text))
        else:
            open_option = by_name[name]
    name, equals, value = raw.partition("=")
    if equals and open_option is None and name in by_name:
        open_option, raw = by_name[name], value
    return CursorPosition(command, tuple(words), options, open_option, raw, after, body)
