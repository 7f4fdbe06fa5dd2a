"""Any column of values as Arrow text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ci_magics.errors import ArgumentError
from ci_magics.segmentation.values import is_text, readable


def text_column(values: Any) -> pa.Array | pa.ChunkedArray:
    """Return values as text: what is no text becomes text or null, never an exception.

    Parameters
    ----------
    values
        A list, a pandas or polars Series, a numpy array, or an Arrow array of any kind of text.

    Raises
    ------
    ArgumentError
        It is not a column at all.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise ArgumentError(
            f"A {type(values).__name__} is not a column of e-mail addresses.",
            "Give a list, a Series or an Arrow column.",
            code="not_a_column",
        )
    array = _arrow(values)
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.cast(kind.value_type), kind.value_type
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        array, kind = array.cast(pa.large_string()), pa.large_string()
    if is_text(kind):
        return readable(array)
    return pa.array([_text(value) for value in array.to_pylist()], pa.large_string())


def _arrow(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if hasattr(values, "to_arrow"):  # polars
        return values.to_arrow()
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError, TypeError, ValueError, OverflowError):
        return pa.array([_text(value) for value in values], pa.large_string())


def _text(value: Any) -> str | None:
    """Return one value as text; NaN, NaT and NA are nothing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    # Half of a surrogate pair has no UTF-8; written out with a backslash it is no legal address either.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
