"""``$filter``: the part of OData's expressions that both services are documented to support.

Comparisons, ``in``, ``and``, ``or``, ``not``, ``contains``, ``startswith``, ``endswith`` and Customer Insights' own
``IsMemberOfSegment('name')``. The documentation of Customer Insights joins two conditions by ``&``, which is treated as
``and``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
_FUNCTIONS = ("contains", "startswith", "endswith")
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<mark>[(),&]))"
)
Value = str | float | int | bool | None


class FilterError(Exception):
    """The text is not a valid filter."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of an attribute with a value."""

    operator: str  # one of COMPARISONS, or the name of a text function
    name: str
    value: Value


@dataclass(frozen=True)
class OneOf:
    """A test whether an attribute has one of several values."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Membership:
    """A test for membership in a segment."""

    segment: str


@dataclass(frozen=True)
class Not:
    """The negation of a condition."""

    condition: Condition


@dataclass(frozen=True)
class Both:
    """Two conditions joined by ``and`` or ``or``."""

    operator: str
    left: Condition
    right: Condition


Condition = Comparison | OneOf | Membership | Not | Both


def parse(text: str) -> Condition:
    """Parse a filter.

    Raises
    ------
    FilterError
        The text is not a valid filter.
    """
    reader = _Reader(_tokens(text))
    condition = reader.either()
    if reader.rest:
        raise FilterError(f"unexpected {reader.rest[0][1]}")
    return condition


def names(condition: Condition) -> set[str]:
    """Return the attributes in a condition."""
    match condition:
        case Comparison() | OneOf():
            return {condition.name}
        case Not():
            return names(condition.condition)
        case Both():
            return names(condition.left) | names(condition.right)
        case Membership():
            return set()


def segments(condition: Condition | None) -> set[str]:
    """Return the segments in a condition."""
    match condition:
        case Membership():
            return {condition.segment}
        case Not():
            return segments(condition.condition)
        case Both():
            return segments(condition.left) | segments(condition.right)
    return set()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FilterError(f"character {place + 1} is not understood")
        found.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        place = match.end()
    return found


class _Reader:
    """A recursive descent parser; ``not`` binds closest, then ``and``, then ``or``."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = tokens

    def either(self) -> Condition:
        left = self.both()
        while self._take("or"):
            left = Both("or", left, self.both())
        return left

    def both(self) -> Condition:
        left = self.one()
        while self._take("and") or self._take("&"):
            left = Both("and", left, self.one())
        return left

    def one(self) -> Condition:
        if self._take("not"):
            return Not(self.one())
        if self._take("("):
            inner = self.either()
            self._need(")")
            return inner
        kind, word = self._next()
        if kind != "word":
            raise FilterError(f"unexpected {word}")
        if word == "IsMemberOfSegment":
            self._need("(")
            return Membership(self._text_before_end())
        if word in _FUNCTIONS:
            self._need("(")
            _, name = self._next()
            self._need(",")
            return Comparison(word, name, self._text_before_end())
        return self._comparison(word)

    def _comparison(self, name: str) -> Condition:
        _, operator = self._next()
        if operator in COMPARISONS:
            return Comparison(operator, name, self._value())
        if operator != "in":
            raise FilterError(f"unknown operator {operator}")
        self._need("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._need(")")
        return OneOf(name, tuple(values))

    def _text_before_end(self) -> str:
        value = self._value()
        self._need(")")
        if not isinstance(value, str):
            raise FilterError("a text is needed")
        return value

    def _value(self) -> Value:
        kind, text = self._next()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "moment":
            return text
        if kind == "number":
            return float(text) if "." in text else int(text)
        known: dict[str, Value] = {"null": None, "true": True, "false": False}
        if text not in known:
            raise FilterError(f"{text} is no value")
        return known[text]

    def _next(self) -> tuple[str, str]:
        if not self.rest:
            raise FilterError("it ends too early")
        return self.rest.pop(0)

    def _take(self, text: str) -> bool:
        if self.rest and self.rest[0][0] != "text" and self.rest[0][1] == text:
            del self.rest[0]
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise FilterError(f"{text} is missing")
