"""A temporary MariaDB server on a socket in its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

_STARTS = 60.0
TABLES = """
CREATE TABLE people (id INT PRIMARY KEY, email VARCHAR(100), `delete` INT);
INSERT INTO people VALUES (1, 'p1@contoso.com', 1), (2, 'p2@contoso.com', 2), (3, NULL, 3);
CREATE TABLE log (x INT);
CREATE TABLE old_log (x INT) ENGINE=MyISAM;
CREATE SEQUENCE numbers;
CREATE FUNCTION logs() RETURNS INT BEGIN INSERT INTO log VALUES (1); RETURN 1; END;
CREATE FUNCTION logs_old() RETURNS INT DETERMINISTIC BEGIN INSERT INTO old_log VALUES (1); RETURN 1; END;
CREATE FUNCTION one_more(n INT) RETURNS INT DETERMINISTIC RETURN n + 1;
CREATE PROCEDURE empties() DELETE FROM people
"""


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Engine]:
    program = shutil.which("mariadbd")
    assert program, "MariaDB is not installed: apt-get install mariadb-server"
    folder = Path(tempfile.mkdtemp(prefix="ci-magics-maria-"))
    user = "mysql" if not os.geteuid() else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={user}"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    socket = folder / "socket"
    options = [f"--socket={socket}", f"--pid-file={folder / 'pid'}", "--skip-networking", "--secure-file-priv="]
    small = ["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, *common, *options, *small], stdout=log, stderr=log)
    engine = create_engine(f"mysql+pymysql://root@/?unix_socket={socket}", poolclass=NullPool)
    try:
        _wait_for(engine)
        yield engine
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


def _wait_for(engine: Engine) -> None:
    end = time.monotonic() + _STARTS
    while True:
        try:
            with engine.connect():
                return
        except OperationalError:
            assert time.monotonic() < end, "MariaDB does not start"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def shop(mariadb: Engine) -> Engine:
    """Return a database of people, with objects that a query could change."""
    with mariadb.begin() as server:
        server.execute(text("CREATE DATABASE shop"))
    engine = create_engine(mariadb.url.set(database="shop"), poolclass=NullPool)
    with engine.begin() as database:
        for statement in TABLES.split(";\n"):
            database.exec_driver_sql(statement.strip())
    return engine
