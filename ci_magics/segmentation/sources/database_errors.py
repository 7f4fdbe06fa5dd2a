"""Translate database errors without their original text, which may quote data or the password."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import URL

from ci_magics.errors import SegmentError, nearest_name
from ci_magics.kept_address import kept_url
from ci_magics.segmentation.sources.sql_text import Token
from ci_magics.segmentation.text_position import locate_in_text

#: SQLSTATE codes. https://www.postgresql.org/docs/current/errcodes-appendix.html, and the states of ODBC.
_STATES = {
    "42P01": "table",
    "42S02": "table",
    "42703": "column",
    "42S22": "column",
    "3F000": "schema",
    "42883": "function",
    "42601": "syntax",
    "42501": "rights",
    "42702": "ambiguous",
    "28P01": "user",
    "28000": "user",
    "3D000": "database",
    "25006": "writes",
    "57014": "canceled",
    "53300": "busy",
    "22P02": "value",
    "42804": "value",
    "42846": "value",
}
#: Whole SQLSTATE classes, and states that end a connection.
_CLASSES = {
    "22": "value",
    "08": "gone",
    "53": "resources",
    "40": "busy",
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05"), "gone"),
}
#: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_NUMBERS = {
    1146: "table",
    1051: "table",
    1054: "column",
    1305: "function",
    1630: "function",
    1064: "syntax",
    1142: "rights",
    1143: "rights",
    1227: "rights",
    1370: "rights",
    1044: "rights",
    1045: "user",
    1698: "user",
    1049: "database",
    1046: "no_database",
    1792: "writes",
    1052: "ambiguous",
    1317: "canceled",
    1969: "canceled",
    3024: "canceled",
    1040: "busy",
    1205: "busy",
    1213: "busy",
    1021: "resources",
    1037: "resources",
    1038: "resources",
    1041: "resources",
    1053: "gone",
    2006: "gone",
    2013: "gone",
    2002: "host",
    2003: "host",
    2005: "host",
    # Microsoft SQL Server
    207: "column",
    208: "table",
    18456: "user",
    4060: "database",
    229: "rights",
}
#: Messages of other databases and drivers, in the order in which they are matched.
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (
            r"no such table|table or view does not exist|invalid object name|ORA-00942|(TABLE|VIEW)\w*_NOT_FOUND",
            "table",
        ),
        (
            r"no such column|invalid column name|invalid identifier|ORA-00904|UNRESOLVED_COLUMN|COLUMN_NOT_FOUND",
            "column",
        ),
        (r"unrecognized name|column .{1,80} cannot be resolved", "column"),
        (r"(not found: |object |table ).{0,160}(does not exist|not found)|not found: table", "table"),
        (r"no such function|unknown function", "function"),
        (r"ambiguous column", "ambiguous"),
        (r"not authorized|prohibited|readonly database|read-only|not an error", "writes"),
        (r"database \S+ does not exist|cannot open database|CATALOG_NOT_FOUND|ORA-12514|ORA-12505", "database"),
        (r"schema .{0,80}(does not exist|not found)|SCHEMA_NOT_FOUND", "schema"),
        (
            r"password|role \S+ does not exist|login failed|ORA-01017|authenticat|access denied|pg_hba|unauthorized",
            "user",
        ),
        (r"permission|privilege|ORA-01031", "rights"),
        (
            r"translate host|resolve host|name or service|getaddrinfo|refused|timed? ?out|unreachable|ORA-125\d\d",
            "host",
        ),
        (r"no such file or directory", "host"),
        (r"unable to open database file", "file"),
        (r"not a database|malformed|unsupported file format", "no_sqlite"),
        (r"locked|QueuePool limit|too many", "busy"),
        (r"syntax error|incomplete input|unrecognized token|ORA-009\d\d", "syntax"),
        (r"binding|type .{1,60} is not supported|adapt", "parameter"),
        (r"interrupted", "canceled"),
    )
]
#: Words of database messages that can also be names in a query.
_FILLING = re.compile(
    r"no|such|table|column|does|not|exist|relation|function|unknown|in|from|select|where|near|line", re.IGNORECASE
)
_QUOTED = re.compile(r"""["'`»\[]([^"'`«\]]{1,130})["'`«\]]""")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521, "trino": 8080}
_PATIENCE = 3.0


@dataclass(frozen=True)
class FailedQuery:
    """A query and its database, so that an error can name what is wrong.

    Parameters
    ----------
    url
        The database's address.
    sql, parts
        The query and its tokens.
    existing
        Returns the existing names: all of kind ``table`` or ``schema``, or each ``column`` of the query's tables.
    before
        The number of characters that were sent before the query.
    """

    url: URL
    sql: str
    parts: Sequence[Token]
    existing: Callable[[str], list[str]]
    before: int = 0

    @property
    def names(self) -> set[str]:
        """The names in the query, in lower case."""
        return {part.text.lower() for part in self.parts if part.kind in ("word", "name")}


def code_of(error: Exception) -> str:
    """Return the database's error code, such as 42P01 for a missing table; without one, the exception's class name."""
    cause = getattr(error, "orig", None) or error
    first = cause.args[0] if cause.args else None
    if isinstance(first, int):
        return str(first)  # MySQL's numbers are more specific than its states
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        return str(state)
    is_state = isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first)
    return str(first) if is_state else type(cause).__name__


def kind_of(error: Exception) -> str:
    """Return our word for the kind of error; empty if unknown."""
    code, message = code_of(error), _message(error)
    if code in _STATES:
        return _STATES[code]
    if code.isdecimal() and int(code) in _NUMBERS:
        return _NUMBERS[int(code)]
    if code in _CLASSES or code[:2] in _CLASSES:
        return _CLASSES.get(code) or _CLASSES[code[:2]]
    return next((kind for words, kind in _PATTERNS if words.search(message)), "")


def database_error(error: Exception, query: FailedQuery) -> SegmentError:
    """Return the error for a query that a database did not run.

    Parameters
    ----------
    error
        The exception of the driver or of SQLAlchemy.
    query
        The query and its database.
    """
    kind, code = kind_of(error), code_of(error)
    if kind and code.isidentifier() and not code.isupper():
        code = f"database_{kind}"  # only the driver's class name is known
    if kind in ("table", "column", "schema", "function", "ambiguous", "rights"):
        return _name_error(kind, _named(_message(error), query), query, code)
    if kind == "syntax":
        place = _place(error, query)
        return SegmentError(
            f"The database does not understand the query{place}",
            f"Write it in the SQL of {query.url.get_backend_name()}.",
            code=code,
        )
    if kind in _MESSAGES:
        sentence, next_step = _MESSAGES[kind]
        return SegmentError(
            sentence.format(**_location(query.url)), next_step.format(**_location(query.url)), code=code
        )
    return SegmentError(
        f"The database did not run the query ({code}).",
        "Run the query in a program of the database, which shows the database's own message.",
        code=code,
    )


def connection_error(error: Exception, url: URL) -> SegmentError:
    """Return the error for a database that is unreachable or rejects the user.

    Parameters
    ----------
    error
        The exception of the driver or of SQLAlchemy.
    url
        The database's address.
    """
    kind = kind_of(error)
    if kind not in ("user", "database", "busy", "file", "no_sqlite"):
        kind = _why_unreachable(url) or ("host" if kind == "host" else "refused")
    sentence, step = _MESSAGES[kind]
    where = _location(url)
    return DatabaseClosedError(sentence.format(**where), step.format(**where), code=code_of(error))


class DatabaseClosedError(SegmentError):
    """A database is unreachable or rejects the user."""


_MESSAGES = {
    "writes": (
        "A segment's query only reads, and this one would change data. It was stopped.",
        "Write one SELECT, without functions that write.",
    ),
    "user": (
        "The database at {host} refused the user or the password.",
        "Check both; the password may come from an engine that you pass.",
    ),
    "refused": (
        "The database at {host} did not accept the connection.",
        "Check the user, the password, the name of the database and its settings for encryption.",
    ),
    "database": ("The server {host} has no database {database}.", "Check the end of the address."),
    "no_database": ("The address names no database.", "Write it as dialect://host/name."),
    "no_host": ("There is no host '{host}'.", "Check the address of the database."),
    "host": ("No database answers at {host}{port}.", "Is it running, and is it reachable from here?"),
    "canceled": (
        "The database stopped the query: it took longer than the server allows, or somebody stopped it there.",
        "Run it again; if that fails too, make it smaller, or ask the database's administrator for more time.",
    ),
    "resources": (
        "The server does not have enough memory or disk space for the query.",
        "Make it smaller, or tell the database's administrator.",
    ),
    "gone": (
        "The server ended the connection, or is just starting or stopping.",
        "Run it again in a few minutes.",
    ),
    "busy": ("The database is busy or locked by somebody else.", "Try again in a moment."),
    "value": (
        "A value in the query does not fit the type that it is compared with or converted to.",
        "Check the conversions and comparisons in the query.",
    ),
    "parameter": (
        "A parameter of the query has no value, or one that the database does not accept.",
        "Write a parameter as $name, and give it a number, a text or a date.",
    ),
    "file": ("The database file '{file}' cannot be opened.", "Check the path and your rights."),
    "no_sqlite": ("The file '{file}' is not a complete SQLite database.", "Check the path."),
}


def _location(address: URL) -> dict[str, str]:
    url = kept_url(address)
    query = url.query.get("host") or url.query.get("unix_socket") or "this machine"
    host = url.host or (query if isinstance(query, str) else query[0])
    database = url.database or ""
    return {
        "host": host,
        "port": f", port {url.port}" if url.port else "",
        "database": f"'{database}'" if database else "of the user's name",
        "file": re.split(r"[\\/]", database)[-1],
    }


def _name_error(kind: str, name: str, query: FailedQuery, code: str) -> SegmentError:
    if kind == "rights":
        what = f" '{name}'" if name else " what the query selects from"
        return SegmentError(
            f"You may not read{what} in this database.", "Ask its administrator for the right to SELECT.", code=code
        )
    if kind == "ambiguous":
        return SegmentError(
            f"More than one table of the query has the column '{name}'.",
            "Write the table's name before it, such as p.Id.",
            code=code,
        )
    schema, _, last = name.rpartition(".")
    if kind == "table" and schema and _missing(schema.rpartition(".")[2], query.existing("schema")):
        kind, last = "schema", schema
    existing = [] if kind == "function" else query.existing(kind)
    nearest = nearest_name(last, existing) if last else None
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    known = f"The {kind}s are {', '.join(existing[:30])}." if existing else "Check the names in the query."
    called = f" '{name if kind != 'schema' else last}'" if name else f" of a {kind} in the query"
    return SegmentError(f"The database has no {kind}{called}.{hint}", known, code=code)


def _missing(name: str, existing: Sequence[str]) -> bool:
    return bool(existing) and name.lower() not in {each.lower() for each in existing}


def _message(error: Exception) -> str:
    """Return the first line of the database's message; never shown."""
    cause = getattr(error, "orig", None) or error
    message = getattr(getattr(cause, "diag", None), "message_primary", None)
    details = dict(getattr(cause, "details", None) or ()) if not isinstance(cause, dict) else {}
    primary = details.get(b"PG_DIAG_MESSAGE_PRIMARY")
    if isinstance(primary, bytes):
        primary = primary.decode("utf-8", "replace")
    return str(message or primary or " ".join(map(str, cause.args)) or cause)


def _named(message: str, query: FailedQuery) -> str:
    """Return the name in the database's message. It must occur in the query, so that it cannot be a data value."""
    names = query.names

    def of_the_query(found: str) -> str:
        path = [part.strip("\"'`[] ") for part in found.split(".")]
        while path and path[0].lower() not in names:  # a database or schema that is not in the query
            path = path[1:]
        return ".".join(path) if path and all(part.lower() in names for part in path) else ""

    quoted = [of_the_query(each) for each in _QUOTED.findall(message)]
    loose = [of_the_query(each) for each in re.findall(r"[\w$]+(?:\.[\w$]+)*", message) if not _FILLING.fullmatch(each)]
    return next((each for each in [*quoted, *loose] if each), "")


def _place(error: Exception, query: FailedQuery) -> str:
    """Return the position of the syntax error, with a pointer, if the database reports it."""
    position = _position(error, query)
    if position is None or not 0 <= position <= len(query.sql):
        return "."
    place = locate_in_text(query.sql, position)
    return f" at {place.words}.{place.excerpt}"


def _position(error: Exception, query: FailedQuery) -> int | None:
    """Return the position of a syntax error in the query, or None.

    PostgreSQL reports a position, which is unreliable after a parameter, because drivers rewrite parameters. MySQL and
    SQLite quote the text near the error, which helps only if it occurs once.
    """
    cause = getattr(error, "orig", None) or error
    reported = getattr(getattr(cause, "diag", None), "statement_position", None)
    if reported is None:
        reported = dict(getattr(cause, "details", None) or ()).get(b"PG_DIAG_STATEMENT_POSITION")
    if reported is not None:
        position = int(reported) - 1 - query.before
        moved = any(part.kind == "parameter" and part.start < position for part in query.parts)
        return None if moved else position
    near = re.search(r"""near ["'](.*?)["'](?: at line|:|$)""", _message(error), re.DOTALL)
    if near is None or not near.group(1):
        return None
    found = [part.start for part in query.parts if query.sql.startswith(near.group(1)[:20], part.start)]
    return found[0] if len(found) == 1 else None


def _why_unreachable(url: URL) -> str | None:
    """Return ``no_host`` if the host does not exist, ``host`` if it does not answer, None if it is reachable."""
    port = url.port or _PORTS.get(url.get_backend_name())
    if not url.host or port is None:
        return None
    try:
        with socket.create_connection((url.host, port), timeout=_PATIENCE):
            return None
    except socket.gaierror:
        return "no_host"
    except OSError:
        return "host"
