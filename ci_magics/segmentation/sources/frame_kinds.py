"""What a frame is. Told by its type alone: asking the value itself may start a job, or be answered with a column."""

from __future__ import annotations

from typing import Any

_ARROW = frozenset({"Table", "RecordBatch"})


def is_frame(value: Any) -> bool:
    """Tell whether a value is a frame that a segment can be built from."""
    kind = type(value)
    return (
        _is_arrow(kind)
        or is_spark(value)
        or hasattr(kind, "collect_schema")
        or (hasattr(kind, "__arrow_c_stream__") and hasattr(kind, "columns"))
    )


def is_spark(value: Any) -> bool:
    """Tell whether a value is a Spark DataFrame, of a session in this process or behind Spark Connect."""
    kind = type(value)  # asking the value itself does not help: Spark Connect has a column of every name
    return kind.__module__.startswith("pyspark.sql.") and kind.__name__ == "DataFrame"


def is_lazy(value: Any) -> bool:
    """Tell whether a frame must ask somebody for the names of its columns: a cluster, or files far away."""
    return is_spark(value) or hasattr(type(value), "collect")


def known_columns(frame: Any) -> list[str]:
    """Return the names of the columns of a frame that has them at hand; none of one that would have to ask."""
    if not is_frame(frame) or is_lazy(frame):
        return []
    names = frame.schema.names if _is_arrow(type(frame)) else frame.columns
    levels = getattr(getattr(frame, "index", None), "names", ())  # those of pandas
    return list(dict.fromkeys(name for name in (*levels, *names) if isinstance(name, str) and name))


def _is_arrow(kind: type) -> bool:
    return any(each.__module__ == "pyarrow.lib" and each.__name__ in _ARROW for each in kind.__mro__)
