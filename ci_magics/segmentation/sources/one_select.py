"""Require that a segment's query only reads: one SELECT, without functions that act on the server.

Keywords alone do not prove that a query writes nothing. Each database confirms it with its own parser and runs the
query read-only. For a database that can do neither, `require_parsed` accepts only queries that sqlglot fully
understands.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.sql_text import Lexis, Token, lexis_of, tokens

#: The most characters between UPDATE and its SET: the table names with their quotes.
_UPDATED = 300
#: The similarity from which a word counts as a mistyped SELECT: DELETE has a similarity of two thirds.
_ALIKE = 0.75
#: DuckDB nodes that only read; COPY, INSERT, UPDATE and DELETE have others.
_READS = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
_BEGINS = ("select", "with", "values", "table", "from")
#: Functions that a SELECT can call but that write, end sessions, wait, take locks, or read files of the server.
#: https://www.postgresql.org/docs/current/functions-admin.html
_POSTGRESQL = re.compile(
    r"dblink\w*|lo_(?:import|export|creat|create|unlink|put|from_bytea|truncate\w*|open)|lowrite|"
    r"pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile\w*|pg_sleep\w*|pg_notify|pg_promote|"
    r"pg_read_\w*file|pg_ls_\w+|pg_stat_file|pg_file_\w+|pg_switch_wal|pg_switch_xlog|pg_create_restore_point|"
    r"pg_(?:try_)?advisory_\w+|pg_(?:backup_start|backup_stop|start_backup|stop_backup)|pg_wal_replay_\w+|"
    r"pg_logical_\w+|pg_replication_\w+|pg_\w*replication_slot\w*|pg_stat_reset\w*|pg_stat_statements_reset|"
    r"pg_import_system_collations|pg_log_backend_memory_contexts|pg_prewarm|pg_(?:restore|clear)_\w*stat\w*|"
    r"nextval|setval|set_config|pg_export_snapshot|txid_current|pg_current_xact_id|"
    r"pg_log_standby_snapshot|pg_sync_replication_slots|brin_\w*summarize\w*|gin_clean_pending_list|"
    # Extensions: https://www.postgresql.org/docs/current/contrib.html, pg_background, http, Citus, aws_s3
    r"heap_force_\w+|pg_truncate_visibility_map|pg_buffercache_evict\w*|autoprewarm_\w+|pg_background_\w+|"
    r"http|http_\w+|run_command_on_\w+|query_export_to_s3|table_import_from_s3"
)
#: Functions that run a query given as text.
_RUN_A_TEXT = re.compile(r"query_to_xml\w*|cursor_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table")
_MYSQL = re.compile(
    r"load_file|sleep|benchmark|get_lock|release_lock|release_all_locks|master_(?:pos|gtid)_wait|source_pos_wait|"
    r"wait_(?:for|until)_\w+|sys_(?:exec|eval|set|bineval)|nextval|setval"
)
_SQLITE = re.compile(r"load_extension|writefile|readfile|edit|fsdir|lsdir|fts3_tokenizer|zipfile|sqlite3?_\w*exec\w*")
#: All other databases: functions that stop, wait, read files, or send queries and requests elsewhere.
_OTHERS = re.compile(
    r"xp_\w+|sp_\w+|openrowset|openquery|opendatasource|"
    r"dbms_(?!random|lob)\w+|utl_(?:http|file|smtp|tcp|mail|inaddr)\w*|httpuritype|dburitype|xdburitype|"
    r"system\$(?!typeof)\w+|reflect|try_reflect|java_method|http_\w+|ai_query|executable|"
    r"nextval|setval|set_config|load_file|sleep|sleepeachrow|load_extension"
)
_FORBIDDEN = {
    "postgresql": _POSTGRESQL,
    "cockroachdb": _POSTGRESQL,
    "redshift": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
}
#: sqlglot's names for databases that SQLAlchemy names differently.
_SQLGLOT = {
    "mssql": "tsql",
    "cockroachdb": "postgres",
    "postgresql": "postgres",
    "mariadb": "mysql",
    "awsathena": "athena",
    "teradatasql": "teradata",
    "clickhousedb": "clickhouse",
    "exa": "exasol",
    "vertica": "postgres",
    "crate": "postgres",
    "netezza": "postgres",
    "impala": "hive",
    "access": "tsql",
    "sybase": "tsql",
}


def require_select(sql: str, parts: Sequence[Token], dialect: str) -> str:
    """Require that a query can be one SELECT, and return it without a final semicolon.

    Parameters
    ----------
    sql, parts
        The query and its tokens.
    dialect
        SQLAlchemy's name for the database.

    Raises
    ------
    SegmentError
        It is another statement, several statements, or calls a function that acts on the server.
    """
    body, end = list(parts), len(sql)
    while body and body[-1].text == ";" and body[-1].kind == "sign":
        end = body.pop().start
    if not body:
        raise not_select("it is empty")
    first = next((part for part in body if part.text != "("), body[0])
    if not first.says(*_BEGINS) and not _is_mistyped(first):
        word = first.text.upper() if first.kind == "word" else "something else"
        raise not_select(f"this begins with {word}")
    if any(part.kind == "sign" and part.text == ";" for part in body):
        raise not_select("these are several statements")
    _require_balance(body)
    _require_reading(body)
    _require_harmless(body, dialect)
    return sql[:end]


def _is_mistyped(first: Token) -> bool:
    """Return whether a query begins with a mistyped SELECT or WITH; the database then reports the position."""
    return bool(difflib.get_close_matches(first.text.lower(), ("select", "with"), 1, _ALIKE))


def not_select(why: str) -> SegmentError:
    """Return the error for a query that is not one SELECT."""
    return SegmentError(
        f"A segment is one SELECT, and {why}.",
        "Write one query that begins with SELECT. The query was not run.",
        code="not_select",
    )


@dataclass(frozen=True)
class OneSelect:
    """A query that DuckDB parses as one SELECT.

    Parameters
    ----------
    parameters
        The names of its parameters.
    nodes
        The nodes of its parse tree; None for a PIVOT whose columns depend on the data.
    """

    parameters: frozenset[str]
    nodes: tuple[dict[str, Any], ...] | None


def require_one_select(database: duckdb.DuckDBPyConnection, sql: str) -> OneSelect:
    """Require that DuckDB parses a query as one SELECT that writes nothing.

    A PIVOT whose columns depend on the data is accepted, although DuckDB splits it into several statements.

    Parameters
    ----------
    database
        Parses the query; nothing is run.
    sql
        The query.

    Raises
    ------
    SegmentError
        It is another statement, or several statements.
    duckdb.ParserException
        It is not SQL.
    """
    parts = tokens(sql, lexis_of("duckdb"))
    first = next((part for part in parts if part.text != "("), None)
    if first is None:
        raise not_select("it is empty")
    statements = database.extract_statements(sql)
    if len(statements) != 1:
        raise not_select("these are several statements")
    pivot = statements[0].type == duckdb.StatementType.MULTI and first.says(*_BEGINS, "pivot", "unpivot")
    if statements[0].type != duckdb.StatementType.SELECT and not pivot:
        raise not_select(f"this begins with {first.text.upper()}")
    found = _nodes_of(database, sql)
    for node in found or ():
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _READS:
            raise not_select(f"{kind.partition('_')[0]} in it writes")
    return OneSelect(frozenset(statements[0].named_parameters), found)


def _nodes_of(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[dict[str, Any], ...] | None:
    tree = json.loads(database.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    return None if tree.get("error") else tuple(nodes(tree))


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield all nodes of a DuckDB parse tree."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(part)


def without_end(sql: str) -> str:
    """Return a query without trailing semicolons and the comments after them."""
    parts, end = tokens(sql, lexis_of("duckdb")), len(sql)
    while parts and parts[-1].kind == "sign" and parts[-1].text == ";":
        end = parts.pop().start
    return sql[:end]


def require_parsed(sql: str, dialect: str, *, otherwise: str) -> None:
    """Require that sqlglot parses a query as one SELECT that only reads.

    Parameters
    ----------
    sql
        The query, with a value such as NULL for each parameter.
    dialect
        SQLAlchemy's name for the database.
    otherwise
        Why this is required, for the error.

    Raises
    ------
    SegmentError
        It cannot be parsed, or does more than read.
    """
    import sqlglot
    from sqlglot import expressions as exp

    name = _SQLGLOT.get(dialect, dialect)
    known = name in {each.value for each in sqlglot.Dialects}
    try:
        trees = sqlglot.parse(sql, read=name if known else None)
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise SegmentError(
            f"The query cannot be checked, and {otherwise}.",
            "Write it as one SELECT in plain SQL, or make a view of it in the database and select from the view.",
            code="query_not_checked",
        ) from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.Values | exp.Table):
        raise not_select("this is something else")
    writes = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Drop, exp.Alter, exp.Copy, exp.Set, exp.Use)
    for node in trees[0].walk():
        if isinstance(node, writes) and not isinstance(node, exp.Query | exp.Values):
            raise not_select("this does more than read")
        if isinstance(node, exp.Column | exp.Dot) and node.name.lower() == "nextval":
            raise _forbidden("NEXTVAL")


def _require_balance(parts: Sequence[Token]) -> None:
    """Require balanced parentheses, because the query is put in parentheses to be checked."""
    depth = 0
    for part in parts:
        if part.kind == "sign" and part.text in "()":
            depth += 1 if part.text == "(" else -1
        if depth < 0:
            raise not_select("a parenthesis is closed that was not opened")


def _require_reading(parts: Sequence[Token]) -> None:
    """Reject clauses that make a SELECT write or lock. The databases would too, but with less clear messages."""
    for before, part, behind in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        if before is not None and (before.says("as") or before.text == "."):
            continue  # a column name
        if part.says("into") and behind is not None and behind.text != ",":
            raise not_select("INTO writes what it selects")
        opened = before is not None and before.text in ("(", ")")
        if opened and behind is not None and _writes(part, behind, parts):
            raise not_select(f"{part.text.upper()} changes rows")
        if part.says("for") and behind is not None and behind.says("update", "share"):
            raise not_select(f"FOR {behind.text.upper()} locks rows")
    words = [part.text.lower() if part.kind == "word" else part.kind for part in parts]
    for start in range(len(words) - 2):
        ahead = words[start : start + 4]
        if ahead[:3] in (["for", "key", "share"], ["lock", "in", "share"], ["next", "value", "for"]) or ahead == [
            "for",
            "no",
            "key",
            "update",
        ]:
            raise not_select(f"{' '.join(ahead).upper()} does more than read")


def _writes(part: Token, behind: Token, parts: Sequence[Token]) -> bool:
    if part.says("update"):
        return any(each.says("set") for each in parts if part.end < each.start < part.end + _UPDATED)
    return (part.says("delete") and behind.says("from")) or (
        part.says("insert", "merge", "replace") and behind.says("into")
    )


def _require_harmless(parts: Sequence[Token], dialect: str) -> None:
    forbidden = _FORBIDDEN.get(dialect, _OTHERS)
    for number, (part, behind) in enumerate(pairwise(parts)):
        packaged = behind.text == "." and part.text.lower().startswith(("dbms_", "utl_"))
        if packaged and forbidden.fullmatch(part.text.lower()):
            raise _forbidden(part.text)  # an Oracle package
        if behind.text != "(" or behind.kind != "sign" or part.kind not in ("word", "name"):
            continue
        name = part.text.lower()
        if forbidden.fullmatch(name):
            raise _forbidden(part.text)
        if forbidden is _POSTGRESQL and _RUN_A_TEXT.fullmatch(name):
            _require_harmless_text(part.text, parts[number + 2 : number + 4], dialect)


def _require_harmless_text(function: str, behind: Sequence[Token], dialect: str) -> None:
    """Require that the text passed to a function that runs it is one literal SELECT."""
    if len(behind) < 2 or behind[0].kind != "text" or behind[1].text not in ",)":
        raise _forbidden(function)
    inner = behind[0].text
    require_select(inner, tokens(inner, Lexis(dollar=True, nested=True)), dialect)


def _forbidden(function: str) -> SegmentError:
    return SegmentError(
        f"A segment's query only reads, and the function {function} does more. The query was not run.",
        "Leave the function out.",
        code="query_acts",
    )
