"""The canonical text of a key, which makes keys of different types comparable.

Two keys identify the same profile if their texts are equal. The text depends only on the value, not on the type that a
source gives the column. So the id 1001 of a frame matches the id ``"1001"`` of a CSV file and the id ``1001.0`` of an
Excel sheet:

========================  ==============================================================================================
value                     text
========================  ==============================================================================================
whole number, any type    its digits, with ``-`` if negative: int8 to uint64, Int128 and HUGEINT, 1001.0 as a float of
                          any precision, ``Decimal("1001.00")``. A float gives every digit of the number that it holds.
other number              the shortest decimal number that reads back as the same value, without an exponent and without
                          trailing zeros: ``200000.7``, ``0.0000001``
text                      unchanged: ``"0012345"`` is not 12345, and ``" 1001"`` is not 1001
category, enumeration     the text of the underlying value
true or false             ``true``, ``false``
date                      ``2026-11-29``
time without a zone       ``2026-11-29 08:30:00``, with as many digits of a second as needed; midnight is the date alone
time with a zone          the same in UTC, always with the time of day: ``2026-11-29 07:30:00+00:00``
time of day               ``08:30:00``
UUID                      lower case with hyphens
bytes                     their UTF-8 text; hexadecimal digits if they are not valid UTF-8
null, NaN, NaT            no key
========================  ==============================================================================================

Texts that look alike but were written differently stay different: nothing is trimmed, and case matters.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.forking import require_threads
from ci_magics.segmentation.values import is_bytes, is_text, readable

_SEED = 7
#: A different seed for texts: Polars gives the empty text and the number 0 the same hash.
_TEXT_SEED = 11
_GREATEST = 2**63 - 1
#: The canonical text of a whole number, which may fit in 64 bits.
_DIGITS = r"^(?:0|-?[1-9][0-9]{0,18})$"
#: Trailing zeros of a number with a decimal point, and the point if nothing remains after it.
_ZEROS = r"\.?0*$"
_TEXT = pa.large_string()


def can_be_key(kind: pa.DataType) -> bool:
    """Return whether values of an Arrow type can identify profiles: texts, numbers, times, bytes."""
    kind = _plain_type(kind)
    tests = (
        is_text,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_date,
        pa.types.is_timestamp,
        pa.types.is_time,
        is_bytes,
    )
    return isinstance(kind, pa.UuidType) or any(test(kind) for test in tests)


def stored_key_type(kind: pa.DataType) -> pa.DataType:
    """Return the storage type for keys of an Arrow type: integers unchanged, which is compact; all others as text."""
    return kind if pa.types.is_integer(kind) else _TEXT


def stored_keys(keys: pa.Array) -> pa.Array:
    """Convert a column of keys to its `stored_key_type`."""
    return keys if pa.types.is_integer(keys.type) else key_text(keys)


def key_text(keys: Any) -> pa.Array:
    """Return the text of each key in an Arrow column, as ``large_string``; null where there is no key.

    Parameters
    ----------
    keys
        An Arrow array or chunked array of a type that `can_be_key`, of Booleans, or of nulls.

    Raises
    ------
    TypeError
        The type cannot be a key.
    """
    require_threads()
    if isinstance(keys, pa.ChunkedArray):
        parts = [key_text(chunk) for chunk in keys.chunks]
        return pa.concat_arrays(parts) if parts else pa.array([], _TEXT)
    kind = keys.type
    if pa.types.is_dictionary(kind):
        return pc.take(key_text(keys.dictionary), keys.indices)
    if pa.types.is_run_end_encoded(kind):
        return key_text(pc.run_end_decode(keys))
    if isinstance(kind, pa.UuidType):
        return pa.array([None if each is None else str(each) for each in keys.to_pylist()], _TEXT)
    if isinstance(kind, pa.BaseExtensionType):
        return key_text(keys.storage)
    for is_kind, text in _WRITERS:
        if is_kind(kind):
            return text(keys)
    raise TypeError(f"{kind} values cannot be keys")


def text_of_keys(column: Any) -> Any:
    """Return the text of each key in a frame's column, in the form used by rejected rows and downloaded keys.

    Parameters
    ----------
    column
        A pandas or Polars Series, an Arrow column or a list. Values that cannot be keys are converted with ``str``.

    Returns
    -------
    pandas.Series, polars.Series or pyarrow.Array
        The texts: for pandas with the same index, for a list as Arrow.
    """
    if type(column).__module__.startswith("pandas"):
        texts = [text_of_value(each) for each in column] if column.dtype == object else None
        texts = texts or key_text(pa.array(column, from_pandas=True)).to_pylist()
        return type(column)(texts, index=column.index, name=column.name)
    texts = key_text(arrow_keys(column))
    return pl.Series(column.name, pl.from_arrow(texts), pl.String) if isinstance(column, pl.Series) else texts


def largest_exact(kind: pa.DataType) -> float | None:
    """Return the limit from which floats of a type skip whole numbers; None if the type has no such limit."""
    bits = {"halffloat": 11, "float": 24, "double": 53}.get(str(kind))
    return None if bits is None else 2.0**bits


def text_of_value(value: Any) -> str | None:
    """Return the text of one Python or NumPy value; None if it is not a key.

    The same as `key_text` for a column of such values. Values that cannot be keys are converted with ``str``.

    Raises
    ------
    TypeError
        The object cannot be converted.
    """
    if isinstance(value, str):
        # A lone surrogate has no UTF-8 encoding. Escaped with a backslash, it is still not a valid address.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, np.generic) and not isinstance(value, np.floating):
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | np.floating):
        return _float_text(value)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if isinstance(value, bytes | dt.date | dt.time):
        text: str | None = key_text(pa.array([value])).to_pylist()[0]
        return text
    try:
        written = str(value)
    except Exception:  # noqa: BLE001 - a foreign object's __str__ can raise anything
        raise TypeError(f"a {type(value).__name__} has no text") from None
    return written.encode("utf-8", "backslashreplace").decode("utf-8")


def key_marks(keys: Any) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash for each key in an Arrow column: equal for equal texts, arbitrary for nulls.

    With fifty million keys and a set of a million, the chance of any false match is one in three hundred thousand.
    """
    # Most keys are whole numbers. Hashing them as numbers, together with texts that spell the same number, is ten times
    # as fast as converting all of them to text.
    if pa.types.is_integer(keys.type):
        numbers = pl.Series(pl.from_arrow(keys))
        if numbers.dtype != pl.UInt64 or (numbers.max() or 0) <= _GREATEST:  # type: ignore[operator]  # it is a number
            return numbers.cast(pl.Int64).hash(seed=_SEED).to_numpy()
    texts = pl.Series(pl.from_arrow(key_text(keys)), dtype=pl.String)
    marks = texts.hash(seed=_TEXT_SEED)
    digits = texts.str.contains(_DIGITS).fill_null(value=False)
    if not digits.any():
        return marks.to_numpy()
    numbers = pl.select(pl.when(digits).then(texts)).to_series().cast(pl.Int64, strict=False)
    return pl.select(pl.when(numbers.is_null()).then(marks).otherwise(numbers.hash(seed=_SEED))).to_series().to_numpy()


def marks_in_column(keys: Any) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash for each key, comparable only with keys of the same column type.

    Texts are not searched for whole numbers, which would take longer than hashing; see `key_marks`.
    """
    if is_text(keys.type):
        return text_series(keys).hash(seed=_TEXT_SEED).to_numpy()
    return key_marks(keys)


def arrow_keys(keys: Any) -> Any:
    """Return a Polars Series, an Arrow column or a list of keys as an Arrow column that `key_text` accepts."""
    if isinstance(keys, pa.Array | pa.ChunkedArray):
        return keys
    if not isinstance(keys, pl.Series):
        return pa.array([text_of_value(each) for each in keys], _TEXT)
    if keys.dtype == pl.Object:
        return pa.array([text_of_value(each) for each in keys.to_list()], _TEXT)
    if keys.dtype in (pl.Int128, pl.UInt128):  # Arrow has no such types
        keys = keys.cast(pl.String)
    return keys.to_arrow()


def text_series(keys: Any) -> pl.Series:
    """Return `key_text` as a Polars column; Polars converts whole numbers, because it is faster."""
    require_threads()
    if pa.types.is_integer(keys.type):
        return pl.Series(pl.from_arrow(keys)).cast(pl.String)
    return pl.Series(pl.from_arrow(key_text(keys)), dtype=pl.String)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    return kind.storage_type if isinstance(kind, pa.JsonType) else kind


def _of_text(keys: pa.Array) -> pa.Array:
    return readable(keys.cast(_TEXT))


def _of_floats(keys: pa.Array) -> pa.Array:
    """Convert whole numbers within 64 bits in bulk, and the few others one by one."""
    values: npt.NDArray[Any] = keys.to_numpy(zero_copy_only=False)  # null becomes NaN
    wide = values.astype(np.float32) if values.dtype == np.float16 else values
    whole = np.isfinite(wide) & (np.trunc(wide) == wide) & (np.abs(wide) < 2.0**63)
    digits = np.where(whole, wide, 0).astype(np.int64)
    texts = pa.array(digits, mask=~whole).cast(_TEXT)
    rest = np.flatnonzero(~whole & ~np.isnan(wide))
    if not len(rest):
        return texts
    written = pa.array([_float_text(each) for each in values[rest]], _TEXT)
    places = np.full(len(values), -1)
    places[rest] = np.arange(len(rest))
    return pc.coalesce(texts, pc.take(written, pa.array(places, mask=places < 0)))


def _float_text(value: float | np.floating[Any]) -> str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if float(value).is_integer():
        return str(int(value))
    return np.format_float_positional(value, unique=True, trim="-")


def _of_decimals(keys: pa.Array) -> pa.Array:
    """Convert decimals, without trailing zeros and exponents."""
    texts = keys.cast(_TEXT)
    if keys.type.scale == 0:
        return texts
    if keys.type.scale < 0 or pc.any(pc.match_substring(texts, "E")).as_py():  # Arrow wrote an exponent
        return pa.array([None if each is None else _decimal_text(each) for each in keys.to_pylist()], _TEXT)
    short = pc.replace_substring_regex(texts, _ZEROS, "")
    return pc.if_else(pc.equal(short, "-0"), pa.scalar("0", _TEXT), short)


def _decimal_text(value: Decimal) -> str | None:
    if not value.is_finite():
        return None if value.is_nan() else f"{'-' if value < 0 else ''}inf"
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _of_dates(keys: pa.Array) -> pa.Array:
    return keys.cast(pa.date32()).cast(_TEXT)


def _of_times(keys: pa.Array) -> pa.Array:
    return _without_zeros(keys.cast(_TEXT), keys.type.unit)


def _of_timestamps(keys: pa.Array) -> pa.Array:
    moments = _without_zeros(keys.cast(pa.timestamp(keys.type.unit)).cast(_TEXT), keys.type.unit)
    if keys.type.tz is not None:
        return pc.binary_join_element_wise(moments, pa.scalar("+00:00", _TEXT), pa.scalar("", _TEXT))
    return pc.replace_substring_regex(moments, r" 00:00:00$", "")


def _without_zeros(times: pa.Array, unit: str) -> pa.Array:
    """Remove trailing zeros from fractions of a second."""
    return times if unit == "s" else pc.replace_substring_regex(times, _ZEROS, "")


def _of_bytes(keys: pa.Array) -> pa.Array:
    """Convert a column at once if all values are UTF-8, else value by value."""
    plain = keys.cast(pa.binary()).cast(pa.large_binary()) if pa.types.is_binary_view(keys.type) else keys
    texts = plain.cast(pa.large_binary()).cast(_TEXT, safe=False)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_bytes_text(each) for each in keys.to_pylist()], _TEXT)
    return texts


def _bytes_text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], pa.Array]], ...] = (
    (pa.types.is_null, lambda keys: pa.nulls(len(keys), _TEXT)),
    (is_text, _of_text),
    (pa.types.is_integer, lambda keys: keys.cast(_TEXT)),
    (pa.types.is_floating, _of_floats),
    (pa.types.is_decimal, _of_decimals),
    (pa.types.is_boolean, lambda keys: keys.cast(_TEXT)),
    (pa.types.is_date, _of_dates),
    (pa.types.is_timestamp, _of_timestamps),
    (pa.types.is_time, _of_times),
    (is_bytes, _of_bytes),
)
