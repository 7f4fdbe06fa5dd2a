"""From the text of a rule to its tree: a recursive-descent parser, for the sake of good error messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.literals import read_days, read_month, read_text, read_value
from ci_magics.segmentation.rules.tree import (
    FRAGMENTS,
    MOST_DEPTH,
    NULL_TESTS,
    TEXTUAL,
    AllOf,
    AnyOf,
    Condition,
    Join,
    Joined,
    Member,
    Node,
    Not,
    Operator,
    Step,
)
from ci_magics.segmentation.rules.values import Value
from ci_magics.segmentation.rules.words import STRUCTURE, Token, tokens_of, unreadable

#: Every way to write an operator; what the text begins with is tried in this order.
_PHRASES: tuple[tuple[tuple[str, ...], Operator], ...] = tuple(
    (tuple(words.split()), operator)
    for words, operator in (
        ("is greater than or equal to", Operator.AT_LEAST),
        ("is less than or equal to", Operator.AT_MOST),
        ("is greater than", Operator.GREATER),
        ("is less than", Operator.LESS),
        ("is not equal to", Operator.DIFFERS),
        ("is equal to", Operator.EQUALS),
        ("is any of", Operator.ANY_OF),
        ("is not null", Operator.NOT_NULL),
        ("is null", Operator.NULL),
        ("is between", Operator.BETWEEN),
        ("is within the last", Operator.WITHIN_LAST),
        ("does not equal", Operator.DIFFERS),
        ("equals", Operator.EQUALS),
        ("between", Operator.BETWEEN),
        ("contains", Operator.CONTAINS),
        ("starts with", Operator.STARTS),
        ("ends with", Operator.ENDS),
        ("within the last", Operator.WITHIN_LAST),
        ("month of", Operator.MONTH),
        ("=", Operator.EQUALS),
        ("==", Operator.EQUALS),
        ("!=", Operator.DIFFERS),
        ("<>", Operator.DIFFERS),
        (">=", Operator.AT_LEAST),
        ("<=", Operator.AT_MOST),
        (">", Operator.GREATER),
        ("<", Operator.LESS),
    )
)
_OPERATOR_HELP = (
    "Write one of: equals, does not equal, >, >=, <, <=, between A and B, contains, starts with, ends with, "
    "is any of, is null, is not null, within the last N days, month of. A name of several words is quoted."
)
_RULE_HELP = "For example: Country is any of NL, BE and TotalSpend > 500."


def read(text: str, parameters: Mapping[str, Any] | None = None) -> Node:
    """Return the tree of a rule's text.

    Parameters
    ----------
    text
        The rule.
    parameters
        Values for ``$name`` in it; the tree keeps the values.

    Raises
    ------
    SegmentError
        The text is no rule; the error points to the place and says what was expected there.
    """
    return _Reader(text, parameters or {}).rule()


class _Reader:
    def __init__(self, text: str, parameters: Mapping[str, Any]) -> None:
        self._text = text
        self._tokens = tokens_of(text, parameters)
        self._place = 0
        self._depth = 0

    def rule(self) -> Node:
        node = self._joined()
        if self._now.kind != "end":
            raise self._unexpected("and, or, union, intersect, except or the end", self._end_help())
        return node

    def _joined(self) -> Node:
        first, steps = self._either(), []
        while join := next((each for each in Join if self._now.says(each)), None):
            self._advance()
            steps.append(Step(join=join, rule=self._either()))
        return Joined(first=first, steps=tuple(steps)) if steps else first

    def _either(self) -> Node:
        rules = self._chain("or", self._both)
        return AnyOf(rules=rules) if len(rules) > 1 else rules[0]

    def _both(self) -> Node:
        rules = self._chain("and", self._negated)
        return AllOf(rules=rules) if len(rules) > 1 else rules[0]

    def _chain(self, word: str, part: Callable[[], Node]) -> tuple[Node, ...]:
        rules = [part()]
        while self._take(word):
            rules.append(part())
        return tuple(rules)

    def _negated(self) -> Node:
        start = self._now
        if not self._take("not"):
            return self._primary()
        return Not(rule=self._deeper(start, self._negated))

    def _primary(self) -> Node:
        start = self._now
        if self._take("("):
            node = self._deeper(start, self._joined)
            if not self._take(")"):
                raise self._unexpected("a closing parenthesis", "Close what was opened.")
            return node
        if start.kind in ("end", "symbol", "value") or (start.kind == "word" and start.text.lower() in STRUCTURE):
            raise self._unexpected("a column or a segment's name", _RULE_HELP)
        self._advance()
        if start.kind == "quoted" and self._operator(taking=False) is None and self._ends_rule():
            return self._member(start)
        return self._condition(start)

    def _member(self, token: Token) -> Member:
        if not token.text:
            raise unreadable(self._text, token.start, "the name is empty", "Write a segment's name between the quotes.")
        return Member(segment=token.text)

    def _condition(self, column: Token) -> Condition:
        if not column.text:
            raise unreadable(self._text, column.start, "the name is empty", "Write a column's name.")
        place, operator = self._now, self._operator(taking=True)
        if operator is None:
            raise self._unexpected(f"an operator for the column '{column.text}'", _operator_help(column, self._now))
        values = self._values(operator)
        ignoring = self._now
        ignore_case = self._ignoring_case()
        if ignore_case and operator not in TEXTUAL:
            raise unreadable(
                self._text, ignoring.start, "'ignoring case' is for texts", "Leave it out after this operator."
            )
        return self._built(place, column=column.text, operator=operator, values=values, ignore_case=ignore_case)

    def _built(self, place: Token, **parts: object) -> Condition:
        try:
            return Condition.model_validate(parts)
        except SegmentError as error:
            raise unreadable(self._text, place.start, error.sentence.rstrip("."), error.advice) from None

    def _values(self, operator: Operator) -> tuple[Value, ...]:
        if operator in NULL_TESTS:
            return ()
        if operator is Operator.WITHIN_LAST:
            return (self._days(),)
        if operator is Operator.BETWEEN:
            first = self._value()
            if not self._take("and"):
                raise self._unexpected("'and' between the two values", "Write it as: TotalSpend between 10 and 20.")
            return (first, self._value())
        if operator in FRAGMENTS:
            return (read_text(self._text, self._advance()),)
        several = {Operator.MONTH: read_month, Operator.ANY_OF: read_value}.get(operator)
        if several is None:
            return (self._value(),)
        values = self._listed(several)
        while self._take(","):
            values += self._listed(several)
        return tuple(values)

    def _listed(self, read_one: Callable[[str, Token], Value]) -> list[Value]:
        """Return the next value, or those of a list that has a name."""
        token = self._advance()
        several = token.value if isinstance(token.value, tuple) else None
        if several is None:
            return [read_one(self._text, token)]
        if not several:
            raise unreadable(self._text, token.start, f"the list {token.text} is empty", "Put a value into it.")
        return [read_one(self._text, replace(token, value=each)) for each in several]

    def _value(self) -> Value:
        return read_value(self._text, self._advance())

    def _days(self) -> Value:
        days = read_days(self._text, self._advance())
        if not (self._take("days") or self._take("day")):
            raise self._unexpected("'days'", "Write it as: LastPurchase within the last 90 days.")
        return days

    def _ignoring_case(self) -> bool:
        if not self._take("ignoring"):
            return False
        if not self._take("case"):
            raise self._unexpected("'case'", "Write it as: City equals Amsterdam ignoring case.")
        return True

    def _operator(self, *, taking: bool) -> Operator | None:
        for words, operator in _PHRASES:
            ahead = self._tokens[self._place : self._place + len(words)]
            if len(ahead) == len(words) and all(map(Token.says, ahead, words)):
                self._place += len(words) if taking else 0
                return operator
        return None

    def _ends_rule(self) -> bool:
        return self._now.kind == "end" or any(map(self._now.says, ("and", "or", ")", *Join)))

    def _deeper(self, start: Token, part: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise unreadable(
                self._text, start.start, f"rules are nested more than {MOST_DEPTH} deep", "Make it a few segments."
            )
        node = part()
        self._depth -= 1
        return node

    @property
    def _now(self) -> Token:
        return self._tokens[self._place]

    def _advance(self) -> Token:
        token = self._now
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def _take(self, word: str) -> bool:
        found = self._now.says(word)
        self._place += found
        return found

    def _unexpected(self, expected: str, next_step: str) -> SegmentError:
        return unreadable(self._text, self._now.start, f"{expected} is expected, not {self._now}", next_step)

    def _end_help(self) -> str:
        if self._now.says(","):
            return "Only is any of and month of take several values; a number is written without commas: 1000."
        if self._now.kind == "word":
            return 'A value of several words is quoted: City equals "New York".'
        return _RULE_HELP


def _operator_help(column: Token, found: Token) -> str:
    if column.kind == "word" and (found.kind == "end" or found.text.lower() in STRUCTURE or found.says(")")):
        return f"{_OPERATOR_HELP} A segment's name stands in quotes: '{column.text}'."
    return _OPERATOR_HELP
