"""The values of a rule (texts, numbers, dates, times, Booleans), and their form in JSON."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

SMALLEST, GREATEST = -(2**63), 2**64 - 1


def checked_value(value: Any) -> bool | int | float | str | dt.date | dt.datetime:
    """Return a value in the form that rules store. In JSON, dates and times have a name."""
    if isinstance(value, Mapping) and len(value) == 1:
        value = _from_document(*next(iter(value.items())))
    if type(value) not in (bool, int, float, str, dt.date, dt.datetime):
        raise ValueError("not a text, a number, a date, a time, true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    if type(value) is int and not SMALLEST <= value <= GREATEST:
        raise ValueError("a whole number of more than 64 bits")
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        raise ValueError("a time with a time zone")
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises a ValueError
    # A rule cannot say which of two repeated hours is meant, when clocks go back.
    return value.replace(fold=0) if isinstance(value, dt.datetime) else value


def _from_document(name: Any, text: Any) -> dt.date | dt.datetime:
    if name == "date":
        return dt.date.fromisoformat(str(text))
    if name == "time":
        return dt.datetime.fromisoformat(str(text))
    raise ValueError("neither a date nor a time")


def _document(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return {"time": value.isoformat()}
    return {"date": value.isoformat()} if isinstance(value, dt.date) else value


Value = Annotated[
    bool | int | float | str | dt.date | dt.datetime,
    PlainValidator(checked_value),
    PlainSerializer(_document, when_used="json"),
]
"""A value in a rule. Times have no time zone: they are in the time zone of the column."""
