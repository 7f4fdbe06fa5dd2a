"""Database addresses: parse them, choose an installed driver, or say what to install."""

from __future__ import annotations

import difflib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from ci_magics.errors import SegmentError, nearest_name

#: Other common names for SQLAlchemy's databases.
_ALIASES = {
    "postgres": "postgresql",
    "pg": "postgresql",
    "pgsql": "postgresql",
    "sqlserver": "mssql",
    "sqlite3": "sqlite",
}
#: Databases with several drivers, best first: module, and name in an address.
_DRIVERS = {
    "postgresql": (("psycopg", "psycopg"), ("psycopg2", "psycopg2"), ("pg8000", "pg8000")),
    "mysql": (("MySQLdb", "mysqldb"), ("pymysql", "pymysql"), ("mysql.connector", "mysqlconnector")),
    "mariadb": (("MySQLdb", "mysqldb"), ("pymysql", "pymysql"), ("mariadb", "mariadbconnector")),
    "mssql": (("pyodbc", "pyodbc"), ("pymssql", "pymssql")),
    "oracle": (("oracledb", "oracledb"), ("cx_Oracle", "cx_oracle")),
}
#: asyncio drivers, each with a synchronous driver for the same database.
_ASYNC_DRIVERS = {
    "asyncpg": "psycopg",
    "aiosqlite": "pysqlite",
    "aiomysql": "pymysql",
    "asyncmy": "pymysql",
    "aioodbc": "pyodbc",
}
#: The package to install for each database.
_PACKAGES = {
    "postgresql": "ci-magics[postgresql]",
    "mysql": "ci-magics[mysql]",
    "mariadb": "ci-magics[mysql]",
    "mssql": "pyodbc",
    "oracle": "oracledb",
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "databricks": "databricks-sqlalchemy",
    "trino": "trino[sqlalchemy]",
    "presto": "pyhive[presto]",
    "hive": "pyhive[hive]",
    "redshift": "sqlalchemy-redshift redshift-connector",
    "awsathena": "PyAthena[SQLAlchemy]",
    "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect",
    "teradatasql": "teradatasqlalchemy",
    "hana": "sqlalchemy-hana",
    "db2": "ibm-db-sa",
    "exa": "sqlalchemy-exasol",
    "vertica": "sqlalchemy-vertica-python",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "druid": "pydruid",
    "crate": "sqlalchemy-cratedb",
    "firebird": "sqlalchemy-firebird",
}
#: Packages whose name differs from the missing module's.
_OF_MODULES = {
    "MySQLdb": "mysqlclient",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "mysql": "mysql-connector-python",
    "snowflake": "snowflake-sqlalchemy",
}
_EXAMPLE = "Write it as dialect://host/name, for example postgresql://db.contoso.com/shop."


def read_address(address: str) -> URL:
    """Parse a database address and add an installed driver.

    Parameters
    ----------
    address
        In SQLAlchemy's syntax. A driver after ``+`` is kept, except an asyncio driver.

    Raises
    ------
    SegmentError
        It is not an address.
    """
    try:
        url = make_url(address.strip())
    except (UrlError, ValueError):
        raise SegmentError("The address of the database cannot be read.", _EXAMPLE, code="database_address") from None
    backend, _, driver = url.drivername.partition("+")
    backend = _ALIASES.get(backend.lower(), backend.lower())
    driver = _ASYNC_DRIVERS.get(driver, driver)
    if not driver and backend in _DRIVERS:
        driver = next((name for module, name in _DRIVERS[backend] if _is_installed(module)), "")
    return url.set(drivername=f"{backend}+{driver}" if driver else backend)


def open_engine(url: URL, **options: Any) -> Engine:
    """Return an engine for an address.

    Parameters
    ----------
    url
        The address.
    **options
        Passed to `sqlalchemy.create_engine`.

    Raises
    ------
    SegmentError
        SQLAlchemy does not know the database, or its driver is not installed.
    """
    backend = url.get_backend_name()
    if backend in _DRIVERS and "+" not in url.drivername:
        raise _no_driver(backend, _PACKAGES[backend])
    try:
        return create_engine(url, **options)
    except NoSuchModuleError:
        if backend in _PACKAGES:
            raise _no_driver(backend, _PACKAGES[backend]) from None
        nearest = nearest_name(backend, [*_PACKAGES, *_ALIASES, "sqlite", "duckdb"])
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise SegmentError(
            f"The address of the database begins with '{backend}', which SQLAlchemy does not know.{hint}",
            "If it is one, install its package for SQLAlchemy.",
            code="database_address",
        ) from None
    except ImportError as error:
        module = (getattr(error, "name", None) or "").partition(".")[0]
        package = _OF_MODULES.get(module, module) or _PACKAGES.get(backend, "its driver")
        if backend not in _DRIVERS:
            raise _no_driver(backend, package) from None
        raise SegmentError(
            f"The driver that the address names, {url.get_driver_name()}, is not installed.",
            f"Install it: {_pip(package)}. Or write {backend}:// to use a driver that is.",
            code="no_database_driver",
        ) from None
    except (SQLAlchemyError, TypeError, ValueError):
        raise SegmentError("The address of the database cannot be used.", _EXAMPLE, code="database_address") from None


def require_file(path: str) -> Path:
    """Require that a database file exists, because opening a missing one would create it.

    Raises
    ------
    SegmentError
        It does not exist.
    """
    file = Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser fails without a home folder
    if file.is_file():
        return file
    if file.is_dir():
        raise SegmentError(f"'{file.name}' is a folder.", "Name the file of the database in it.", code="no_file")
    folder = file.parent
    others = [each.name for each in folder.iterdir() if each.is_file()] if folder.is_dir() else []
    nearest = difflib.get_close_matches(file.name, others, 1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    missing = "" if folder.is_dir() else f" There is no folder '{folder.name}' either."
    raise SegmentError(
        f"There is no database file '{file.name}'.{hint}{missing}",
        "Check the path: a relative one begins in the current folder.",
        code="no_file",
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _no_driver(backend: str, package: str) -> SegmentError:
    return SegmentError(
        f"No driver for {backend} is installed.", f"Install it: {_pip(package)}.", code="no_database_driver"
    )


def _pip(package: str) -> str:
    return f"pip install '{package}'" if "[" in package else f"pip install {package}"
