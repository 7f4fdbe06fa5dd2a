"""The workspace: a database of names and counts, and private files of hashes."""

from __future__ import annotations

import functools
import getpass
import os
from pathlib import Path
from typing import Any

import platformdirs
from sqlalchemy import Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import SQLAlchemyError

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import models
from ci_magics.workspace.files import PrivateFiles, private_folder
from ci_magics.workspace.models import AudienceRecord, Connection, Consent, RunRecord, SegmentRecord
from ci_magics.workspace.shelf import Shelf


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
        self.folder = private_folder(folder)
        self.user = user
        self.snapshots = PrivateFiles(folder / "segments")
        self.ledgers = PrivateFiles(folder / "ledgers")
        self.spool = PrivateFiles(folder / "spool")
        self.connections = ConnectionShelf(engine)
        self.segments = Shelf(
            engine,
            models.segments,
            SegmentRecord,
            word="segment",
            advice="Make one with %ci_segment NAME FRAME; %ci_segment lists them.",
        )
        self.audiences = Shelf(
            engine, models.audiences, AudienceRecord, word="audience", advice="See %ci_status for those we filled."
        )
        self.runs = Shelf(
            engine, models.runs, RunRecord, word="run", advice="%ci_status lists the runs.", order="started_at"
        )

    def __repr__(self) -> str:
        return f"Workspace: {self.connections!r}; {self.segments!r}; {len(self.runs)} runs"


class ConnectionShelf(Shelf[Connection]):
    """The connections with their consents."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            engine,
            models.connections,
            Connection,
            word="connection",
            advice="Make one with %ci_connect NAME; %ci_connect lists them.",
        )
        self.consents = Shelf(
            engine, models.consents, Consent, word="consent", advice="See %ci_connect.", order="given_at"
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
    return _open(place, _user())


@functools.lru_cache(maxsize=8)
def _open(place: str, user: str) -> Workspace:
    is_url = "://" in place
    folder = Path(platformdirs.user_data_path("ci-magics") if is_url else place).expanduser()
    private_folder(folder)
    engine = _engine(place if is_url else f"sqlite:///{folder.absolute() / 'workspace.sqlite'}")
    try:
        _prepare(engine)
    except SQLAlchemyError as error:
        raise _cannot_open(type(error).__name__) from None
    return Workspace(engine, folder, user)


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(make_url(url))
    except (UrlError, ImportError) as error:
        raise _cannot_open(type(error).__name__) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _share_sqlite)
        _keep_private(engine.url.database or "")
    return engine


def _share_sqlite(connection: Any, _record: object) -> None:
    """Let several kernels work on one file."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _keep_private(database: str) -> None:
    path = Path(database)
    if database and not path.exists():
        path.touch(mode=0o600)


def _prepare(engine: Engine) -> None:
    models.metadata.create_all(engine)
    with engine.begin() as database:
        versions = [row.version for row in database.execute(select(models.schema_versions))]
        if not versions:
            database.execute(insert(models.schema_versions).values(version=models.SCHEMA_VERSION))
    if versions and max(versions) > models.SCHEMA_VERSION:
        raise WorkspaceError(
            "The workspace was written by a newer version of ci-magics.",
            "Install that version, or set CI_MAGICS_WORKSPACE to another folder.",
            code="workspace_newer",
        )


def _cannot_open(code: str) -> WorkspaceError:
    return WorkspaceError(
        "The workspace cannot be opened.",
        "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or to a database URL.",
        code=code,
    )


def _user() -> str:
    return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
