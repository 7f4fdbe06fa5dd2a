"""The kinds of values that rules distinguish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.sources.frames import as_table, column_names


class Kind(Enum):
    """A kind of values, named as in messages."""

    WHOLE = auto()
    NUMBER = auto()
    TEXT = auto()
    DATE = auto()
    TIME = auto()
    TRUTH = auto()
    EMPTY = auto()
    OTHER = auto()


NUMBERS = frozenset({Kind.WHOLE, Kind.NUMBER})
MOMENTS = frozenset({Kind.DATE, Kind.TIME})


@dataclass(frozen=True)
class ColumnType:
    """A column's kind.

    Parameters
    ----------
    kind
        The kind of its values.
    single
        Whether its numbers have single precision.
    wide
        Whether its whole numbers may need more than 63 bits.
    fine
        Whether its times are counted in nanoseconds.
    zone
        The time zone of its times.
    """

    kind: Kind
    single: bool = False
    wide: bool = False
    fine: bool = False
    zone: str | None = None


Types = Mapping[str, ColumnType]


def types_of(source: Any, columns: list[str] | None = None) -> dict[str, ColumnType]:
    """Return the types of columns of a frame or an Arrow schema, by default all; missing columns are omitted."""
    schema = schema_of(source, columns)
    return {field.name: _type_of(field.type) for field in schema if columns is None or field.name in columns}


def schema_of(source: Any, columns: list[str] | None = None) -> pa.Schema:
    """Return the Arrow schema of a frame's columns, by default all; a schema is returned unchanged."""
    if isinstance(source, pa.Schema):
        return source
    names = column_names(source)
    wanted = names if columns is None else [name for name in names if name in columns]
    return as_table(_without_rows(source), wanted).schema


def _without_rows(frame: Any) -> Any:
    """Return a frame without rows, if its types do not depend on them; those of pandas may."""
    if type(frame).__module__.startswith("polars"):
        return frame.head(0)
    return frame.limit(0) if hasattr(frame, "limit") else frame


def _type_of(kind: pa.DataType) -> ColumnType:
    if pa.types.is_dictionary(kind):
        return _type_of(kind.value_type)
    if pa.types.is_timestamp(kind):
        return _time(kind)
    if pa.types.is_uint64(kind) or (pa.types.is_decimal128(kind) and kind.scale == 0 and kind.precision > 18):
        return ColumnType(Kind.WHOLE, wide=True)
    if pa.types.is_float32(kind) or pa.types.is_float64(kind) or pa.types.is_decimal128(kind):
        return ColumnType(Kind.NUMBER, single=pa.types.is_float32(kind))
    for is_kind, name in _KINDS:
        if is_kind(kind):
            return ColumnType(name)
    return ColumnType(Kind.OTHER)


_KINDS = (
    (pa.types.is_integer, Kind.WHOLE),
    (pa.types.is_string, Kind.TEXT),
    (pa.types.is_large_string, Kind.TEXT),
    (pa.types.is_string_view, Kind.TEXT),
    (pa.types.is_date, Kind.DATE),
    (pa.types.is_boolean, Kind.TRUTH),
    (pa.types.is_null, Kind.EMPTY),
)


def _time(kind: pa.TimestampType) -> ColumnType:
    zone = kind.tz
    if zone and zone[0] in "+-":
        # A fixed offset: Etc/GMT names have the opposite sign, and only whole hours.
        hours, _colon, minutes = zone[1:].partition(":")
        if minutes != "00":
            return ColumnType(Kind.OTHER)
        zone = f"Etc/GMT{'-' if zone[0] == '+' else '+'}{int(hours)}"
    return ColumnType(Kind.TIME, fine=kind.unit == "ns", zone=zone)
