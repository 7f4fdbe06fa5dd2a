"""A segment: a named set of profiles with an e-mail column and a key."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.errors import SegmentError
from ci_magics.segmentation import sources
from ci_magics.segmentation.columns import (
    consent_columns,
    find_email_column,
    key_candidates,
    list_columns,
    mentions,
    quoted,
    require_column,
)

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
    """

    id: str
    name: str
    rows: int
    email: str
    key: str
    where: str | None
    columns: tuple[str, ...] = field(repr=False)
    unused_consent: tuple[str, ...] = ()

    def __repr__(self) -> str:
        condition = f", where {self.where}" if self.where else ""
        return f"Segment '{self.name}': {self.rows:,} profiles, e-mail in {self.email}, key in {self.key}{condition}"

    def _repr_html_(self) -> str:
        rows = {"Profiles": f"{self.rows:,}".replace(",", "\u2009"), "E-mail": self.email, "Key": self.key}
        if self.where:
            rows["Where"] = self.where
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
    columns = sources.column_names(frame)
    email_column = find_email_column(columns, email)
    consents = [column for column in consent_columns(columns) if not mentions(where, column)]
    candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
    wanted = list(dict.fromkeys([email_column, *candidates, *consents]))
    table = sources.read_columns(frame, wanted, where)
    return _profiles(name, table, columns, email_column, key, candidates, consents, where)


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
    _require_text(table, email, columns)
    key_column = _choose_key(table, key, candidates)
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
    keys = table[key_column] if key_column else pa.array(range(1, table.num_rows + 1), pa.int64())
    parts = {"key": keys, "email": table[email], **{column: table[column] for column in consents}}
    return Profiles(segment, pa.table(parts))


def _choose_key(table: pa.Table, asked: str | None, candidates: list[str]) -> str | None:
    """Return the key column: the one asked for, which must be unique, else the first candidate that is."""
    for column in candidates:
        empty = table[column].null_count
        repeated = table.num_rows - empty - pc.count_distinct(table[column]).as_py()
        if not empty and not repeated:
            return column
        if asked is not None:
            raise SegmentError(
                f"The key column {asked} has {empty:,} empty and {repeated:,} repeated values.",
                "Choose a column that is different for each profile, or leave out --key to use row numbers.",
                code="key_not_unique",
            )
    return None


def _require_name(name: str) -> None:
    if not name.strip():
        raise SegmentError("A segment needs a name.", 'For example: %ci_segment "Big spenders" customers.')
    if len(name) > 128:
        raise SegmentError(
            "The segment's name is longer than the 128 characters that an audience may have.", "Choose a shorter one."
        )


def _require_text(table: pa.Table, email: str, columns: list[str]) -> None:
    kind = table.schema.field(email).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return
    if pa.types.is_string_view(kind):
        return
    raise SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        f"Name the right one with --email {quoted('COLUMN')}; the columns are {list_columns(columns)}.",
        code="email_not_text",
    )
