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

#: Unquoted words that end a value or a name.
STRUCTURE = frozenset({"and", "or", "not", "union", "intersect", "except", "ignoring", "null"})
_PHRASES = (
    "is any of, between, contains, ends with, starts with, within the last day days, does equal equals, is greater "
    "less than equal to, month of, ignoring case, true, false"
)
#: Words that are quoted if they are a name or a value, to avoid confusion.
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
        The text without quotes.
    start
        Its position in the rule's text.
    value
        The value of a ``$name``; a list as a tuple.
    """

    kind: str
    text: str
    start: int
    value: Any = None

    def says(self, word: str) -> bool:
        """Return whether this is a certain word of the grammar."""
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
        Values for ``$name``; in quotes, it is a text.

    Raises
    ------
    SegmentError
        A quote is not closed, a character has no meaning, or a name has no value.
    """
    _require_characters(text)
    found, position = [], _skip(text, 0)
    while position < len(text):
        token, position = _next(text, position)
        found.append(_with_value(text, token, parameters) if is_parameter(token) else token)
        position = _skip(text, position)
    return [*found, Token("end", "", len(text))]


def unreadable(text: str, position: int, problem: str, next_step: str | Advice) -> SegmentError:
    """Return the error for a text that is not a rule, with a line that points to the position."""
    found = locate_in_text(text, position)
    return SegmentError(
        f"The rule cannot be read at {found.words}: {problem}.{found.excerpt}", next_step, code="rule_unreadable"
    )


def names_in_rule(text: str) -> list[str]:
    """Return the names of the ``$name`` parameters in a rule's text, up to the first error."""
    found, position = [], _skip(text, 0)
    while position < len(text):
        try:
            token, position = _next(text, position)
        except SegmentError:
            break  # parsing the rule reports the mistake
        found.append(token)
        position = _skip(text, position)
    return list(dict.fromkeys(token.text[1:] for token in found if is_parameter(token)))


def is_parameter(token: Token) -> bool:
    """Return whether a word is ``$name``; ``$5`` is a text."""
    return token.kind == "word" and token.text.startswith("$") and token.text[1:].isidentifier()


def _with_value(text: str, token: Token, parameters: Mapping[str, Any]) -> Token:
    """Return the token for the value of a ``$name``."""
    value = value_of(token.text[1:], parameters)
    try:
        kept = tuple(map(rule_value, value)) if isinstance(value, tuple) else rule_value(value)
    except ValueError as error:
        raise unreadable(text, token.start, f"the value of {token.text} cannot be used: {error}", _BOUND) from None
    return Token("value", token.text, token.start, kept)


_BOUND = "Bind a number, a text, true or false, a date, a time, or a list of these."


def _next(text: str, position: int) -> tuple[Token, int]:
    if text[position] in "'\"":
        return _quoted(text, position)
    if text[position] in _CURLY:
        straight = text.translate(_STRAIGHT)
        raise unreadable(text, position, "curly quotes are not quotes here", f"Use straight quotes: {straight}.")
    for kind, pattern in (("symbol", _SYMBOL), ("word", _TIME), ("word", _WORD)):
        if found := pattern.match(text, position):
            return Token(kind, found.group(), position), found.end()
    raise unreadable(
        text, position, f"'{text[position]}' is not expected here", "Leave it out, or put the value in quotes."
    )


def _quoted(text: str, start: int) -> tuple[Token, int]:
    """Return a text in quotes; a doubled quote is a literal one."""
    quote, content, position = text[start], "", start + 1
    while (end := text.find(quote, position)) >= 0:
        content += text[position:end]
        if text[end + 1 : end + 2] != quote:
            return Token("quoted", content, start), end + 1
        content, position = content + quote, end + 2
    raise unreadable(text, start, f"the quote {quote} is not closed", "Close it, or leave it out.")


def _require_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        readable = text.encode(errors="replace").decode()
        raise unreadable(readable, error.start, "there is half of a character", "Leave it out.") from None


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position
