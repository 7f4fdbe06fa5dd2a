"""The tokens of a rule's text, with their positions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_magics.advice import Advice
from ci_magics.errors import SegmentError
from ci_magics.segmentation.parameters import rule_value, value_of
from ci_magics.segmentation.text_position import locate_in_text

#: Words that end a value or a name unless they are quoted.
STRUCTURE = frozenset({"and", "or", "not", "union", "intersect", "except", "ignoring", "null"})
_PHRASES = (
    "is any of, between, contains, ends with, starts with, within the last day days, does equal equals, is greater "
    "less than equal to, month of, ignoring case, true, false"
)
#: Words that are quoted when they are a name or a value, so that nobody misreads them.
RESERVED = STRUCTURE | set(_PHRASES.replace(",", "").split())
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?=[\s(),]|$)")
_WORD = re.compile(r"""[^\s"'(),=<>!][^\s"(),=<>!]*""")
_SYMBOL = re.compile(r"<>|!=|>=|<=|==|[=<>(),]")
_BLANKS = re.compile(r"\s*")
_CURLY = "“”„«»\u2018\u2019\u201a"
_STRAIGHT = str.maketrans({**dict.fromkeys("“”„«»", "'"), **dict.fromkeys("\u2018\u2019\u201a", "'")})


@dataclass(frozen=True)
class Token:
    """One word of a rule's text.

    Parameters
    ----------
    kind
        ``word``, ``quoted``, ``symbol``, ``value`` or ``end``.
    text
        What it says, without quotes.
    start
        Where it begins in the rule's text.
    value
        What a ``value``, written ``$name``, stands for; a list as a tuple.
    """

    kind: str
    text: str
    start: int
    value: Any = None

    def says(self, word: str) -> bool:
        """Return whether this is a word of the grammar."""
        return self.kind in ("word", "symbol") and self.text.lower() == word

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"'{self.text}'"


def tokens_of(text: str, parameters: Mapping[str, Any]) -> list[Token]:
    """Split a rule's text; the last token is the end.

    Parameters
    ----------
    text
        The rule.
    parameters
        Values for ``$name``; in quotes it is a text.

    Raises
    ------
    SegmentError
        A quote is not closed, a character has no meaning, or a name has no value.
    """
    _require_characters(text)
    found, place = [], _skip(text, 0)
    while place < len(text):
        token, place = _next(text, place)
        found.append(_valued(text, token, parameters) if is_parameter(token) else token)
        place = _skip(text, place)
    return [*found, Token("end", "", len(text))]


def unreadable(text: str, place: int, problem: str, next_step: str | Advice) -> SegmentError:
    """Return the error for a text that is no rule, with a line that points to the place."""
    found = locate_in_text(text, place)
    return SegmentError(
        f"The rule cannot be read at {found.words}: {problem}.{found.excerpt}", next_step, code="rule_unreadable"
    )


def names_in_rule(text: str) -> list[str]:
    """Return the names of the ``$name`` in a rule's text; none where it cannot be read."""
    found, place = [], _skip(text, 0)
    while place < len(text):
        try:
            token, place = _next(text, place)
        except SegmentError:
            break  # parsing the rule reports the mistake
        found.append(token)
        place = _skip(text, place)
    return list(dict.fromkeys(token.text[1:] for token in found if is_parameter(token)))


def is_parameter(token: Token) -> bool:
    """Return whether a word is ``$name``; ``$5`` is a text."""
    return token.kind == "word" and token.text.startswith("$") and token.text[1:].isidentifier()


def _valued(text: str, token: Token, parameters: Mapping[str, Any]) -> Token:
    """Return the token of a value that has a name."""
    value = value_of(token.text[1:], parameters)
    try:
        kept = tuple(map(rule_value, value)) if isinstance(value, tuple) else rule_value(value)
    except ValueError as error:
        raise unreadable(
            text, token.start, f"the value of {token.text} cannot be used, since {error}", _BOUND
        ) from None
    return Token("value", token.text, token.start, kept)


_BOUND = "Bind a number, a text, true or false, a date, a time, or a list of these."


def _next(text: str, place: int) -> tuple[Token, int]:
    if text[place] in "'\"":
        return _quoted(text, place)
    if text[place] in _CURLY:
        straight = text.translate(_STRAIGHT)
        raise unreadable(text, place, "curly quotes hold nothing together", f"Use straight quotes: {straight}.")
    for kind, pattern in (("symbol", _SYMBOL), ("word", _TIME), ("word", _WORD)):
        if found := pattern.match(text, place):
            return Token(kind, found.group(), place), found.end()
    raise unreadable(text, place, f"'{text[place]}' means nothing here", "Leave it out, or put the value in quotes.")


def _quoted(text: str, start: int) -> tuple[Token, int]:
    """Return a text in quotes; the same quote within is written twice."""
    quote, letters, place = text[start], "", start + 1
    while (end := text.find(quote, place)) >= 0:
        letters += text[place:end]
        if text[end + 1 : end + 2] != quote:
            return Token("quoted", letters, start), end + 1
        letters, place = letters + quote, end + 2
    raise unreadable(text, start, f"the quote {quote} is not closed", "Close it, or leave it out.")


def _require_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        whole = text.encode(errors="replace").decode()
        raise unreadable(whole, error.start, "half of a character stands here", "Leave it out.") from None


def _skip(text: str, place: int) -> int:
    blanks = _BLANKS.match(text, place)
    return blanks.end() if blanks else place
