"""Text columns: their types, and their conversion; for keys see `key_text`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text."""
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether a type is bytes, of fixed or variable length."""
    view = pa.types.is_binary_view(kind)
    return bool(
        view or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def as_text(values: pa.Array) -> pa.Array:
    """Convert addresses to text; an empty column may have any type."""
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.large_string())
    return readable(values.cast(pa.large_string()))


def readable(values: Any) -> Any:
    r"""Return an Arrow column of texts in which every byte is UTF-8.

    Arrow takes a source at its word: a text of Spark or of a Parquet file may hold half of a surrogate pair, or bytes
    of another encoding. Escaped with a backslash, they are not a valid address.
    """
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_written_out(each) for each in values.cast(pa.large_binary()).to_pylist()], pa.large_string())
    return values


def _written_out(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")
