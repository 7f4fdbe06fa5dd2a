"""Consents that a query left out, looked up again in the tables that it reads, by the key or by the address."""

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
from ci_magics.segmentation.consent.stated import stated_columns
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
        ``key`` (text, each once) and ``state``.
    """

    column: str
    known: pl.DataFrame = field(repr=False)

    @property
    def needed(self) -> tuple[str, ...]:
        """The column that is looked up."""
        return (self.column,)

    def states(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the state of each row; unknown for one that is not found."""
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
        What looks the states up; the first reading that was used, to tell its columns; and whether some table says who
        agreed but has neither the key nor the address.
    """
    parts: list[tuple[str, pl.DataFrame]] = []
    used: ConsentReading | None = None
    lost = False
    for table in tables:
        reading = _reading(table, choice, key, email)
        if reading is None:
            continue
        column = next((each for each in (key, email) if each in table.columns), None)
        if column is None:
            lost = True
            continue
        used = used or reading
        parts += [(column, part) for part in _looked_up(table, reading, column)]
    for name, keys, known in states:
        if name == key:
            parts.append((name, pl.DataFrame({"key": _texts(keys), "state": pl.Series(known)}, schema=_SCHEMA)))
    column = key if any(each == key for each, _part in parts) else email
    fitting = [part for each, part in parts if each == column]
    if not fitting or column is None:
        return None, None, lost
    return JoinedConsents(column, one_each(pl.concat(fitting))), used, lost


def tables_of(frames: Mapping[str, Any], paths: Iterable[Any]) -> Iterator[ConsentTable]:
    """Return the frames and files that a query reads."""
    for frame in [*frames.values(), *paths]:

        def read(columns: Sequence[str], frame: Any = frame) -> Rows:
            return read_columns(frame, columns, None)

        yield ConsentTable(tuple(columns_of(frame)), read)


def tables_in(database: Source, sql: str) -> Iterator[ConsentTable]:
    """Return the tables of a database that a query names; names of anything else are left out."""
    mark = "`" if lexis_of(dialect_of(database)).double_is_text else '"'
    for name in table_names(sql, database):
        try:
            rows = query_database(database, f"SELECT * FROM {name} WHERE 1 = 0", {})  # noqa: S608 - the query's own words
        except SegmentError:
            continue  # the name of a part of the query

        def read(columns: Sequence[str], name: str = name) -> Rows:
            chosen = ", ".join(mark + each.replace(mark, mark * 2) + mark for each in columns)
            return query_database(database, f"SELECT {chosen} FROM {name}", {})  # noqa: S608 - likewise

        yield ConsentTable(tuple(rows.schema.names), read)


def name_of_database(database: Source) -> str:
    """Return what may be kept of the address of a database; only the kind of one that is open in DuckDB."""
    if isinstance(database, duckdb.DuckDBPyConnection):
        return "duckdb:"
    return kept_address(database)


def table_names(sql: str, database: Source) -> list[str]:
    """Return the names after FROM and JOIN, and after commas there, as written in the query."""
    parts = tokens(sql, lexis_of(dialect_of(database)))
    found: list[str] = []
    place = 0
    while place < len(parts):
        place += 1
        if not parts[place - 1].says("from", "join"):
            continue
        while end := _end_of_name(sql, parts, place):
            found.append(sql[parts[place].start : parts[end - 1].end])
            place = _behind_alias(parts, end)
            if place >= len(parts) or parts[place].text != ",":
                break
            place += 1
    return list(dict.fromkeys(found))


def _end_of_name(sql: str, parts: Sequence[Token], place: int) -> int:
    """Return where the table name that begins at a place ends; 0 if there is none."""
    end = 0
    while place < len(parts) and (parts[place].kind in ("word", "name") or sql[parts[place].start] == '"'):
        end = place + 1
        if end >= len(parts) or parts[end].text != ".":
            break
        place = end + 1
    return 0 if end < len(parts) and parts[end].text == "(" else end  # a function


def _behind_alias(parts: Sequence[Token], place: int) -> int:
    """Return the place after the alias of a table, if it has one."""
    if place < len(parts) and parts[place].says("as"):
        place += 1
    named = place < len(parts) and parts[place].kind in ("word", "name") and not parts[place].says("join")
    return place + 1 if named else place


def _reading(table: ConsentTable, choice: ConsentChoice, key: str | None, email: str) -> ConsentReading | None:
    if choice.columns and not set(choice.columns) <= set(table.columns):
        if choice.how == "chosen":
            return None
        choice = ConsentChoice()
    stated = stated_columns(table.columns, choice, lambda column: table.read([column]))
    return choice.reading(table.columns, (key, email), stated)


def _looked_up(table: ConsentTable, reading: ConsentReading, column: str) -> Iterator[pl.DataFrame]:
    wanted = list(dict.fromkeys([column, *reading.needed]))
    rows = table.read(wanted)
    if not can_be_key(rows.schema.field(column).type):
        return
    for batch in rows.read(wanted):
        states = pl.Series("state", pl.from_arrow(reading.states(batch)))
        yield pl.DataFrame({"key": _texts(batch.column(column)), "state": states}, schema=_SCHEMA)


def one_each(known: pl.DataFrame) -> pl.DataFrame:
    """Return one state for each key: one refusal refuses, a value that nobody explained is asked for, yes agrees."""
    order = {REFUSES: 0, AGREES: 2, UNCLEAR: 3, SILENT: 4}
    ranked = known.drop_nulls("key").with_columns(
        pl.col("state").replace_strict(order, default=1, return_dtype=pl.Int8).alias("rank")
    )
    return ranked.sort("rank", "state").unique("key", keep="first").select("key", "state")


def _texts(values: Any) -> pl.Series:
    """Return the texts by which keys or addresses are compared; case and white space of an address are ignored."""
    return pl.Series("key", pl.from_arrow(key_text(values))).str.strip_chars().str.to_lowercase()
