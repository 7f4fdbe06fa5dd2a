"""Recognize and replace characters that cannot be written on one line."""

from __future__ import annotations

import re
import unicodedata

_CATEGORIES = {
    "Cc": "a control character, such as a tab or a line break",
    "Zl": "a line break",
    "Zp": "a line break",
    "Cs": "half of a character (a lone surrogate)",
}
_BLANKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
#: They make a line look different from what it does. LRM, RLM, and ALM do not, and names in Arabic need them.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def invalid_character(name: str) -> str | None:
    """Describe the first character that a name may not contain, or return None if the name is fine."""
    for letter in name:
        if letter in _REORDERING:
            return "an invisible character that reorders text"
        if found := _CATEGORIES.get(unicodedata.category(letter)):
            return found
    return None


def writable(text: str) -> str:
    """Return a text on one line, with a question mark for each character that a name may not contain."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("?" if invalid_character(letter) else letter for letter in _BLANKS.sub(" ", text))
