"""Read one word of a rule's text as a value."""

from __future__ import annotations

import datetime as dt
import math
import re

from ci_magics.display.numbers import format_count
from ci_magics.segmentation.rules.tree import MOST_DAYS
from ci_magics.segmentation.rules.values import GREATEST, SMALLEST, Value, checked_value
from ci_magics.segmentation.rules.words import STRUCTURE, Token, unreadable
from ci_magics.segmentation.rules.writer import MONTHS

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?")
_TRUTH = {"true": True, "false": False}


def read_value(text: str, token: Token) -> Value:
    """Return the value of a word; in quotes, it is always a text.

    Raises
    ------
    SegmentError
        It is not a value.
    """
    if token.kind == "quoted":
        return token.text
    if token.kind == "value":
        return _bound_value(text, token)
    if token.kind != "word" or token.text.lower() in STRUCTURE:
        raise unreadable(text, token.start, f"a value is expected, not {token}", _value_help(token))
    if token.text.lower() in _TRUTH:
        return _TRUTH[token.text.lower()]
    if _NUMBER.fullmatch(token.text):
        return _number(text, token)
    return _moment(text, token) if _DATE.fullmatch(token.text) else token.text


def read_text(text: str, token: Token) -> str:
    """Return a word as text, whatever it looks like.

    Raises
    ------
    SegmentError
        It is not a word.
    """
    if token.kind == "word" and token.text.lower() not in STRUCTURE:
        return token.text
    return str(read_value(text, token))


def read_month(text: str, token: Token) -> int:
    """Return the month that a word means: its name, the first three letters, or 1 to 12.

    Raises
    ------
    SegmentError
        It is not a month.
    """
    word = token.text.lower()
    if token.kind == "value":
        word = str(token.value).lower()
    for number, name in enumerate(MONTHS, start=1):
        if token.kind != "symbol" and word in (name.lower(), name.lower()[:3], str(number)):
            return number
    raise unreadable(text, token.start, f"a month is expected, not {token}", "Write a month, for example March.")


def read_days(text: str, token: Token) -> int:
    """Return the number of days that a word means.

    Raises
    ------
    SegmentError
        It is not a whole number, or out of range.
    """
    written = str(token.value) if token.kind == "value" else token.text
    if token.kind in ("word", "value") and _WHOLE.fullmatch(written) and len(written) < 9:
        days = int(written)
        if 1 <= days <= MOST_DAYS:
            return days
    problem = f"a whole number of days from 1 to {format_count(MOST_DAYS)} is expected, not {token}"
    raise unreadable(text, token.start, problem, "Write it as: LastPurchase within the last 90 days.")


def _bound_value(text: str, token: Token) -> Value:
    """Return the value of a ``$name`` in the form that rules store."""
    if isinstance(token.value, tuple):
        raise unreadable(
            text, token.start, f"{token.text} is a list", "Only is any of and month of take several values."
        )
    try:
        kept: Value = checked_value(token.value)
    except ValueError as error:
        raise unreadable(text, token.start, f"the value of {token.text} is {error}", "Use another one.") from None
    return kept


def _number(text: str, token: Token) -> int | float:
    if _WHOLE.fullmatch(token.text) and len(token.text) < 22 and SMALLEST <= int(token.text) <= GREATEST:
        return int(token.text)
    number = float(token.text)
    if math.isfinite(number):
        return number
    raise unreadable(text, token.start, "the number is too large", "Write it in quotes if it is meant as text.")


def _moment(text: str, token: Token) -> dt.date | dt.datetime:
    problem = f"{token} is not a date of the calendar"
    try:
        if len(token.text) == len("2026-01-31"):
            return dt.date.fromisoformat(token.text)
        problem = f"{token} is not a time without a time zone"
        moment = dt.datetime.fromisoformat(token.text)
        if moment.tzinfo is None:
            return moment
    except ValueError:
        pass
    help_text = "Write a date as 2026-01-31, a time as 2026-01-31 14:30; in quotes, it is a text."
    raise unreadable(text, token.start, problem, help_text)


def _value_help(token: Token) -> str:
    if token.says("null"):
        return "For empty values write is null or is not null."
    return 'A value is a word, a number, a date, or a text in quotes: City equals "New York".'
