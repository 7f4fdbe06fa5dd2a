"""Read and validate the names that users give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ci_magics.errors import ArgumentError, CiError, refuse_address
from ci_magics.one_line import invalid_character

#: Maximum length of an audience's name.
LONGEST_NAME = 128


def several(given: Any) -> tuple[Any, ...]:
    """Return one value, several values, or None as a tuple. A text is one value."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


def require_text(name: object) -> None:
    """Reject what is not text where a name is expected, such as a list of names.

    Raises
    ------
    ArgumentError
        It is not text.
    """
    if isinstance(name, str):
        return
    raise ArgumentError(
        f"A name must be text, not a {type(name).__name__}.",
        "Give names one by one; to do that with a list, write * before it."
        if isinstance(name, Iterable)
        else "Write it in quotes.",
        code="name_not_text",
    )


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
    if found := invalid_character(name):
        raise error(
            f"The {kind}'s name has {found} in it.", "Choose a name of one line without it.", code="name_unwritable"
        )
