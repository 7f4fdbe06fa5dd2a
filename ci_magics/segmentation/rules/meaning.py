"""Interpret a condition for a column of a type: used for SQL and to find contradictions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np

from ci_magics.errors import ArgumentError
from ci_magics.segmentation.rules.case import fold_case
from ci_magics.segmentation.rules.kinds import ColumnType, Kind
from ci_magics.segmentation.rules.tree import NULL_TESTS, Condition, Operator
from ci_magics.segmentation.rules.values import SMALLEST

_EPOCH = dt.datetime.fromisoformat("1970-01-01")  # without a zone, as the values of rules are
#: Larger 64-bit integers are unsigned.
GREATEST_SIGNED = 2**63 - 1


class View(Enum):
    """The form in which the values of a column are compared."""

    RAW = auto()  #: unchanged: only whether there is a value
    WHOLE = auto()  #: whole numbers
    NUMBER = auto()  #: floating point; NaN is null
    TEXT = auto()
    FOLDED = auto()  #: texts without regard to case
    TRUTH = auto()
    DAY = auto()  #: days of the calendar, in the column's zone
    MONTH = auto()  #: 1 to 12
    MOMENT = auto()  #: times to the microsecond, in the column's zone
    NANOSECOND = auto()  #: nanoseconds since 1970, in the column's zone
    NOTHING = auto()  #: a column without any value


@dataclass(frozen=True)
class Test:
    """A comparison that engines evaluate.

    Parameters
    ----------
    column, type
        The column and its type.
    view
        The form in which it is compared.
    operator
        The comparison; never `Operator.WITHIN_LAST` or `Operator.MONTH`, which become comparisons of days and months.
    values
        The values to compare with, in the form of the view.
    """

    __test__ = False  # keeps pytest from collecting it

    column: str
    type: ColumnType
    view: View
    operator: Operator
    values: tuple[Any, ...]


def meaning(condition: Condition, of: ColumnType, today: dt.date | None) -> Test:
    """Return what a condition means for a column of this type.

    Parameters
    ----------
    condition
        A condition that fits the type.
    of
        The column's type.
    today
        The day on which the last days end.

    Raises
    ------
    ArgumentError
        The condition is about the last days, and ``today`` is missing.
    """
    operator, values = condition.operator, tuple(condition.values)
    if operator in NULL_TESTS:
        view = View.NUMBER if of.kind is Kind.NUMBER else View.RAW
    elif of.kind is Kind.EMPTY:
        view = View.NOTHING
    elif operator is Operator.WITHIN_LAST:
        view, operator, values = View.DAY, Operator.BETWEEN, _days_until(values[0], today)
    elif operator is Operator.MONTH:
        view, operator = View.MONTH, Operator.ANY_OF
    else:
        view, values = _compared(condition, of)
    return Test(condition.column, of, view, operator, values)


def _compared(condition: Condition, of: ColumnType) -> tuple[View, tuple[Any, ...]]:
    values = tuple(condition.values)
    match of.kind:
        case Kind.WHOLE if all(type(value) is int for value in values):
            return View.WHOLE, values
        case Kind.WHOLE | Kind.NUMBER:
            return View.NUMBER, tuple(_rounded(value, of) for value in values)
        case Kind.TEXT:
            texts = tuple(map(str, values))
            return (View.FOLDED, tuple(map(fold_case, texts))) if condition.ignore_case else (View.TEXT, texts)
        case Kind.DATE | Kind.TIME:
            return _moments(values, of)
        case _:
            return View.TRUTH, values


def _rounded(value: Any, of: ColumnType) -> float:
    """Round a number as the column would: 0.1 in single precision is not exactly 0.1."""
    with np.errstate(over="ignore"):
        return float(np.float32(value)) if of.single else float(value)


def _moments(values: tuple[Any, ...], of: ColumnType) -> tuple[View, tuple[Any, ...]]:
    if not any(isinstance(value, dt.datetime) for value in values):
        return View.DAY, values
    times = tuple(
        value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time()) for value in values
    )
    if not of.fine:
        return View.MOMENT, tuple(times)
    return View.NANOSECOND, tuple(_nanoseconds(time) for time in times)


def _nanoseconds(time: dt.datetime) -> int:
    exact = (time - _EPOCH) // dt.timedelta(microseconds=1) * 1000
    return min(max(exact, SMALLEST), GREATEST_SIGNED)


def _days_until(days: Any, today: dt.date | None) -> tuple[dt.date, dt.date]:
    if today is None:
        raise ArgumentError(
            "The rule is about the last days, but today's date is missing.",
            "Give it: today=datetime.date.today().",
            code="no_today",
        )
    return today - dt.timedelta(days=days), today
