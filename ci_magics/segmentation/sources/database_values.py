"""Convert a driver's Python objects to typed Arrow columns; all values decide the type, not a sample."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_INT64 = range(-(2**63), 2**63)
#: The range of whole numbers that a float represents exactly.
_EXACT = range(-(2**53), 2**53 + 1)
_FRACTION = re.compile(r"\.0*$|(\.\d*[1-9])0*$")
TEXT = pa.large_string()
MOMENT = pa.timestamp("us", "UTC")


@dataclass
class ColumnTypeSurvey:
    """The values of a column seen so far.

    Parameters
    ----------
    kinds
        Their types; timestamps with and without a time zone are different kinds.
    low, high
        The smallest and the largest whole number.
    """

    kinds: set[Any] = field(default_factory=set)
    low: int = 0
    high: int = 0

    def add(self, values: Sequence[Any]) -> None:
        """Add values."""
        kinds: set[Any] = set(map(type, values))
        kinds.discard(type(None))
        if int in kinds:
            whole = [each for each in values if type(each) is int]
            self.low, self.high = min(self.low, min(whole)), max(self.high, max(whole))
        if dt.datetime in kinds:
            kinds.discard(dt.datetime)
            kinds |= {("moment", each.tzinfo is not None) for each in values if type(each) is dt.datetime}
        self.kinds |= kinds

    @property
    def kind(self) -> pa.DataType:
        """The type that holds all values exactly; text if there is none."""
        within = self.low in _INT64 and self.high in _INT64
        exact = self.low in _EXACT and self.high in _EXACT
        if self.kinds == {int}:
            return pa.int64() if within else TEXT
        if self.kinds == {float} or (self.kinds == {int, float} and exact):
            return pa.float64()
        simple = {
            bool: pa.bool_(),
            dt.date: pa.date32(),
            ("moment", True): MOMENT,
            ("moment", False): pa.timestamp("us"),
        }
        return simple.get(next(iter(self.kinds)), TEXT) if len(self.kinds) == 1 else TEXT


def to_array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Convert values to a column of a type. Values that do not fit become null, or text in a text column.

    Parameters
    ----------
    values
        The Python objects.
    kind
        The type of the column.
    """
    listed = list(values)
    if pa.types.is_large_string(kind):
        try:
            if set(map(type, listed)) <= {str, type(None)}:
                return pa.array(listed, kind)
        except (pa.ArrowException, UnicodeError):
            pass  # a lone surrogate has no UTF-8 encoding
        return pa.array([as_text_value(each) for each in listed], kind)
    fits = _FITS.get(kind.id)
    try:
        return pa.array(listed, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([each if fits is None or fits(each) else None for each in listed], kind)


def as_text_value(value: Any) -> str | None:
    """Convert a value to text: whole numbers of any type to digits, bytes to UTF-8."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer()
        return str(int(value)) if whole else repr(value)
    if isinstance(value, Decimal):
        return _FRACTION.sub(r"\1", f"{value:f}")
    if isinstance(value, set | frozenset):
        return ",".join(sorted(map(str, value)))
    # A lone surrogate has no UTF-8 encoding. Escaped with a backslash, it is still not a valid address.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def without_zeros(texts: pa.Array) -> pa.Array:
    """Remove trailing zeros of fractions from numbers in text form, so that 10.00 equals 10."""
    return pc.replace_substring_regex(texts, r"\.0*$|(\.\d*[1-9])0*$", r"\1")


def _is_moment(value: Any) -> bool:
    return isinstance(value, dt.datetime)


def _is_day(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


_FITS: dict[int, Callable[[Any], bool]] = {
    pa.date32().id: _is_day,
    MOMENT.id: _is_moment,
    pa.int64().id: lambda value: isinstance(value, int) and value in _INT64,
    pa.float64().id: lambda value: isinstance(value, int | float | Decimal),
}
