"""Check a rule for a frame before anything runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.rules.kinds import MOMENTS, NUMBERS, ColumnType, Kind, Types
from ci_magics.segmentation.rules.tree import CALENDAR, FRAGMENTS, NULL_TESTS, ORDERING, Condition, Node, Operator, walk
from ci_magics.segmentation.rules.writer import WORDING, write_value

_NAMES = {
    Kind.WHOLE: "a number",
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text",
    Kind.DATE: "a date",
    Kind.TIME: "a time",
    Kind.TRUTH: "true or false",
    Kind.OTHER: "neither a text, a number, a date, a time nor true or false",
}
_EXAMPLES = {
    Kind.WHOLE: "Write a number without quotes, for example 500.",
    Kind.NUMBER: "Write a number without quotes, for example 19.95.",
    Kind.DATE: "Write a date without quotes, for example 2026-01-31.",
    Kind.TIME: "Write a date or a time without quotes, for example 2026-01-31 or 2026-01-31T14:30.",
    Kind.TRUTH: "Write true or false without quotes.",
}
_OPERATORS = {
    Kind.WHOLE: "equals, does not equal, >, >=, <, <=, between, is any of, is null, is not null",
    Kind.TEXT: "equals, does not equal, contains, starts with, ends with, is any of, is null, is not null",
    Kind.DATE: "equals, does not equal, >, <, between, within the last, month of, is any of, is null, is not null",
    Kind.TRUTH: "equals, does not equal, is null, is not null",
    Kind.OTHER: "is null, is not null",
}


def check_conditions(node: Node, columns: Sequence[str], types: Types) -> None:
    """Reject a rule whose conditions do not fit a frame's columns.

    Parameters
    ----------
    node
        The rule.
    columns
        All columns of the frame, for the error about one that is missing.
    types
        The types of the columns that the rule uses.

    Raises
    ------
    SegmentError
        A column does not exist, or its values cannot be compared like that.
    """
    for each in walk(node):
        if isinstance(each, Condition):
            check_condition(each, types[require_column(columns, each.column)])


def check_condition(condition: Condition, of: ColumnType) -> None:
    """Reject a condition that does not fit its column's type.

    Raises
    ------
    SegmentError
        The operator or a value is for another type.
    """
    if condition.operator in NULL_TESTS or of.kind is Kind.EMPTY:
        return
    if not _operator_fits(condition.operator, of.kind):
        raise _wrong_operator(condition, of.kind)
    if condition.operator in CALENDAR:
        return
    for value in condition.values:
        if not _value_fits(value, of.kind):
            raise _wrong_value(condition, value, of.kind)
    if condition.ignore_case and of.kind is not Kind.TEXT:
        raise SegmentError(
            f"{condition.column} is {_NAMES[of.kind]}, so case cannot be ignored.",
            "Leave out 'ignoring case'.",
            code="rule_type",
        )


def _operator_fits(operator: Operator, kind: Kind) -> bool:
    if kind is Kind.OTHER:
        return False
    if operator in FRAGMENTS:
        return kind is Kind.TEXT
    if operator in ORDERING:
        return kind in NUMBERS | MOMENTS
    return operator not in CALENDAR or kind in MOMENTS


def _value_fits(value: object, kind: Kind) -> bool:
    match kind:
        case Kind.WHOLE | Kind.NUMBER:
            return type(value) in (int, float)
        case Kind.TEXT:  # a whole number too, because many codes are whole numbers
            return type(value) in (str, int)
        case Kind.DATE:
            return type(value) is dt.date
        case Kind.TIME:
            return isinstance(value, dt.date)
        case _:
            return type(value) is bool


def _wrong_operator(condition: Condition, kind: Kind) -> SegmentError:
    base = Kind.WHOLE if kind in NUMBERS else Kind.DATE if kind in MOMENTS else kind
    return SegmentError(
        f"{condition.column} is {_NAMES[kind]}, so '{WORDING[condition.operator]}' cannot be used.",
        f"Use one of: {_OPERATORS[base]}.",
        code="rule_type",
    )


def _wrong_value(condition: Condition, value: object, kind: Kind) -> SegmentError:
    shown = value if isinstance(value, str) else write_value(value)
    if kind is Kind.TEXT:
        advice = f'Put it in quotes if it is meant as text: "{shown}".'
    elif kind is Kind.DATE and isinstance(value, dt.datetime):
        advice = f"Leave out the time of the day: {value.date().isoformat()}."
    else:
        advice = _EXAMPLES[kind]
    return SegmentError(f"{condition.column} is {_NAMES[kind]}, '{shown}' is not.", advice, code="rule_type")
