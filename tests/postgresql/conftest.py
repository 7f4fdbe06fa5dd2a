"""A temporary PostgreSQL server on a socket in its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pytest
from sqlalchemy import URL, Engine, create_engine, text

import ci_magics as ci
from ci_magics.cli import main
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

PEOPLE = {"vera": "viewer", "carl": "contributor", "ada": "administrator"}
Become = Callable[[str], Workspace]
pytest.register_assert_rewrite("activation", "scenarios", "workspace")  # their tests run here too


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1]


def _as_postgres() -> dict[str, int]:
    """Return the user and group of an ordinary user, because the server refuses to run as root."""
    if os.geteuid():
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Engine]:
    programs, rights = _programs(), _as_postgres()
    folder = Path(tempfile.mkdtemp(prefix="ci-magics-pg-"))
    if rights:
        os.chown(folder, rights["user"], rights["group"])
    data = folder / "data"
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

    def run(*command: str) -> None:
        subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL, **rights)  # type: ignore[call-overload]  # rights are user and group

    run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8")
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={folder}")
    try:
        yield engine
    finally:
        engine.dispose()
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_workspace(postgresql: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a database with a newly created workspace, without open connections, so that it can be copied."""
    name = "new_workspace"
    with postgresql.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text(f"CREATE DATABASE {name}"))
    url = postgresql.url.set(database=name).render_as_string(hide_password=False)
    create = "import sys; from ci_magics.workspace.store import open_workspace; open_workspace(sys.argv[1])"
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path_factory.mktemp("data"))}
    subprocess.run([sys.executable, "-c", create, url], check=True, env=environment)
    return name


@pytest.fixture
def database_url(postgresql: Engine, request: pytest.FixtureRequest) -> Iterator[URL]:
    """Return an empty database, or a copy of the new workspace if the test needs one: creating tables is slow."""
    name = f"empty_{uuid.uuid4().hex}"
    template = request.getfixturevalue("new_workspace") if "workspace" in request.fixturenames else "template1"
    with postgresql.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield postgresql.url.set(database=name)
        server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def workspace(database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return an empty workspace of a team, which is also the default one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", database_url.render_as_string(hide_password=False))
    return open_workspace()


@pytest.fixture
def people(postgresql: Engine) -> Iterator[Engine]:
    """Return a server with a table of people."""
    with postgresql.begin() as database:
        database.execute(text('CREATE TABLE people ("Id" int PRIMARY KEY, "EMail" text, spend numeric(10,2), at date)'))
        for number in range(1, 6):
            database.execute(
                text("INSERT INTO people VALUES (:n, :mail, :spend, :at)"),
                {"n": number, "mail": f"p{number}@contoso.com", "spend": number * 100, "at": f"2026-01-0{number}"},
            )
        database.execute(text("INSERT INTO people VALUES (6, NULL, NULL, NULL)"))
    yield postgresql
    with postgresql.begin() as database:
        database.execute(text("DROP TABLE people"))


@pytest.fixture
def users(postgresql: Engine) -> Iterator[None]:
    with postgresql.begin() as server:
        for name in (*PEOPLE, "nobody"):
            server.execute(text(f"CREATE ROLE {name} LOGIN"))
    yield
    with postgresql.begin() as server:
        for name in (*PEOPLE, "nobody"):
            server.execute(text(f"DROP ROLE {name}"))


@pytest.fixture
def team(
    users: None,
    emulator: RunningEmulator,
    workspace: Workspace,
    postgresql: Engine,
    database_url: URL,
    as_user: Callable[..., Workspace],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Become]:
    """Return a function that switches to a user of a workspace with enforced roles and two connections, one shared."""
    del users, emulator
    contoso.connect(share=["contributor"])
    ci.connect("Secret", customer_id="222", account_id="112")
    contoso.segment(400)
    owner = workspace.user
    for name, role in PEOPLE.items():
        as_user(name, role)
        monkeypatch.setenv("JUPYTERHUB_USER", owner)
    as_user(owner)
    assert main(["roles", "enforce"]) == 0

    def become(name: str) -> Workspace:
        monkeypatch.setenv("JUPYTERHUB_USER", name)
        monkeypatch.setenv("CI_MAGICS_WORKSPACE", database_url.set(username=name).render_as_string(hide_password=False))
        return open_workspace()

    yield become
    with postgresql.begin() as server:
        found = server.execute(
            text("SELECT rolname FROM pg_roles WHERE rolname LIKE :name"), {"name": f"{database_url.database}%"}
        )
        roles = list(found.scalars())
    engine = create_engine(database_url)
    with engine.begin() as database:
        for role in roles:
            database.execute(text(f'DROP OWNED BY "{role}"'))
            database.execute(text(f'DROP ROLE "{role}"'))
    engine.dispose()
