"""Bind values to ``$name`` in a condition or a rule, whatever the values contain.

A condition is evaluated in many places: over frames and files, by Spark's executors, by a refresh in another process.
So a value is bound once, when the segment is created: it is written as a literal that DuckDB reads as exactly this
value. The content of a text can never become SQL.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from ci_magics.advice import Opt
from ci_magics.errors import SegmentError, nearest_name
from ci_magics.segmentation.sources.frame_kinds import is_frame

#: The parts of SQL in which a ``$`` is not a parameter, then the parameter.
_PARTS = re.compile(
    r"""(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'          # a text with escapes
    |'(?:[^']|'')*'                              # a text
    |"(?:[^"]|"")*"                              # a name
    |--[^\n]*                                    # a comment
    |/\*.*?\*/
    |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$   # a text between dollars
    |(?<![\w$])\$(?P<name>[^\W\d]\w*)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN_LIST = re.compile(r"\bin\s*\(\s*$", re.IGNORECASE)
_CLOSED_LIST = re.compile(r"\s*\)")
_KINDS = "a number, a text, true or false, a date, a time, None, or a list of these"
_SMALLEST, _GREATEST = -(2**127), 2**127 - 1


def names_in_condition(condition: str) -> list[str]:
    """Return the names of the ``$name`` parameters in a condition, in order, ignoring quotes and comments."""
    return list(dict.fromkeys(found["name"] for found in _PARTS.finditer(condition) if found["name"]))


def bound(condition: str, parameters: Mapping[str, Any]) -> str:
    """Return a condition with its ``$name`` parameters replaced by values.

    Parameters
    ----------
    condition
        In DuckDB's SQL.
    parameters
        Values by name: numbers, texts, Booleans, dates, times, None, and lists of these; also from NumPy and pandas.

    Raises
    ------
    SegmentError
        A name has no value, or a condition cannot use its value.
    """

    def written(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found.group()
        value = value_of(name, parameters)
        if not isinstance(value, tuple):
            return _literal(name, value)
        listed = ", ".join(_literal(name, each) for each in value)
        if _OPEN_LIST.search(condition[: found.start()]) and _CLOSED_LIST.match(condition, found.end()):
            return listed or "SELECT NULL WHERE false"
        return f"[{listed}]"

    return _PARTS.sub(written, condition)


def value_of(name: str, parameters: Mapping[str, Any]) -> Any:
    """Return the value of ``$name`` as a plain Python value; any list as a tuple.

    Raises
    ------
    SegmentError
        The value does not exist, or a condition cannot use it.
    """
    if name not in parameters:
        nearest = nearest_name(name, [each for each in parameters if not each.startswith("_")])
        hint = f" Did you mean ${nearest}?" if nearest else ""
        raise SegmentError(
            f"There is no value for ${name}.{hint}",
            "Make a variable of that name first; in Python give parameters={...}.",
            code="no_parameter",
        )
    value = parameters[name]
    if is_frame(value) and not _is_column(value):
        raise SegmentError(f"${name} is a frame, not a value.", f"Bind {_KINDS}.", code="parameter")
    if hasattr(value, "to_list") and _is_column(value):
        missing = value.isna() if hasattr(value, "isna") else [False] * len(value)  # pandas writes null as NaN
        value = [None if empty else each for each, empty in zip(value.to_list(), missing, strict=True)]
    elif hasattr(value, "to_pylist"):
        value = value.to_pylist()
    elif isinstance(value, np.ndarray):
        value = list(value.ravel())
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)  # the same definition for the same values
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping):
        return tuple(_plain(name, each) for each in value)
    return _plain(name, value)


def _is_column(value: Any) -> bool:
    return hasattr(value, "dtype") and getattr(value, "ndim", 1) == 1


def _plain(name: str, value: Any) -> Any:
    """Convert a NumPy or pandas value to a plain Python value."""
    if isinstance(value, np.datetime64):
        value = None if np.isnat(value) else value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic):
        value = value.item()
    kind = type(value).__name__
    if kind in ("NaTType", "NAType"):
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.floor("us").to_pydatetime()
    elif hasattr(value, "as_py"):
        value = value.as_py()
    if value is None or isinstance(value, bool | int | float | Decimal | str | dt.date | dt.time):
        return value
    if isinstance(value, uuid.UUID):
        return str(value)
    raise SegmentError(
        f"${name} is a {kind}, which no column can be compared with.", f"Bind {_KINDS}.", code="parameter"
    )


def _literal(name: str, value: Any) -> str:
    """Return a value as a DuckDB literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not _SMALLEST <= value <= _GREATEST:
            raise SegmentError(f"${name} is a number of more than 128 bits.", "Use a smaller one.", code="parameter")
        return f"({int(value)})" if value < 0 else str(int(value))
    if isinstance(value, float):
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    if isinstance(value, Decimal):
        return _decimal(name, value)
    if isinstance(value, dt.datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return f"{kind} '{value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, dt.time):
        return f"TIME '{value.replace(tzinfo=None).isoformat()}'"
    return _text(name, str(value))


def _decimal(name: str, value: Decimal) -> str:
    if not value.is_finite():
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    exponent = value.as_tuple().exponent
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    if scale + max(value.adjusted() + 1, 1) > _DIGITS:
        raise SegmentError(f"${name} has more than {_DIGITS} digits.", "Use fewer.", code="parameter")
    return f"CAST('{value:f}' AS DECIMAL({_DIGITS}, {scale}))"


_DIGITS = 38


def _text(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SegmentError(f"${name} holds half of a character.", "Use a complete text.", code="parameter") from None
    return "'" + value.replace("'", "''") + "'"


def rule_value(value: Any) -> Any:
    """Convert a value to one that a rule stores: a decimal number becomes a float, dates and times stay.

    Raises
    ------
    ValueError
        A rule cannot hold the value; the message says why.
    """
    if value is None:
        raise ValueError("it is empty; write is null instead")
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it is not a finite number")
    if isinstance(value, dt.time):
        raise ValueError(f"a time of day is compared in SQL only: use {Opt('where')}")  # noqa: TRY004 - the type is valid, but not here
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
