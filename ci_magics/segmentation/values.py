"""What a column of texts may hold, and how it is kept; for keys see `key_text`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column holds texts."""
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether a column holds bytes, of fixed or any length."""
    view = pa.types.is_binary_view(kind)
    return bool(
        view or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def as_text(values: pa.Array) -> pa.Array:
    """Return addresses as text; a column that is empty may be of any type."""
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.large_string())
    return readable(values.cast(pa.large_string()))


def readable(values: Any) -> Any:
    r"""Return an Arrow column of texts in which every byte is UTF-8.

    Arrow takes a source at its word: a text of Spark or of a Parquet file may hold half of a surrogate pair, or bytes
    of another encoding. They are written out with a backslash, so that they are no legal address.
    """
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_written_out(each) for each in values.cast(pa.large_binary()).to_pylist()], pa.large_string())
    return values


def _written_out(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")
