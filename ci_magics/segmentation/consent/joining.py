"""Look up consents that a query left out in the tables that it reads, by the key or by the address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.kept_address import kept_address
from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.consent.stated import columns_by_value
from ci_magics.segmentation.consent.values import AGREES, REFUSES, SILENT, UNCLEAR
from ci_magics.segmentation.key_text import can_be_key, key_text
from ci_magics.segmentation.sources.databases import Source, dialect_of, query_database
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows
from ci_magics.segmentation.sources.sql_text import Token, lexis_of, tokens

_SCHEMA = {"key": pl.String, "state": pl.String}


@dataclass(frozen=True)
class ConsentTable:
    """A table that a query reads.

    Parameters
    ----------
    columns
        Its columns.
    read
        Reads some of them.
    """

    columns: tuple[str, ...]
    read: Callable[[Sequence[str]], Rows] = field(repr=False)


@dataclass(frozen=True)
class JoinedConsents:
    """States looked up by the values of one column.

    Parameters
    ----------
    column
        The column of the query's result.
    known
        ``key`` (text, without duplicates) and ``state``.
    """

    column: str
    known: pl.DataFrame = field(repr=False)

    @property
    def needed(self) -> tuple[str, ...]:
        """The column that is looked up."""
        return (self.column,)

    def states(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the state of each row; unknown if it is not found."""
        keys = _texts(batch.column(self.column)).to_frame("key")
        found = keys.join(self.known, on="key", how="left", maintain_order="left")["state"].fill_null(SILENT)
        return found.to_arrow().cast(pa.string())


def join_back(
    tables: Iterable[ConsentTable],
    choice: ConsentChoice,
    *,
    key: str | None,
    email: str,
    states: Iterable[tuple[str, Any, Any]] = (),
) -> tuple[JoinedConsents | None, ConsentReading | None, bool]:
    """Look up who agreed in the tables that a query reads, where its result does not say so.

    Parameters
    ----------
    tables
        The tables.
    choice
        Which columns were chosen.
    key, email
        The columns of the result with the key and the address.
    states
        Earlier segments that the query reads: the name of their key, their keys, and their states.

    Returns
    -------
    tuple
        What looks up the states; what read the first table, for the names of its columns; and whether some table says
        who agreed but has neither the key nor the address.
    """
    parts: list[tuple[str, pl.DataFrame]] = []
    first_reading: ConsentReading | None = None
    lost = False
    for table in tables:
        reading = _reading(table, choice, key, email)
        if reading is None:
            continue
        column = next((each for each in (key, email) if each in table.columns), None)
        if column is None:
            lost = True
            continue
        first_reading = first_reading or reading
        parts += [(column, part) for part in _states_in(table, reading, column)]
    for name, keys, known in states:
        if name == key:
            parts.append((name, pl.DataFrame({"key": _texts(keys), "state": pl.Series(known)}, schema=_SCHEMA)))
    column = key if any(each == key for each, _part in parts) else email
    matching = [part for each, part in parts if each == column]
    if not matching or column is None:
        return None, None, lost
    return JoinedConsents(column, strictest_states(pl.concat(matching))), first_reading, lost


def tables_of(frames: Mapping[str, Any], paths: Iterable[Any]) -> Iterator[ConsentTable]:
    """Return the frames and files that a query reads."""
    for frame in [*frames.values(), *paths]:

        def read(columns: Sequence[str], frame: Any = frame) -> Rows:
            return read_columns(frame, columns, None)

        yield ConsentTable(tuple(columns_of(frame)), read)


def tables_in(database: Source, sql: str) -> Iterator[ConsentTable]:
    """Return the tables of a database that a query names; other names are left out."""
    mark = "`" if lexis_of(dialect_of(database)).double_is_text else '"'
    for name in table_names(sql, database):
        try:
            rows = query_database(database, f"SELECT * FROM {name} WHERE 1 = 0", {})  # noqa: S608 - quoted from the query itself
        except SegmentError:
            continue  # not a table, for example a WITH clause

        def read(columns: Sequence[str], name: str = name) -> Rows:
            chosen = ", ".join(mark + each.replace(mark, mark * 2) + mark for each in columns)
            return query_database(database, f"SELECT {chosen} FROM {name}", {})  # noqa: S608 - quoted names

        yield ConsentTable(tuple(rows.schema.names), read)


def redacted_database(database: Source) -> str:
    """Return a database's address without secrets; only the kind for a DuckDB connection."""
    if isinstance(database, duckdb.DuckDBPyConnection):
        return "duckdb:"
    return kept_address(database)


def table_names(sql: str, database: Source) -> list[str]:
    """Return the names after FROM and JOIN, and after commas there, as written in the query."""
    parts = tokens(sql, lexis_of(dialect_of(database)))
    found: list[str] = []
    position = 0
    while position < len(parts):
        position += 1
        if not parts[position - 1].says("from", "join"):
            continue
        while end := _end_of_name(sql, parts, position):
            found.append(sql[parts[position].start : parts[end - 1].end])
            position = _after_alias(parts, end)
            if position >= len(parts) or parts[position].text != ",":
                break
            position += 1
    return list(dict.fromkeys(found))


def _end_of_name(sql: str, parts: Sequence[Token], position: int) -> int:
    """Return the end of the table name that begins at a position; 0 if there is none."""
    end = 0
    while position < len(parts) and (parts[position].kind in ("word", "name") or sql[parts[position].start] == '"'):
        end = position + 1
        if end >= len(parts) or parts[end].text != ".":
            break
        position = end + 1
    return 0 if end < len(parts) and parts[end].text == "(" else end  # a function


def _after_alias(parts: Sequence[Token], position: int) -> int:
    """Return the position after a table's alias, if it has one."""
    if position < len(parts) and parts[position].says("as"):
        position += 1
    named = position < len(parts) and parts[position].kind in ("word", "name") and not parts[position].says("join")
    return position + 1 if named else position


def _reading(table: ConsentTable, choice: ConsentChoice, key: str | None, email: str) -> ConsentReading | None:
    if choice.columns and not set(choice.columns) <= set(table.columns):
        if choice.how == "chosen":
            return None
        choice = ConsentChoice()
    by_value = columns_by_value(table.columns, choice, lambda column: table.read([column]))
    return choice.reading(table.columns, (key, email), by_value)


def _states_in(table: ConsentTable, reading: ConsentReading, column: str) -> Iterator[pl.DataFrame]:
    wanted = list(dict.fromkeys([column, *reading.needed]))
    rows = table.read(wanted)
    if not can_be_key(rows.schema.field(column).type):
        return
    for batch in rows.read(wanted):
        states = pl.Series("state", pl.from_arrow(reading.states(batch)))
        yield pl.DataFrame({"key": _texts(batch.column(column)), "state": states}, schema=_SCHEMA)


def strictest_states(known: pl.DataFrame) -> pl.DataFrame:
    """Return one state for each key: a refusal comes first, then an unexplained value, then agreement."""
    order = {REFUSES: 0, AGREES: 2, UNCLEAR: 3, SILENT: 4}
    ranked = known.drop_nulls("key").with_columns(
        pl.col("state").replace_strict(order, default=1, return_dtype=pl.Int8).alias("rank")
    )
    return ranked.sort("rank", "state").unique("key", keep="first").select("key", "state")


def _texts(values: Any) -> pl.Series:
    """Convert keys or addresses to text for comparison, without case and surrounding white space."""
    return pl.Series("key", pl.from_arrow(key_text(values))).str.strip_chars().str.to_lowercase()
