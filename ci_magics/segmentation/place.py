"""A place in a text that a person wrote, in words and with a pointer under its line."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_AROUND = 60


@dataclass(frozen=True)
class Place:
    """A place in a text.

    Parameters
    ----------
    words
        Such as ``line 2, position 7``; without the line where the text has only one.
    picture
        Its line without addresses, and a pointer below.
    """

    words: str
    picture: str


def place_in(text: str, position: int) -> Place:
    """Return a place by its position in a text, which counts from 0."""
    before = f"{text[:position]}^".splitlines()
    line, column = f"{text} ".splitlines()[len(before) - 1], len(before[-1]) - 1
    several = len(text.splitlines()) > 1
    start = max(0, column - _AROUND)
    shown = _masked(line)[start : column + _AROUND].rstrip()
    pointer = " " * sum(_width(letter) for letter in shown[: column - start].ljust(column - start)) + "^"
    return Place(
        words=f"line {len(before)}, position {column + 1}" if several else f"position {column + 1}",
        picture=f"\n\n    {shown}\n    {pointer}\n",
    )


def letters_before(line: str, columns: int) -> int:
    """Return how many letters of a line take so many columns of a screen."""
    letters = 0
    while columns > 0 and letters < len(line):
        columns -= _width(line[letters])
        letters += 1
    return letters


def _masked(line: str) -> str:
    """Return a line of the same length without addresses, and with every blank as wide as one."""
    hidden = re.sub(r"\S+@\S*", lambda found: "*" * len(found.group()), line)
    return re.sub(r"\s", " ", hidden)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
