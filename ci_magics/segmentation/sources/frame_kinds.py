"""Recognize frames by type alone, because calling a value can start a job or return a column."""

from __future__ import annotations

from typing import Any

_ARROW = frozenset({"Table", "RecordBatch"})


def is_frame(value: Any) -> bool:
    """Return whether a value is a frame that a segment can be built from."""
    kind = type(value)
    return (
        _is_arrow(kind)
        or is_spark(value)
        or hasattr(kind, "collect_schema")
        or (hasattr(kind, "__arrow_c_stream__") and hasattr(kind, "columns"))
    )


def is_spark(value: Any) -> bool:
    """Return whether a value is a Spark DataFrame, of a session in this process or of Spark Connect."""
    kind = type(value)  # the type, because a Spark Connect frame has a column of every name
    return kind.__module__.startswith("pyspark.sql.") and kind.__name__ == "DataFrame"


def is_lazy(value: Any) -> bool:
    """Return whether a frame needs a cluster or remote files to list its columns."""
    return is_spark(value) or hasattr(type(value), "collect")


def known_columns(frame: Any) -> list[str]:
    """Return a frame's column names if that is cheap; else an empty list."""
    if not is_frame(frame) or is_lazy(frame):
        return []
    names = frame.schema.names if _is_arrow(type(frame)) else frame.columns
    levels = getattr(getattr(frame, "index", None), "names", ())  # pandas index levels
    return list(dict.fromkeys(name for name in (*levels, *names) if isinstance(name, str) and name))


def _is_arrow(kind: type) -> bool:
    return any(each.__module__ == "pyarrow.lib" and each.__name__ in _ARROW for each in kind.__mro__)
