"""A segment: a named set of profiles with an e-mail column and a key."""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

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
from ci_magics.segmentation.databases import Source, query_database
from ci_magics.segmentation.rows import Rows, repetition
from ci_magics.segmentation.rule_rows import Circumstances, read_rows
from ci_magics.segmentation.rule_tree import Node
from ci_magics.segmentation.rules import Rule
from ci_magics.segmentation.set_algebra import Joinable, member

ROW_NUMBER = "row number"


@dataclass(frozen=True)
class Segment(Joinable):
    """A named set of profiles; ``&``, ``|`` and ``-`` make rules of segments, for `ci.segment`.

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

    def as_node(self) -> Node:
        """Return what the segment is in a rule: being a member of it."""
        return member(self.name)

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
    """A segment with its profiles, which are read batch by batch.

    Parameters
    ----------
    segment
        What they belong to; its number of rows is not known before they are read.
    rows
        Columns ``key`` and ``email``, and each unused consent column under its own name, one row per profile.
    """

    segment: Segment
    rows: Rows = field(repr=False)


def build_segment(
    name: str, frame: Any, *, email: str | None = None, key: str | None = None, where: str | None = None
) -> Profiles:
    """Build a segment from a frame.

    Parameters
    ----------
    name
        What to call it.
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path or pattern of CSV or Parquet files.
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
    columns = sources.columns_of(frame)
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if not mentions(where, column)]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    wanted = list(dict.fromkeys([email_column, *candidates, *consents]))
    rows = sources.read_columns(frame, wanted, where)
    return _profiles(name, rows, columns, email_column, key, candidates, consents, where)


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
    columns = sources.columns_of(frame)
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if column not in rule.columns]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    rows = read_rows(frame, list(dict.fromkeys([email_column, *candidates, *consents])), rule, given)
    profiles = _profiles(name, rows, columns, email_column, key, candidates, consents, None)
    return replace(profiles, segment=replace(profiles.segment, rule=rule.text))


def build_segment_from_sql(
    name: str,
    sql: str,
    *,
    frames: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
    database: Source | None = None,
    email: str | None = None,
    key: str | None = None,
) -> Profiles:
    """Build a segment from one SELECT over named frames and files, or in a database; see `build_segment`."""
    _require_name(name)
    if database is None:
        rows = sources.query(sql, frames, parameters or {})
    else:
        rows = query_database(database, sql, parameters or {})
    columns = list(rows.schema.names)
    any_frame.require_different(columns, "query")
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if not mentions(sql, column)]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    return _profiles(name, rows, columns, email_column, key, candidates, consents, sql.strip())


def _profiles(
    name: str,
    rows: Rows,
    columns: list[str],
    email: str,
    key: str | None,
    candidates: list[str],
    consents: list[str],
    where: str | None,
) -> Profiles:
    _require_text(rows, email, columns)
    key_column = _choose_key(rows, candidates, key)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=0,
        email=email,
        key=key_column or ROW_NUMBER,
        where=where,
        columns=tuple(columns),
        unused_consent=tuple(consents),
    )
    key_type = _key_type(rows.schema.field(key_column).type) if key_column else pa.int64()
    schema = pa.schema(
        [("key", key_type), ("email", pa.large_string()), *((each, rows.schema.field(each).type) for each in consents)]
    )

    def read(_columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in rows.read(list(dict.fromkeys([email, *([key_column] if key_column else []), *consents]))):
            numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
            keys = _as_key(batch.column(key_column)) if key_column else numbers
            parts = [keys, _as_text(batch.column(email)), *(batch.column(each) for each in consents)]
            yield pa.RecordBatch.from_arrays(parts, schema=schema)
            first += batch.num_rows

    return Profiles(segment, Rows(schema, read))


def _choose_key(rows: Rows, candidates: Sequence[str], asked: str | None) -> str | None:
    """Return the key column: the one asked for, which must be unique, else the first candidate that is."""
    for column in candidates:
        wrong = _not_unique(rows, column)
        if wrong is None:
            return column
        if asked is not None:
            raise SegmentError(
                f"The key column {asked} {wrong}.",
                "Choose a column that is different for each profile, or leave out --key to use row numbers.",
                code="key_not_unique",
            )
    return None


def _not_unique(rows: Rows, column: str) -> str | None:
    if _key_type(rows.schema.field(column).type) is None:
        return "holds values that identify nobody"
    empty, repeated = repetition(rows, column)
    return f"has {empty:,} empty and {repeated:,} repeated values" if empty or repeated else None


def _key_type(kind: pa.DataType) -> pa.DataType | None:
    """Return what a column of plain texts, numbers or times is kept as; None when it holds something else.

    A text must be seen as one: further on, a key that looks like an address is kept as its hash.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind) or isinstance(kind, pa.UuidType):
        return pa.large_string()
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal128)
    return kind if any(is_plain(kind) for is_plain in plain) else None


def _as_key(values: pa.Array) -> pa.Array:
    if isinstance(values.type, pa.UuidType):
        return pa.array([each and str(each) for each in values.to_pylist()], pa.large_string())
    kind = _key_type(values.type)
    return values if values.type == kind else values.cast(kind)


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


def _require_text(rows: Rows, email: str, columns: list[str]) -> None:
    """Require that the addresses are texts, or that there are none at all."""
    kind = rows.schema.field(email).type
    if pa.types.is_null(kind) or _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return
    if all(batch.column(0).null_count == batch.num_rows for batch in rows.read([email])):
        return
    raise SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        f"Name the right one with --email COLUMN; the columns are {list_columns(columns)}.",
        code="email_not_text",
    )


def _as_text(values: pa.Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.large_string())
    return values.cast(pa.large_string())


def _is_text(kind: pa.DataType) -> bool:
    return any(is_text(kind) for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
