"""What a column of keys or addresses may hold, and how it is kept."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds texts."""
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def key_type(kind: pa.DataType) -> pa.DataType | None:
    """Return what a column of plain texts, numbers or times is kept as; None when it holds something else.

    A text must be seen as one: further on, a key that looks like an address is kept as its hash.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind) or isinstance(kind, pa.UuidType):
        return pa.large_string()
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal128)
    return kind if any(is_plain(kind) for is_plain in plain) else None


def as_key(values: pa.Array) -> pa.Array:
    """Return keys as `key_type` says."""
    if isinstance(values.type, pa.UuidType):
        return pa.array([each and str(each) for each in values.to_pylist()], pa.large_string())
    kind = key_type(values.type)
    kept = values if values.type == kind else values.cast(kind)
    return readable(kept) if is_text(kept.type) else kept


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
