"""Reduce a database URL to the parts that may be stored and shown.

Drivers accept secrets in many places: user and password, the query (``password``, ``token``, ``odbc_connect``,
``private_key``, ``options`` ...), even the host. So this is an allowlist: only parts known to be harmless are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import URL, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError as UrlError

from ci_magics.errors import names_somebody

_NAME = r"[\w][\w .$#-]{0,127}"
#: Query options that are kept, with a pattern for their values. Other options and values are dropped.
_OPTIONS = {
    "sslmode": r"disable|allow|prefer|require|verify-ca|verify-full",
    "ssl_mode": r"(?i:disabled|preferred|required|verify_ca|verify_identity)",
    "encrypt": r"(?i:yes|no|true|false|mandatory|optional|strict)",
    "trustservercertificate": r"(?i:yes|no|true|false)",
    "multisubnetfailover": r"(?i:yes|no|true|false)",
    "charset": r"utf8(mb[34])?|utf-8|latin1|ascii",
    "driver": r"(ODBC Driver \d\d for SQL Server|FreeTDS|SQL Server)",
    "mode": r"ro|rw|memory",
    "uri": r"true|false",
    "port": r"\d{1,5}",
    "host": r"/[\w./-]{1,200}|[\w.-]{1,253}(:\d{1,5})?",
    "unix_socket": r"/[\w./-]{1,200}",
    "warehouse": _NAME,
    "schema": _NAME,
    "catalog": _NAME,
    "http_path": r"/?sql(/[\w.-]{1,64}){1,5}",
}
#: Backends whose database is a file.
_FILES = ("sqlite", "duckdb")
#: Prefixes of hosted databases; what follows may contain a token.
_SERVICES = ("md:", "motherduck:")
_HOST = re.compile(r"[\w.-]{1,253}|[0-9a-fA-F:.]{2,45}")
_DATABASE = re.compile(rf"{_NAME}(/{_NAME})?")


def kept_url(database: str | URL | Engine) -> URL:
    """Return the part of a database URL that may be stored and shown.

    Parameters
    ----------
    database
        A URL, or an engine that has one.
    """
    url = database.url if isinstance(database, Engine) else _read(database)
    return URL.create(
        url.drivername if re.fullmatch(r"\w{1,40}(\+\w{1,40})?", url.drivername) else "unknown",
        host=url.host if url.host and _HOST.fullmatch(url.host) else None,
        port=url.port,
        database=_database(url),
        query=_options(url.query),
    )


def kept_address(database: str | URL | Engine) -> str:
    """Return `kept_url` as text; it identifies the database."""
    return kept_url(database).render_as_string(hide_password=False)


def _read(address: str | URL) -> URL:
    try:
        return make_url(address)
    except (UrlError, ValueError):
        return URL.create("unknown")


def _database(url: URL) -> str | None:
    if not url.database or names_somebody(url.database):
        return None
    if url.get_backend_name() in _FILES and not url.database.startswith(_SERVICES):
        return None if re.search(r"[?;\x00-\x1f]", url.database) else url.database
    return url.database if _DATABASE.fullmatch(url.database.rpartition(":")[2]) else None


def _options(query: Mapping[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
    kept: dict[str, str | tuple[str, ...]] = {}
    for name, given in query.items():
        pattern = _OPTIONS.get(name.lower())
        values = (given,) if isinstance(given, str) else given
        if pattern and all(re.fullmatch(pattern, each) and not names_somebody(each) for each in values):
            kept[name] = given
    return kept


def has_own_creator(database: object) -> bool:
    """Return whether a database is an engine with a ``creator``, so that its URL does not say how to connect."""
    creator = getattr(database.pool, "_creator", None) if isinstance(database, Engine) else None
    return creator is not None and getattr(creator, "__module__", "") != "sqlalchemy.engine.create"
