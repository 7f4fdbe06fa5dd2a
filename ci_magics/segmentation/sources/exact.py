"""The exact type of a text column: number, date or Boolean only if every value is one.

A value is a number if it is written plainly: digits, optionally with a minus sign and a decimal point, or in the
notation of programs for very large and small numbers (``1.5e-07``: the exponent has a sign). A leading zero, a plus
sign, ``10E3``, a thousands separator, a decimal comma or a currency sign make it text: identifiers, telephone numbers
and local formats are not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

#: The most digits that DuckDB and Arrow hold exactly.
MOST_DIGITS = 38
_DIGITS_OF_DOUBLE = 17
_DIGITS_OF_INT64 = 18
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
TEXT = pa.large_string()


class Need(Enum):
    """The type that a condition needs, in words for a sentence."""

    NUMBER = "a number"
    MOMENT = "a date"
    TRUTH = "true or false"


class _Kind(Enum):
    WHOLE = r"\A(?:0|-?[1-9][0-9]*)\z"
    NUMBER = r"\A-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-][0-9]+)?\z"
    TRUTH = r"(?i)\A(?:true|false)\z"
    DATE = rf"\A{_DATE}\z"
    LOCAL = rf"\A{_DATE}(?:{_TIME})?\z"
    ZONED = rf"\A{_DATE}{_TIME} ?(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)\z"


_NEEDED: Mapping[Need, tuple[_Kind, ...]] = {
    Need.NUMBER: (_Kind.NUMBER,),
    Need.MOMENT: (_Kind.LOCAL, _Kind.ZONED),
    Need.TRUTH: (_Kind.TRUTH,),
}


class ColumnSurvey:
    """Examine all values of a column, batch by batch, to find the type that holds them exactly."""

    def __init__(self) -> None:
        self._possible = list(_Kind)
        self._seen = False
        self._whole = 0  # the most digits before the decimal point of any value
        self._decimals = 0
        self._significant = 0
        self._exponents = False
        self._fine = False

    @property
    def is_text(self) -> bool:
        """Whether only text is still possible."""
        return not self._possible

    def add(self, values: pa.Array) -> None:
        """Add values."""
        values = values.drop_null()
        if not len(values) or self.is_text:
            return
        self._seen = True
        self._possible = _still_possible(self._possible, values)
        if _Kind.NUMBER in self._possible:
            self._measure(values)
        if _Kind.LOCAL in self._possible or _Kind.ZONED in self._possible:
            self._fine = self._fine or _fine(values)

    def type(self) -> pa.DataType:
        """Return the type; null for a column without values."""
        if not self._seen:
            return pa.null()
        return next((found for kind in self._possible if (found := self._type_of(kind)) is not None), TEXT)

    def _type_of(self, kind: _Kind) -> pa.DataType | None:
        """Return the type that holds values of a kind; None if there is none."""
        match kind:
            case _Kind.WHOLE:
                return self._whole_type()
            case _Kind.NUMBER:
                return self._number_type()
            case _Kind.TRUTH:
                return pa.bool_()
            case _Kind.DATE:
                return pa.date32()
            case _:
                return pa.timestamp("ns" if self._fine else "us", "UTC" if kind is _Kind.ZONED else None)

    def _measure(self, values: pa.Array) -> None:
        """Count digits."""
        powers = pc.match_substring_regex(values, "[eE]")
        if pc.any(powers).as_py():
            self._exponents = True
            for value in values.filter(powers).to_pylist():
                self._count(Decimal(value))
            values = values.filter(pc.invert(powers))
        bare = pc.utf8_ltrim(values, "-")
        length, point = pc.binary_length(bare), pc.find_substring(bare, ".")
        pointed = pc.greater_equal(point, 0)
        decimals = pc.if_else(pointed, pc.subtract(pc.subtract(length, point), 1), 0)
        whole = pc.if_else(pointed, pc.cast(point, pa.int64()), pc.cast(length, pa.int64()))
        self._decimals = max(self._decimals, pc.max(decimals).as_py() or 0)
        self._whole = max(self._whole, pc.max(whole).as_py() or 0)
        self._significant = max(self._significant, pc.max(length).as_py() or 0)

    def _count(self, value: Decimal) -> None:
        _sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)  # noqa: S101 - it is finite
        self._significant = max(self._significant, len(digits))
        self._decimals = max(self._decimals, -exponent, 0)
        self._whole = max(self._whole, len(digits) + exponent, 1)

    def _whole_type(self) -> pa.DataType | None:
        if self._whole <= _DIGITS_OF_INT64:
            return pa.int64()
        return pa.decimal128(MOST_DIGITS, 0) if self._whole <= MOST_DIGITS else None

    def _number_type(self) -> pa.DataType | None:
        digits = max(self._whole, 1) + self._decimals
        if digits <= MOST_DIGITS:
            return pa.decimal128(digits, self._decimals)
        return pa.float64() if self._significant <= _DIGITS_OF_DOUBLE else None


#: All values of the second kind are of the first kind too.
_IMPLYING = {_Kind.NUMBER: _Kind.WHOLE, _Kind.LOCAL: _Kind.DATE}


def converted(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert text to a type that holds all of its values.

    Parameters
    ----------
    values
        The text column.
    kind
        The result of `ColumnSurvey.type`.
    """
    if kind == TEXT:
        return values
    if pa.types.is_null(kind):
        return pa.nulls(len(values))
    if pa.types.is_boolean(kind):
        return pc.equal(pc.utf8_lower(values), "true")
    return values.cast(kind)


def first_misfit(values: pa.Array, need: Need) -> int | None:
    """Return the position of the first value without the type that a condition needs; else None.

    Parameters
    ----------
    values
        The text column.
    need
        The type that the condition needs.
    """
    for place, value in enumerate(pc.invert(_fitting(values, need)).to_pylist()):
        if value:
            return place
    return None


def _fitting(values: pa.Array, need: Need) -> pa.Array:
    found = [pc.match_substring_regex(values, kind.value) for kind in _NEEDED[need]]
    return found[0] if len(found) == 1 else pc.or_(*found)


def _still_possible(kinds: Sequence[_Kind], values: pa.Array) -> list[_Kind]:
    """Return the kinds that all values have."""
    first = values[0].as_py()
    kinds = [kind for kind in kinds if re.search(kind.value.replace(r"\z", r"\Z"), first)]
    found: list[_Kind] = []
    for kind in kinds:
        implied = _IMPLYING.get(kind) in found
        if implied or _all(values, kind):
            found.append(kind)
    return found


def _all(values: pa.Array, kind: _Kind) -> bool:
    try:
        if kind is _Kind.WHOLE:  # same result as the pattern, but much faster
            return bool(pc.all(pc.equal(values.cast(pa.int64()).cast(TEXT), values)).as_py()) or _matching(values, kind)
        if kind is _Kind.DATE:
            values.cast(pa.date32())
        elif kind in (_Kind.LOCAL, _Kind.ZONED):  # the pattern accepts February 30, the cast does not
            values.cast(pa.timestamp("ns" if _fine(values) else "us", "UTC" if kind is _Kind.ZONED else None))
    except pa.ArrowInvalid:
        return kind is _Kind.WHOLE and _matching(values, kind)
    return _matching(values, kind)


def _matching(values: pa.Array, kind: _Kind) -> bool:
    return bool(pl.Series(pl.from_arrow(values)).str.contains(kind.value).all())


def _fine(values: pa.Array) -> bool:
    """Return whether any time is more precise than microseconds."""
    return bool(pc.any(pc.match_substring_regex(values, r"\.[0-9]{7,9}")).as_py())
