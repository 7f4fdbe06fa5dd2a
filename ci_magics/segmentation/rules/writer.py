"""Write the tree of a rule as text."""

from __future__ import annotations

import datetime as dt
import re

from ci_magics.segmentation.rules.tree import (
    FRAGMENTS,
    NULL_TESTS,
    AllOf,
    AnyOf,
    Condition,
    Joined,
    Member,
    Node,
    Not,
    Operator,
)
from ci_magics.segmentation.rules.words import RESERVED

#: The text of each operator.
WORDING = {
    Operator.EQUALS: "equals",
    Operator.DIFFERS: "does not equal",
    Operator.GREATER: ">",
    Operator.AT_LEAST: ">=",
    Operator.LESS: "<",
    Operator.AT_MOST: "<=",
    Operator.BETWEEN: "between",
    Operator.CONTAINS: "contains",
    Operator.STARTS: "starts with",
    Operator.ENDS: "ends with",
    Operator.ANY_OF: "is any of",
    Operator.NULL: "is null",
    Operator.NOT_NULL: "is not null",
    Operator.WITHIN_LAST: "within the last",
    Operator.MONTH: "month of",
}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PLAIN = re.compile(r"[^\W\d]\w*")


def write(node: Node) -> str:
    """Return a rule's text; parsing it gives the same tree."""
    match node:
        case Condition():
            return write_condition(node)
        case Member():
            return _in_quotes(node.segment, "'")
        case Not():
            return f"not {_part(node.rule)}"
        case AllOf():
            return " and ".join(_part(rule) for rule in node.rules)
        case AnyOf():
            return " or ".join(_part(rule) for rule in node.rules)
        case Joined():
            return " ".join([_part(node.first), *(f"{step.join} {_part(step.rule)}" for step in node.steps)])


def write_condition(condition: Condition) -> str:
    """Return a condition's text."""
    words = [write_name(condition.column), WORDING[condition.operator]]
    if condition.operator not in NULL_TESTS:
        words.append(_write_values(condition))
    if condition.ignore_case:
        words.append("ignoring case")
    return " ".join(words)


def write_name(name: str) -> str:
    """Return a name, in quotes unless it is one word that is not part of the grammar."""
    plain = _PLAIN.fullmatch(name) and name.lower() not in RESERVED
    return name if plain else _in_quotes(name, '"')


def write_value(value: object) -> str:
    """Return a value; a text is in quotes if it could be read as something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):  # a time is a date too
        return value.isoformat()
    return write_name(value) if isinstance(value, str) else repr(value)


def _write_values(condition: Condition) -> str:
    operator, values = condition.operator, condition.values
    if operator is Operator.WITHIN_LAST:
        return f"{values[0]} {'day' if values[0] == 1 else 'days'}"
    if operator is Operator.MONTH:
        return ", ".join(MONTHS[month - 1] for month in values if isinstance(month, int))
    if operator in FRAGMENTS:  # part of a text is always in quotes
        return _in_quotes(str(values[0]), '"')
    return (" and " if operator is Operator.BETWEEN else ", ").join(map(write_value, values))


def _part(node: Node) -> str:
    """Return a part of a rule: in parentheses, unless it is a single condition or name."""
    return write(node) if isinstance(node, Condition | Member | Not) else f"({write(node)})"


def _in_quotes(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote
