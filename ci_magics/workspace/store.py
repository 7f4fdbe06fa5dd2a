"""The workspace: a database of names and counts, and private files of hashes."""

from __future__ import annotations

import functools
import getpass
import os
from pathlib import Path
from typing import Any

import platformdirs
from sqlalchemy import URL, Engine, create_engine, event, insert, select
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import SQLAlchemyError

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import tables
from ci_magics.workspace.files import PrivateFiles, private_folder
from ci_magics.workspace.locks import Locks
from ci_magics.workspace.migrations import bring_up_to_date
from ci_magics.workspace.models import (
    AudienceRecord,
    Connection,
    Consent,
    PushRecord,
    RunRecord,
    SegmentRecord,
    StepRecord,
)
from ci_magics.workspace.shelf import Shelf, counted_in_words


class Workspace:
    """Where connections, segments, runs and ledgers are kept.

    Parameters
    ----------
    engine
        The database.
    folder
        Where the private files are.
    user
        Who is working: the JupyterHub user, else the operating system's.
    """

    def __init__(self, engine: Engine, folder: Path, user: str) -> None:
        self._engine = engine
        self.folder = private_folder(folder)
        self.user = user
        self.snapshots = PrivateFiles(folder / "segments")
        self.ledgers = PrivateFiles(folder / "ledgers")
        self.spool = PrivateFiles(folder / "spool")
        self.connections = ConnectionShelf(engine)
        self.segments = Shelf(
            engine,
            tables.segments,
            SegmentRecord,
            word="segment",
            advice="Make one with %ci_segment NAME FRAME; %ci_segment lists them.",
        )
        self.audiences = Shelf(
            engine, tables.audiences, AudienceRecord, word="audience", advice="See %ci_status for those we filled."
        )
        self.runs = Shelf(
            engine, tables.runs, RunRecord, word="run", advice="%ci_status lists the runs.", order="started_at"
        )
        self.pushes = Shelf(engine, tables.pushes, PushRecord, word="push", advice="See %ci_status.", order="number")
        self.steps = Shelf(engine, tables.steps, StepRecord, word="step", advice="See %ci_status.", order="number")
        self.locks = Locks(engine, user)

    def record(self, *values: AudienceRecord | PushRecord | RunRecord | StepRecord) -> None:
        """Keep several values, all of them or none."""
        shelves: dict[type, Shelf[Any]] = {
            AudienceRecord: self.audiences,
            PushRecord: self.pushes,
            RunRecord: self.runs,
            StepRecord: self.steps,
        }
        with self._engine.begin() as database:
            for value in values:
                shelves[type(value)].put_in(database, value)

    def __repr__(self) -> str:
        return f"Workspace: {self.connections!r}; {self.segments!r}; {counted_in_words(len(self.runs), 'run')}"


class ConnectionShelf(Shelf[Connection]):
    """The connections with their consents."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            engine,
            tables.connections,
            Connection,
            word="connection",
            advice="Make one with %ci_connect NAME; %ci_connect lists them.",
        )
        self.consents = Shelf(
            engine, tables.consents, Consent, word="consent", advice="See %ci_connect.", order="given_at"
        )

    def _select(self, **values: Any) -> list[Connection]:
        return [
            each.with_consents(tuple(self.consents.where(connection_id=each.id))) for each in super()._select(**values)
        ]


def open_workspace(location: str | os.PathLike[str] | None = None) -> Workspace:
    """Open a workspace; the same place gives the same workspace.

    Parameters
    ----------
    location
        A folder, or a database URL as SQLAlchemy writes them. Without it ``CI_MAGICS_WORKSPACE``, else the
        folder for application data of this user.

    Raises
    ------
    WorkspaceError
        It cannot be opened, or was written by a newer version.
    """
    place = str(location or os.environ.get("CI_MAGICS_WORKSPACE") or platformdirs.user_data_path("ci-magics"))
    if "://" in place:
        return _open(place, platformdirs.user_data_path("ci-magics"), _user())
    folder = Path(place).expanduser().absolute()  # a notebook may change its folder, and the workspace stays
    return _open(URL.create("sqlite", database=str(folder / "workspace.sqlite")), folder, _user())


@functools.lru_cache(maxsize=8)
def _open(url: str | URL, folder: Path, user: str) -> Workspace:
    private_folder(folder)
    try:
        engine = _engine(url)
        _make_tables(engine)
    except (OSError, UrlError, ImportError, SQLAlchemyError) as error:
        raise WorkspaceError(
            "The workspace cannot be opened.",
            "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or to a database URL.",
            code=type(error).__name__,
        ) from None
    return Workspace(engine, folder, user)


def _engine(url: str | URL) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _share_sqlite)
        _keep_private(engine.url.database or "")
    return engine


def _share_sqlite(connection: Any, _record: object) -> None:
    """Let several kernels work on one file."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _keep_private(database: str) -> None:
    if database and not database.startswith((":memory:", "file:")):
        Path(database).touch(mode=0o600)


def _make_tables(engine: Engine) -> None:
    with engine.begin() as database:
        if engine.dialect.name == "sqlite":
            database.exec_driver_sql("BEGIN IMMEDIATE")  # other kernels wait until the tables are there
        tables.schema_versions.create(database, checkfirst=True)
        versions = [row.version for row in database.execute(select(tables.schema_versions))]
        if versions and max(versions) > tables.SCHEMA_VERSION:
            raise WorkspaceError(
                "The workspace was written by a newer version of ci-magics.",
                "Install that version, or set CI_MAGICS_WORKSPACE to another folder.",
                code="workspace_newer",
            )
        if versions:
            bring_up_to_date(database, max(versions))
        else:
            database.execute(insert(tables.schema_versions).values(version=tables.SCHEMA_VERSION))
        tables.metadata.create_all(database)


def _user() -> str:
    return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
