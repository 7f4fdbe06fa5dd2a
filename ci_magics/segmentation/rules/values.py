"""The values of a rule: texts, numbers, dates, times, true and false. How they are kept in JSON."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

SMALLEST, GREATEST = -(2**63), 2**64 - 1


def checked_value(given: Any) -> bool | int | float | str | dt.date | dt.datetime:
    """Return a value as it is kept; dates and times come from JSON under a name, to tell them from texts."""
    if isinstance(given, Mapping) and len(given) == 1:
        given = _from_document(*next(iter(given.items())))
    if type(given) not in (bool, int, float, str, dt.date, dt.datetime):
        raise ValueError("not a text, a number, a date, a time, true or false")
    if isinstance(given, float) and not math.isfinite(given):
        raise ValueError("not a finite number")
    if type(given) is int and not SMALLEST <= given <= GREATEST:
        raise ValueError("a whole number of more than 64 bits")
    if isinstance(given, dt.datetime) and given.tzinfo is not None:
        raise ValueError("a time with a time zone")
    if isinstance(given, str):
        given.encode()  # half of a surrogate pair is no text: this is a ValueError too
    # Which of two equal hours of an autumn night is meant cannot be written.
    return given.replace(fold=0) if isinstance(given, dt.datetime) else given


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
"""A value that somebody wrote in a rule. Times have no zone: they are meant in the zone of the column."""
