"""Split a magic's line into words.

Whitespace separates words, quotes group them and are removed, and a backslash is literal, the same on every system. A
``#`` at the start of a word begins a comment; within quotes or within a word it is literal (``file.xlsx#Sheet1``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ci_magics.errors import ArgumentError


@dataclass(frozen=True)
class Word:
    """One word of a line.

    Parameters
    ----------
    text
        The word without its quotes.
    quoted
        Whether it begins with a quote. It is then always a name, never an option or a variable.
    has_quotes
        Whether any part of it is in quotes. The value after ``--option=`` is then not a variable either.
    start, end
        Its position in the line, quotes included.
    """

    text: str
    quoted: bool = False
    has_quotes: bool = False
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


#: Zero-width characters between words in pasted text.
_ZERO_WIDTH = "\u200b\u2060\ufeff"


def split(line: str) -> list[Word]:
    """Split a line into words.

    Raises
    ------
    ArgumentError
        A quote or a brace is not closed.
    """
    words = []
    rest = _without_blanks(line)
    while rest and not rest.startswith("#"):
        word, after = _first_word(rest)
        words.append(replace(word, start=len(line) - len(rest), end=len(line) - len(after)))
        rest = _without_blanks(after)
    return words


def split_unfinished(line: str) -> tuple[list[Word], str]:
    """Split a line that is still being typed into its complete words and the raw text of the last, unfinished one."""
    words = []
    rest = _without_blanks(line)
    while rest and not rest.startswith("#"):
        try:
            word, after = _first_word(rest)
        except ArgumentError:
            break  # a quote or a brace is still open
        if not after:
            break
        words.append(replace(word, start=len(line) - len(rest), end=len(line) - len(after)))
        rest = _without_blanks(after)
    return words, rest


def is_blank(letter: str) -> bool:
    """Return whether a character separates words."""
    return letter.isspace() or letter in _ZERO_WIDTH


def _without_blanks(line: str) -> str:
    """Return the line without leading blanks."""
    return next((line[place:] for place, letter in enumerate(line) if not is_blank(letter)), "")


def _first_word(line: str) -> tuple[Word, str]:
    """Return the first word of a line and the rest after it."""
    letters: list[str] = []
    has_quotes = False
    place = 0
    while place < len(line) and not is_blank(line[place]):
        if line[place] in "'\"":
            end = _closing(line, place)
            letters.append(line[place + 1 : end])
            has_quotes = True
        elif line[place] == "{" and (place == 0 or line[place - 1] == "="):
            end = _end_of_expression(line, place)
            letters.append(line[place : end + 1])
        else:
            end = place
            letters.append(line[place])
        place = end + 1
    return Word("".join(letters), quoted=line[0] in "'\"", has_quotes=has_quotes), line[place:]


def _closing(line: str, start: int) -> int:
    """Return the position that closes the quote at ``start``."""
    quote = line[start]
    end = line.find(quote, start + 1)
    if end < 0:
        raise ArgumentError(f"A quote ({quote}) is not closed.", "Close it, or leave it out.", code="open_quote")
    return end


def _end_of_expression(line: str, start: int) -> int:
    """Return the position that closes the brace at ``start``; blanks and quotes inside belong to the expression."""
    depth, place = 0, start
    while place < len(line):
        if line[place] in "'\"":
            place = _closing(line, place)
        depth += {"{": 1, "}": -1}.get(line[place], 0)
        if depth == 0:
            return place
        place += 1
    raise ArgumentError(
        "A brace ({) is not closed.", "Close it, or quote the word when it is a name.", code="open_brace"
    )
