"""Parse the text of a rule; a recursive-descent parser gives good error messages."""

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

#: All spellings of operators, in the order in which they are tried.
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
    "is any of, is null, is not null, within the last N days, month of. Put a name of several words in quotes."
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
        The text is not a rule; the error points to the position and says what is expected there.
    """
    return _Reader(text, parameters or {}).rule()


class _Reader:
    def __init__(self, text: str, parameters: Mapping[str, Any]) -> None:
        self._text = text
        self._tokens = tokens_of(text, parameters)
        self._position = 0
        self._depth = 0

    def rule(self) -> Node:
        node = self._sets()
        if self._current.kind != "end":
            raise self._unexpected("and, or, union, intersect, except or the end", self._end_help())
        return node

    def _sets(self) -> Node:
        first, steps = self._or(), []
        while join := next((each for each in Join if self._current.says(each)), None):
            self._advance()
            steps.append(Step(join=join, rule=self._or()))
        return Joined(first=first, steps=tuple(steps)) if steps else first

    def _or(self) -> Node:
        rules = self._chain("or", self._and)
        return AnyOf(rules=rules) if len(rules) > 1 else rules[0]

    def _and(self) -> Node:
        rules = self._chain("and", self._not)
        return AllOf(rules=rules) if len(rules) > 1 else rules[0]

    def _chain(self, word: str, part: Callable[[], Node]) -> tuple[Node, ...]:
        rules = [part()]
        while self._accept(word):
            rules.append(part())
        return tuple(rules)

    def _not(self) -> Node:
        start = self._current
        if not self._accept("not"):
            return self._primary()
        return Not(rule=self._nested(start, self._not))

    def _primary(self) -> Node:
        start = self._current
        if self._accept("("):
            node = self._nested(start, self._sets)
            if not self._accept(")"):
                raise self._unexpected("a closing parenthesis", "Close the parenthesis that was opened.")
            return node
        if start.kind in ("end", "symbol", "value") or (start.kind == "word" and start.text.lower() in STRUCTURE):
            raise self._unexpected("a column or a segment's name", _RULE_HELP)
        self._advance()
        if start.kind == "quoted" and self._operator(consume=False) is None and self._ends_rule():
            return self._member(start)
        return self._condition(start)

    def _member(self, token: Token) -> Member:
        if not token.text:
            raise unreadable(self._text, token.start, "the name is empty", "Write a segment's name between the quotes.")
        return Member(segment=token.text)

    def _condition(self, column: Token) -> Condition:
        if not column.text:
            raise unreadable(self._text, column.start, "the name is empty", "Write a column's name.")
        operator_token, operator = self._current, self._operator(consume=True)
        if operator is None:
            raise self._unexpected(f"an operator for the column '{column.text}'", _operator_help(column, self._current))
        values = self._values(operator)
        ignoring = self._current
        ignore_case = self._ignoring_case()
        if ignore_case and operator not in TEXTUAL:
            raise unreadable(
                self._text, ignoring.start, "'ignoring case' is for texts", "Leave it out after this operator."
            )
        return self._build(
            operator_token, column=column.text, operator=operator, values=values, ignore_case=ignore_case
        )

    def _build(self, token: Token, **parts: object) -> Condition:
        try:
            return Condition.model_validate(parts)
        except SegmentError as error:
            raise unreadable(self._text, token.start, error.sentence.rstrip("."), error.advice) from None

    def _values(self, operator: Operator) -> tuple[Value, ...]:
        if operator in NULL_TESTS:
            return ()
        if operator is Operator.WITHIN_LAST:
            return (self._days(),)
        if operator is Operator.BETWEEN:
            first = self._value()
            if not self._accept("and"):
                raise self._unexpected("'and' between the two values", "Write it as: TotalSpend between 10 and 20.")
            return (first, self._value())
        if operator in FRAGMENTS:
            return (read_text(self._text, self._advance()),)
        several = {Operator.MONTH: read_month, Operator.ANY_OF: read_value}.get(operator)
        if several is None:
            return (self._value(),)
        values = self._list_or_value(several)
        while self._accept(","):
            values += self._list_or_value(several)
        return tuple(values)

    def _list_or_value(self, read_one: Callable[[str, Token], Value]) -> list[Value]:
        """Return the next value, or the values of a ``$name`` list."""
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
        if not (self._accept("days") or self._accept("day")):
            raise self._unexpected("'days'", "Write it as: LastPurchase within the last 90 days.")
        return days

    def _ignoring_case(self) -> bool:
        if not self._accept("ignoring"):
            return False
        if not self._accept("case"):
            raise self._unexpected("'case'", "Write it as: City equals Amsterdam ignoring case.")
        return True

    def _operator(self, *, consume: bool) -> Operator | None:
        for words, operator in _PHRASES:
            ahead = self._tokens[self._position : self._position + len(words)]
            if len(ahead) == len(words) and all(map(Token.says, ahead, words)):
                self._position += len(words) if consume else 0
                return operator
        return None

    def _ends_rule(self) -> bool:
        return self._current.kind == "end" or any(map(self._current.says, ("and", "or", ")", *Join)))

    def _nested(self, start: Token, part: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise unreadable(
                self._text, start.start, f"rules are nested more than {MOST_DEPTH} deep", "Make it a few segments."
            )
        node = part()
        self._depth -= 1
        return node

    @property
    def _current(self) -> Token:
        return self._tokens[self._position]

    def _advance(self) -> Token:
        token = self._current
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def _accept(self, word: str) -> bool:
        found = self._current.says(word)
        self._position += found
        return found

    def _unexpected(self, expected: str, next_step: str) -> SegmentError:
        return unreadable(self._text, self._current.start, f"{expected} is expected, not {self._current}", next_step)

    def _end_help(self) -> str:
        if self._current.says(","):
            return "Only is any of and month of take several values; a number is written without commas: 1000."
        if self._current.kind == "word":
            return 'A value of several words is quoted: City equals "New York".'
        return _RULE_HELP


def _operator_help(column: Token, found: Token) -> str:
    if column.kind == "word" and (found.kind == "end" or found.text.lower() in STRUCTURE or found.says(")")):
        return f"{_OPERATOR_HELP} A segment's name is in quotes: '{column.text}'."
    return _OPERATOR_HELP
