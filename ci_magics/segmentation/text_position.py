"""Describe a position in a text that the user wrote, with a pointer under the line."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_CONTEXT = 60


@dataclass(frozen=True)
class TextPosition:
    """A position in a text.

    Parameters
    ----------
    words
        For example ``line 2, position 7``; without the line if the text has only one.
    excerpt
        The line with addresses masked, and a pointer below it.
    """

    words: str
    excerpt: str


def locate_in_text(text: str, position: int) -> TextPosition:
    """Describe a position in a text, counted from 0."""
    before = f"{text[:position]}^".splitlines()
    line, column = f"{text} ".splitlines()[len(before) - 1], len(before[-1]) - 1
    multiline = len(text.splitlines()) > 1
    start = max(0, column - _CONTEXT)
    shown = _masked(line)[start : column + _CONTEXT].rstrip()
    pointer = " " * sum(_width(character) for character in shown[: column - start].ljust(column - start)) + "^"
    return TextPosition(
        words=f"line {len(before)}, position {column + 1}" if multiline else f"position {column + 1}",
        excerpt=f"\n\n    {shown}\n    {pointer}\n",
    )


def characters_before(line: str, columns: int) -> int:
    """Return how many characters of a line fill a number of screen columns."""
    count = 0
    while columns > 0 and count < len(line):
        columns -= _width(line[count])
        count += 1
    return count


def _masked(line: str) -> str:
    """Mask addresses in a line, and replace each white-space character by a space."""
    masked = re.sub(r"\S+@\S*", lambda found: "*" * len(found.group()), line)
    return re.sub(r"\s", " ", masked)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
