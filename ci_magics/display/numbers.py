"""Numbers in words, and texts that any document takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

DASH = "\u2013"

_PLURALS = {"person": "people", "is": "are", "was": "were", "has": "have", "holds": "hold"}
_LEAST_SHARE = 0.0005
#: What XML does not take, and marks that turn the direction of the text behind them.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Share:
    """A number and the whole that it is a part of: never one without the other."""

    count: int
    whole: int

    @property
    def percent(self) -> str:
        """The share alone, empty without a whole; what is not all never rounds to all, nor something to none."""
        if not self.whole:
            return ""
        share = self.count / self.whole
        if 0 < share < _LEAST_SHARE:
            return "<0.1%"
        if 1 - _LEAST_SHARE < share < 1:
            return ">99.9%"
        return f"{share:.1%}"

    def __str__(self) -> str:
        return f"{counted(self.count)} ({self.percent})" if self.whole else counted(self.count)


def counted(number: int) -> str:
    """Return a whole number with commas between the thousands."""
    return f"{number:,}"


def counted_in_words(number: int, word: str, verb: str = "") -> str:
    """Return a number with its noun and verb, in the plural unless it is 1.

    Parameters
    ----------
    number
        How many.
    word, verb
        Both in the singular, such as ``hash`` and ``was``.
    """
    return " ".join([counted(number), agreeing(number, word), *([agreeing(number, verb)] if verb else [])])


def agreeing(number: int, word: str) -> str:
    """Return a noun or a verb, given in the singular, as it is with a number: ``hash``, ``was``."""
    if number == 1:
        return word
    return _PLURALS.get(word) or f"{word}{'es' if word.endswith(('s', 'sh', 'ch', 'x')) else 's'}"


def clean(name: str) -> str:
    """Return a name without characters that no document takes or that would turn the text around it."""
    return _UNFIT.sub("?", name)


def shortened(text: str, length: int = 60) -> str:
    """Return a text that fits into a cell, on one line."""
    line = " ".join(text.split()) if text.strip() else repr(text)
    return line if len(line) <= length else f"{line[: length - 3]}..."
