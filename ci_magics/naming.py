"""What segments, saved exports, connections and everything else that a user names may be called."""

from __future__ import annotations

import re
import unicodedata

from ci_magics.errors import ArgumentError, CiError, refuse_address

#: As many characters as an audience's name may have.
LONGEST_NAME = 128
_CATEGORIES = {
    "Cc": "a control character, such as a tab or a line break",
    "Zl": "a line break",
    "Zp": "a line break",
    "Cs": "half of a character (a lone surrogate)",
}
_BLANKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
#: They let a line look different from what it does. The marks LRM, RLM and ALM do not, and names in Arabic need them.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def unwritable(name: str) -> str | None:
    """Return in words which character of a name may not be in one; None for a name that can be written anywhere."""
    for letter in name:
        if letter in _REORDERING:
            return "an invisible character that reorders text"
        if found := _CATEGORIES.get(unicodedata.category(letter)):
            return found
    return None


def writable(text: str) -> str:
    """Return a text in one line, with a question mark for each character that may not be in a name."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("?" if unwritable(letter) else letter for letter in _BLANKS.sub(" ", text))


def require_name(name: str, kind: str, *, longest: int = LONGEST_NAME, error: type[CiError] = ArgumentError) -> None:
    """Refuse a name that nothing can have. Names are kept, shown, written into code and sent.

    Parameters
    ----------
    name
        As somebody gave it.
    kind
        What is named, such as ``segment``.
    longest
        How many characters it may have.
    error
        What is raised where nothing can have the name.

    Raises
    ------
    CiError
        It is blank or too long, holds a character that cannot be written in a line, or is an e-mail address.
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
