"""SQL over text files: choose a type for each column so that no value changes.

A column is a number, a date or a Boolean only if all of its values are. Other columns are text. DuckDB itself reports
which types a query binds with. If it would have to convert a text to a number, the query is rejected with the first row
that is not a number, before DuckDB rounds or guesses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Any

import duckdb
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import PROFILES, columns_in_sql
from ci_magics.segmentation.sources.exact import TEXT, Need
from ci_magics.segmentation.sources.frames import plain_text
from ci_magics.segmentation.sources.one_select import nodes
from ci_magics.segmentation.sources.reading import reading
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error
from ci_magics.segmentation.sources.text_source import TextSource

#: The name of a column's original text, by number, beside the typed column.
_WRITTEN = "written {}"
_PROBES = {Need.NUMBER: pa.float64(), Need.MOMENT: pa.timestamp("us"), Need.TRUTH: pa.bool_()}
_NEEDS = (
    (re.compile("BOOL"), Need.TRUTH),
    (re.compile("DATE|TIME"), Need.MOMENT),
    (re.compile("INT(?!ERVAL)|DECIMAL|DOUBLE|FLOAT|BIGNUM"), Need.NUMBER),
)
_CONVERTED = re.compile(
    r"Conversion Error: .*?(?:to (?P<type>[A-Z]+)\S*|invalid (?P<moment>date|timestamp) field format.*?)"
    r" when casting from source column (?P<column>.+?)$",
    re.MULTILINE,
)
_EQUALITY = {
    "COMPARE_EQUAL",
    "COMPARE_NOTEQUAL",
    "COMPARE_IN",
    "COMPARE_NOT_IN",
    "COMPARE_DISTINCT_FROM",
    "COMPARE_NOT_DISTINCT_FROM",
}
#: The most combinations of column types that are tried before a query is rejected.
_MAX_COMBINATIONS = 200

#: A table and one of its columns.
Column = tuple[str, str]
Types = Mapping[Column, pa.DataType]


@dataclass(frozen=True)
class TypedTable:
    """Columns of a source for DuckDB, which can scan them repeatedly.

    Parameters
    ----------
    source
        The files.
    columns
        For each column its name there, its name here, and its type.
    empty
        Whether to return no rows, to check that a query can be run.
    """

    source: TextSource
    columns: Sequence[tuple[str, str, pa.DataType]]
    empty: bool = False

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a stream of the rows (the Arrow PyCapsule interface)."""
        schema, batches = self.source.typed(self.columns)
        reader = pa.RecordBatchReader.from_batches(schema, iter(()) if self.empty else batches)
        return reader.__arrow_c_stream__(requested_schema)


def rows_where(source: TextSource, where: str) -> Rows:
    """Return the rows of files that match a condition, with unchanged values.

    Parameters
    ----------
    source
        The files.
    where
        A condition in DuckDB's SQL.

    Raises
    ------
    SegmentError
        The condition cannot be evaluated, or it needs a number or a date and a row has none.
    """
    used = columns_in_sql(where, source.names)

    numbers = {name: number for number, name in enumerate(source.names)}

    def kind(types: Types, name: str) -> pa.DataType:
        return types.get((PROFILES, name), TEXT)

    def kept(database: duckdb.DuckDBPyConnection, types: Types, columns: Sequence[str], *, empty: bool) -> Any:
        read = list(dict.fromkeys([*used, *columns])) or source.names[:1]
        typed = [(name, name, kind(types, name)) for name in read]
        written = [(name, _WRITTEN.format(numbers[name]), TEXT) for name in columns if kind(types, name) != TEXT]
        database.register(PROFILES, TypedTable(source, [*typed, *written], empty))
        return database.table(PROFILES).filter(where)

    def attempt(types: Types) -> str:
        with sandbox() as database:
            return plan_of(database, kept(database, types, source.names, empty=True).sql_query())

    try:
        types = chosen_types({PROFILES: source}, {PROFILES: used}, attempt, "SELECT 1 WHERE " + where)
    except duckdb.Error as error:
        raise condition_error(error, where, source.names) from None

    def shown(name: str) -> duckdb.Expression:
        if kind(types, name) == TEXT:
            return duckdb.ColumnExpression(name)
        return duckdb.ColumnExpression(_WRITTEN.format(numbers[name])).alias(name)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        about = f"the file {source.files.name}"
        with reading(about, source.files.paths, where), naming_failed_rows([source]), sandbox() as database:
            relation = kept(database, types, columns, empty=False).select(*map(shown, columns))
            for batch in map(plain_text, relation.to_arrow_reader(BATCH)):
                yield pa.RecordBatch.from_arrays([each.cast(TEXT) for each in batch.columns], names=list(columns))

    return Rows(pa.schema([(name, TEXT) for name in source.names]), read)


@contextmanager
def naming_failed_rows(sources: Sequence[TextSource]) -> Iterator[None]:
    """Name the row with the value that an explicit conversion in a query could not convert.

    Raises
    ------
    SegmentError
        A value could not be converted.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        found = _CONVERTED.search(str(error))
        need = (Need.MOMENT if found.group("moment") else _need_of(found.group("type"))) if found else None
        for source in sources:
            if found and need and found.group("column") in source.names:
                misfit = source.misfit(found.group("column"), need)
                if misfit is not None:
                    raise misfit.error() from None
        raise


def chosen_types(
    sources: Mapping[str, TextSource],
    used: Mapping[str, Sequence[str]],
    attempt: Callable[[Types], str],
    sql: str,
    written: Collection[str] = (),
) -> Types:
    """Return column types with which a query can be run.

    Tries combinations of possible types in order of cost. A combination is rejected if DuckDB cannot bind the query, or
    if DuckDB would convert a text implicitly. If the first one that fits needs a number, a date or a Boolean where the
    values are text, the error names the first such row.

    Parameters
    ----------
    sources
        The files by table name.
    used
        The columns of each table that the query may use.
    attempt
        Returns the plan of the query for given column types; a column without a given type is text.
    sql
        The query.
    written
        The names of columns that the query returns unchanged, because they are keys or addresses.

    Raises
    ------
    SegmentError
        The query needs a number, a date or a Boolean, and a row has none.
    duckdb.Error
        The query cannot be run with any types.
    """
    types = _of_values(sources, used, written)
    tree = parsed(sql)
    options = [_type_options(column, kind, tree) for column, kind in types.items()]
    ordered = sorted(
        islice(product(*options), _MAX_COMBINATIONS),
        key=lambda combination: sum(cost for _kind, cost, _need in combination),
    )
    cast = {node["child"]["column_names"][-1].casefold() for node in nodes(tree) if _is_cast_of_column(node)}
    failure: duckdb.Error | None = None
    misfit: tuple[Column, Need] | None = None
    for combination in ordered:
        tried = {column: kind for column, (kind, _cost, _need) in zip(types, combination, strict=True)}
        try:
            plan = attempt(tried)
        except duckdb.BinderException as error:
            failure = failure or error
            continue
        guessed = _guessed(plan, tried, cast)
        if guessed is not None:
            misfit = misfit or guessed
            continue
        needed = [(column, need) for column, (_kind, _cost, need) in zip(types, combination, strict=True) if need]
        if needed:
            raise _misfit(sources, *needed[0])
        return tried
    if failure is not None:
        raise failure
    if misfit is not None:
        raise _misfit(sources, *misfit)
    return types


def _of_values(
    sources: Mapping[str, TextSource], used: Mapping[str, Sequence[str]], written: Collection[str]
) -> dict[Column, pa.DataType]:
    """Return each column's type by its values; columns of one name but different kinds are compared as text."""
    found = {
        (table, name): kind for table, source in sources.items() for name, kind in source.types(used[table]).items()
    }
    folded = {each.casefold() for each in written}
    kinds: dict[str, set[bool]] = {}
    for (_table, name), kind in found.items():
        kinds.setdefault(name.casefold(), set()).add(kind == TEXT)
    return {
        (table, name): TEXT
        if len(kinds[name.casefold()]) > 1 or (name.casefold() in folded and not pa.types.is_int64(kind))
        else kind
        for (table, name), kind in found.items()
    }


_TypeOption = tuple[pa.DataType, int, Need | None]


def _type_options(column: Column, kind: pa.DataType, tree: Any) -> list[_TypeOption]:
    """Return the possible types of a column, each with its cost: 0 for the preferred one."""
    if pa.types.is_null(kind):
        return [(kind, 0, None)]
    if kind == TEXT:
        return [(TEXT, 0, None), *((probe, 10, need) for need, probe in _PROBES.items())]
    if pa.types.is_int64(kind) and _equals_text(tree, column[1]):
        return [(TEXT, 0, None), (kind, 1, None)]  # '007' is not 7
    return [(kind, 0, None), (TEXT, 1, None)]


def _misfit(sources: Mapping[str, TextSource], column: Column, need: Need) -> SegmentError:
    table, name = column
    found = sources[table].misfit(name, need)
    if found is not None:
        return found.error()
    return SegmentError(
        f"The column {name} of {sources[table].files.name} is text, and the query needs {need.value}.",
        f"Write what it means, for example CAST({name} AS DOUBLE), or compare texts with texts.",
        code="not_" + need.name.lower(),
    )


def plan_of(database: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Return DuckDB's unoptimized plan of a query, which shows the conversions that DuckDB adds.

    Parameters
    ----------
    database
        The database with the query's tables.
    sql
        The query.
    parameters
        Values for the query's parameters.
    """
    row = database.execute(f"EXPLAIN (FORMAT json) {sql}", parameters or None).fetchone()
    return str(row[1]) if row else ""


def _need_of(kind: str) -> Need | None:
    """Return what a DuckDB type needs a text to be."""
    return next((need for pattern, need in _NEEDS if pattern.search(kind)), None)


def _guessed(plan: str, types: Types, cast: Collection[str]) -> tuple[Column, Need] | None:
    """Return the first text column that DuckDB would convert implicitly; else None."""
    for (table, name), kind in types.items():
        if kind != TEXT or name.casefold() in cast:
            continue
        for found in re.finditer(
            rf"(?<!TRY_)CAST\({re.escape(json.dumps(name, ensure_ascii=False)[1:-1])} AS ([A-Z]+)", plan
        ):
            need = _need_of(found.group(1))
            if need is not None:
                return (table, name), need
    return None


def parsed(sql: str) -> Any:
    """Return DuckDB's parse tree of a query; empty if it cannot be parsed."""
    return json.loads(_serialized(sql))


@lru_cache(maxsize=32)  # a query is parsed several times, and opening a database takes longer than parsing
def _serialized(sql: str) -> str:
    with sandbox() as database:
        try:
            row = database.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        except duckdb.Error:
            return "{}"  # running the query reports the error
    return str(row[0]) if row else "{}"


def _is_cast_of_column(node: Mapping[str, Any]) -> bool:
    child = node.get("child")
    return node.get("class") == "CAST" and isinstance(child, dict) and _is_column(child)


def _is_column(node: Mapping[str, Any]) -> bool:
    return node.get("class") == "COLUMN_REF" and bool(node.get("column_names"))


def _equals_text(tree: Any, name: str) -> bool:
    """Return whether a query compares a column with quoted texts by equality only."""
    equal = False
    for node in nodes(tree):
        parts = [
            node[side] for side in ("left", "right", "input", "lower", "upper") if isinstance(node.get(side), dict)
        ]
        parts += node.get("children") or [] if node.get("class") == "OPERATOR" else []
        if not any(_is_column(part) and part["column_names"][-1].casefold() == name.casefold() for part in parts):
            continue
        others = [part for part in parts if not _is_column(part)]
        if node.get("type") in _EQUALITY and others:
            if not all(map(_is_text, others)):
                return False
            equal = True
        elif str(node.get("type", "")).startswith("COMPARE_"):
            return False
    return equal


def _is_text(node: Mapping[str, Any]) -> bool:
    """Return whether a node is a quoted text."""
    if node.get("class") != "CONSTANT":
        return False
    literal, value = node.get("literal") or {}, node.get("value") or {}
    return literal.get("kind") == "STRING" or (value.get("type") or {}).get("id") == "VARCHAR"
