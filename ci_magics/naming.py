"""Validate the names that users give."""

from __future__ import annotations

import re
import unicodedata

from ci_magics.errors import ArgumentError, CiError, refuse_address

#: Maximum length of an audience's name.
LONGEST_NAME = 128
_CATEGORIES = {
    "Cc": "a control character, such as a tab or a line break",
    "Zl": "a line break",
    "Zp": "a line break",
    "Cs": "half of a character (a lone surrogate)",
}
_BLANKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
#: They make a line look different from what it does. LRM, RLM, and ALM do not, and names in Arabic need them.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def unwritable(name: str) -> str | None:
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
    return "".join("?" if unwritable(letter) else letter for letter in _BLANKS.sub(" ", text))


def require_name(name: str, kind: str, *, longest: int = LONGEST_NAME, error: type[CiError] = ArgumentError) -> None:
    """Reject a name that cannot be used. Names are stored, shown, written into code, and sent.

    Parameters
    ----------
    name
        What the user gave.
    kind
        What is named, such as ``segment``; used in the error.
    longest
        Maximum number of characters.
    error
        The class of the error to raise.

    Raises
    ------
    CiError
        The name is blank or too long, contains a character that cannot be written on one line, or is an e-mail address.
    """
    refuse_address(name)
    if not name.strip():
        article = "An" if kind[0] in "aeiou" else "A"
        raise error(f"{article} {kind} needs a name.", "Choose another one.", code="no_name")
    if len(name) > longest:
        raise error(
            f"The {kind}'s name is longer than the {longest} characters that it may have.",
            "Choose another one.",
            code="name_too_long",
        )
    if found := unwritable(name):
        raise error(
            f"The {kind}'s name has {found} in it.", "Choose a name of one line without it.", code="name_unwritable"
        )
