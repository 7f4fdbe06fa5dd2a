"""A segment: a named set of profiles with an e-mail column and a key."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.errors import SegmentError
from ci_magics.segmentation import frames as any_frame
from ci_magics.segmentation import sources
from ci_magics.segmentation.columns import (
    consent_columns,
    find_email_column,
    key_candidates,
    list_columns,
    mentions,
    require_column,
)
from ci_magics.segmentation.rule_rows import Circumstances, read_rows
from ci_magics.segmentation.rules import Rule

ROW_NUMBER = "row number"


@dataclass(frozen=True)
class Segment:
    """A named set of profiles.

    Parameters
    ----------
    id
        Changes whenever the segment is made anew.
    name
        What a person calls it; also the name of the audience it is exported to.
    rows
        Number of profiles.
    email, key
        The columns that hold the address and the identifier; `ROW_NUMBER` where there is no identifier.
    where
        The condition or the query it was made with, if any.
    columns
        All columns of the source.
    unused_consent
        Columns that look like a consent and that neither the condition nor the query uses.
    rule
        The text of the rule it was made with, if any.
    """

    id: str
    name: str
    rows: int
    email: str
    key: str
    where: str | None
    columns: tuple[str, ...] = field(repr=False)
    unused_consent: tuple[str, ...] = ()
    rule: str | None = None

    def __repr__(self) -> str:
        condition = f", where {self.where or self.rule}" if self.where or self.rule else ""
        return f"Segment '{self.name}': {self.rows:,} profiles, e-mail in {self.email}, key in {self.key}{condition}"

    def _repr_html_(self) -> str:
        rows = {"Profiles": f"{self.rows:,}".replace(",", "\u2009"), "E-mail": self.email, "Key": self.key}
        if self.where:
            rows["Where"] = self.where
        if self.rule:
            rows["Rule"] = self.rule
        cells = "".join(
            f"<tr><th style='text-align:left'>{title}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
            for title, value in rows.items()
        )
        return f"<b>Segment {html.escape(self.name)}</b><table>{cells}</table>"


@dataclass(frozen=True)
class Profiles:
    """A segment with what is known of its profiles while it is in memory.

    Parameters
    ----------
    segment
        What they belong to.
    table
        Columns ``key`` and ``email``, and each unused consent column under its own name, one row per profile.
    """

    segment: Segment
    table: pa.Table = field(repr=False)


def build_segment(
    name: str, frame: Any, *, email: str | None = None, key: str | None = None, where: str | None = None
) -> Profiles:
    """Build a segment from a frame.

    Parameters
    ----------
    name
        What to call it.
    frame
        pandas, polars, pyarrow or a DuckDB relation.
    email, key
        Columns; found by their names when not given. Without a key column profiles are known by row number.
    where
        A condition in SQL over the frame's columns.

    Raises
    ------
    SegmentError
        The frame, a column or the condition cannot be used.
    """
    _require_name(name)
    columns = any_frame.column_names(frame)
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if not mentions(where, column)]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    wanted = list(dict.fromkeys([email_column, *candidates, *consents]))
    table = sources.read_columns(frame, wanted, where)
    return _profiles(name, table, columns, email_column, key, candidates, consents, where)


def build_segment_from_rule(
    name: str,
    frame: Any,
    rule: Rule,
    given: Circumstances,
    *,
    email: str | None = None,
    key: str | None = None,
) -> Profiles:
    """Build a segment from the rows that fulfil a rule; see `build_segment` for the columns."""
    _require_name(name)
    columns = any_frame.column_names(frame)
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if column not in rule.columns]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    table = read_rows(frame, list(dict.fromkeys([email_column, *candidates, *consents])), rule, given)
    profiles = _profiles(name, table, columns, email_column, key, candidates, consents, None)
    return replace(profiles, segment=replace(profiles.segment, rule=rule.text))


def build_segment_from_sql(
    name: str,
    sql: str,
    *,
    frames: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
    email: str | None = None,
    key: str | None = None,
) -> Profiles:
    """Build a segment from one SELECT over named frames; see `build_segment` for the columns."""
    _require_name(name)
    table = sources.query(sql, frames, parameters or {})
    columns = list(table.schema.names)
    any_frame.require_different(columns, "query")
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if not mentions(sql, column)]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    return _profiles(name, table, columns, email_column, key, candidates, consents, sql.strip())


def _profiles(
    name: str,
    table: pa.Table,
    columns: list[str],
    email: str,
    key: str | None,
    candidates: list[str],
    consents: list[str],
    where: str | None,
) -> Profiles:
    addresses = _text(table[email], email, columns)
    keys = {column: _as_key(table[column]) for column in candidates}
    key_column = _choose_key(keys, key)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=table.num_rows,
        email=email,
        key=key_column or ROW_NUMBER,
        where=where,
        columns=tuple(columns),
        unused_consent=tuple(consents),
    )
    rows = pa.array(range(1, table.num_rows + 1), pa.int64())
    parts = {"key": keys[key_column] if key_column else rows, "email": addresses}
    parts |= {column: table[column] for column in consents}
    return Profiles(segment, pa.table(parts))


def _choose_key(keys: Mapping[str, pa.ChunkedArray | None], asked: str | None) -> str | None:
    """Return the key column: the one asked for, which must be unique, else the first candidate that is."""
    for column, values in keys.items():
        wrong = _not_unique(values)
        if wrong is None:
            return column
        if asked is not None:
            raise SegmentError(
                f"The key column {asked} {wrong}.",
                "Choose a column that is different for each profile, or leave out --key to use row numbers.",
                code="key_not_unique",
            )
    return None


def _not_unique(values: pa.ChunkedArray | None) -> str | None:
    if values is None:
        return "holds values that identify nobody"
    empty = values.null_count
    repeated = len(values) - empty - pc.count_distinct(values).as_py()
    return f"has {empty:,} empty and {repeated:,} repeated values" if empty or repeated else None


def _as_key(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column of plain texts, numbers or times; None when it holds something else.

    A text must be seen as one: further on, a key that looks like an address is kept as its hash.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        return values.cast(pa.large_string())
    if isinstance(kind, pa.UuidType):
        return pa.chunked_array([pa.array([each and str(each) for each in values.to_pylist()], pa.large_string())])
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal128)
    return values if any(is_plain(kind) for is_plain in plain) else None


def _require_name(name: str) -> None:
    if not name.strip():
        raise SegmentError(
            "A segment needs a name.", 'For example: %ci_segment "Big spenders" customers.', code="no_name"
        )
    if len(name) > 128:
        raise SegmentError(
            "The segment's name is longer than the 128 characters that an audience may have.",
            "Choose a shorter one.",
            code="name_too_long",
        )


def _text(values: pa.ChunkedArray, email: str, columns: list[str]) -> pa.ChunkedArray:
    """Return the addresses when they are texts, or when there are none at all."""
    kind = values.type
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), pa.large_string())])
    if _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return values
    raise SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        f"Name the right one with --email COLUMN; the columns are {list_columns(columns)}.",
        code="email_not_text",
    )


def _is_text(kind: pa.DataType) -> bool:
    return any(is_text(kind) for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
