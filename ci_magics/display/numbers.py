"""Format numbers, and clean texts for any document."""

from __future__ import annotations

import re
from dataclasses import dataclass

DASH = "\u2013"

_PLURALS = {
    "person": "people",
    "is": "are",
    "was": "were",
    "has": "have",
    "holds": "hold",
    "makes": "make",
    "takes": "take",
}
_LEAST_SHARE = 0.0005
#: Characters that XML rejects, and marks that change the direction of the text after them.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Share:
    """A count together with its total.

    Parameters
    ----------
    count
        The part.
    whole
        The total; 0 if there is none.
    """

    count: int
    whole: int

    @property
    def percent(self) -> str:
        """The percentage; empty without a total.

        A part never rounds to 0% or 100%: it becomes ``<0.1%`` or ``>99.9%``.
        """
        if not self.whole:
            return ""
        share = self.count / self.whole
        if 0 < share < _LEAST_SHARE:
            return "<0.1%"
        if 1 - _LEAST_SHARE < share < 1:
            return ">99.9%"
        return f"{share:.1%}"

    def __str__(self) -> str:
        return f"{format_count(self.count)} ({self.percent})" if self.whole else format_count(self.count)


def format_count(number: int) -> str:
    """Return an integer with thousands separators."""
    return f"{number:,}"


def pluralize(number: int, word: str, verb: str = "") -> str:
    """Return a number with its noun and verb, plural unless the number is 1.

    Parameters
    ----------
    number
        The count.
    word
        The noun in the singular, such as ``hash``.
    verb
        The verb in the singular, such as ``was``; none if empty.
    """
    return " ".join([format_count(number), inflect(number, word), *([inflect(number, verb)] if verb else [])])


def inflect(number: int, word: str) -> str:
    """Return a noun or verb in the form that agrees with a number.

    Parameters
    ----------
    number
        The count.
    word
        The word in the singular, such as ``hash`` or ``was``.
    """
    if number == 1:
        return word
    return _PLURALS.get(word) or f"{word}{'es' if word.endswith(('s', 'sh', 'ch', 'x')) else 's'}"


def clean(name: str) -> str:
    """Replace characters that documents reject or that reverse the text around them."""
    return _UNFIT.sub("?", name)


def shortened(text: str, length: int = 60) -> str:
    """Return a text on one line, cut to fit into a cell.

    Parameters
    ----------
    text
        The text; a blank one is shown quoted.
    length
        Maximum number of characters.
    """
    line = " ".join(text.split()) if text.strip() else repr(text)
    return line if len(line) <= length else f"{line[: length - 3]}..."
