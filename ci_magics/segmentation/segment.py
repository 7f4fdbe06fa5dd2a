"""A segment: a named set of profiles with an e-mail column and a key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from ci_magics.errors import SegmentError, refuse_address, without_addresses
from ci_magics.segmentation.columns import (
    consent_columns,
    find_email_column,
    key_candidates,
    list_columns,
    mentions,
    require_column,
)
from ci_magics.segmentation.key_text import can_be_key
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.rules.rows import Circumstances, read_rows
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.set_algebra import Joinable, member
from ci_magics.segmentation.rules.tree import Node
from ci_magics.segmentation.sources import frames as any_frame
from ci_magics.segmentation.sources import queries as sources
from ci_magics.segmentation.sources.databases import Source, query_database
from ci_magics.segmentation.sources.rows import Rows, repetition
from ci_magics.segmentation.values import is_text
from ci_magics.showing.html_table import fields_table
from ci_magics.showing.numbers import counted
from ci_magics.showing.shown import Shown

ROW_NUMBER = "row number"
NO_KEY = "holds values that identify nobody"


@dataclass(frozen=True)
class Segment(Shown, Joinable):
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
        made = without_addresses(self.where or self.rule or "")
        condition = f", where {made}" if made else ""
        profiles = f"{counted(self.rows)} profiles"
        return f"Segment '{self.name}': {profiles}, e-mail in {self.email}, key in {self.key}{condition}"

    def _repr_html_(self) -> str:
        where, rule = without_addresses(self.where or ""), without_addresses(self.rule or "")
        fields = {"profiles": self.rows, "e-mail": self.email, "key": self.key, "where": where, "rule": rule}
        return fields_table(fields, title=f"Segment {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Return its name, its size and how it was made."""
        made = {name: getattr(self, name) and without_addresses(getattr(self, name)) for name in ("where", "rule")}
        return {"name": self.name, "rows": self.rows, "email": self.email, "key": self.key, **made}


@dataclass(frozen=True)
class Profiles:
    """A segment with its profiles, which are read batch by batch.

    Parameters
    ----------
    segment
        What they belong to; its number of rows is not known before they are read.
    rows
        Columns ``key`` and ``email``, and each unused consent column under its own name, one row per profile.
    no_keys
        Columns that are named like a key and are none, each with the reason.
    """

    segment: Segment
    rows: Rows = field(repr=False)
    no_keys: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        """What a person should know of the key that was found; empty where there is nothing."""
        if not self.no_keys or self.segment.key != ROW_NUMBER:
            return ""
        return (
            f"No column identifies the profiles of '{self.segment.name}': {', '.join(self.no_keys)}. They are known by "
            "their row number, so the segment cannot be joined with others. Mend the column, or choose one with --key."
        )


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
    require_name(name)
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
    require_name(name)
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
    earlier: Mapping[str, pa.Table] | None = None,
    parameters: Mapping[str, Any] | None = None,
    database: Source | None = None,
    email: str | None = None,
    key: str | None = None,
) -> Profiles:
    """Build a segment from one SELECT over frames, files and earlier segments, or in a database; see `query`."""
    require_name(name)
    if database is None:
        rows = sources.query(sql, frames, parameters or {}, earlier)
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
    key_column, no_keys = _choose_key(rows, candidates, key)
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
    taken = ProfileColumns.of(rows.schema, email, key_column, consents)

    def read(_columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in rows.read(taken.needed):
            yield taken.profiles(batch, first)
            first += batch.num_rows

    return Profiles(segment, Rows(taken.schema, read), no_keys)


def _choose_key(rows: Rows, candidates: Sequence[str], asked: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the key column, and why those before it are none.

    It is the one asked for, which must be unique, else the first candidate that is.
    """
    no_keys: tuple[str, ...] = ()
    for column in candidates:
        wrong = _not_unique(rows, column)
        if wrong is None:
            return column, no_keys
        no_keys = (*no_keys, f"{column} {wrong}")
        if asked is not None:
            raise SegmentError(
                f"The key column {asked} {wrong}.",
                "Choose a column that is different for each profile, or leave out --key to use row numbers.",
                code="key_not_unique",
            )
    return None, no_keys


def _not_unique(rows: Rows, column: str) -> str | None:
    if not can_be_key(rows.schema.field(column).type):
        return NO_KEY
    return repeats(*repetition(rows, column))


def repeats(empty: int, repeated: int) -> str | None:
    """Return why a column of so many empty and repeated values is no key; None when it is one."""
    return f"has {counted(empty)} empty and {counted(repeated)} repeated values" if empty or repeated else None


def require_name(name: str) -> None:
    """Require that an audience can have this name.

    Raises
    ------
    SegmentError
        It is blank or too long.
    ArgumentError
        It is an e-mail address.
    """
    refuse_address(name)
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
    if pa.types.is_null(kind) or is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return
    if all(batch.column(0).null_count == batch.num_rows for batch in rows.read([email])):
        return
    raise no_addresses(email, kind, columns)


def no_addresses(email: str, kind: pa.DataType, columns: Sequence[str]) -> SegmentError:
    """Return the error for a column of addresses that holds something else."""
    return SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        f"Name the right one with --email COLUMN; the columns are {list_columns(columns)}.",
        code="email_not_text",
    )
