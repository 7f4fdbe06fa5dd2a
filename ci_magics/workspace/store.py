"""The workspace: a database of names and counts, and private files of hashes."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

from sqlalchemy import URL, Engine, create_engine, event, insert, select
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ci_magics.advice import COLUMN, FRAME, NAME, Do, advise
from ci_magics.clock import present
from ci_magics.display.displayable import Displayable
from ci_magics.display.numbers import pluralize
from ci_magics.errors import WorkspaceError, not_found
from ci_magics.workspace import tables
from ci_magics.workspace.access import (
    Role,
    Verb,
    current_user,
    is_shared_with,
    not_shared,
    nothing_shared,
    require,
    role_of,
)
from ci_magics.workspace.audit import AuditLog
from ci_magics.workspace.export_repositories import ExportRepository, heartbeats, notices, refreshes, settings
from ci_magics.workspace.file_stores import emulator_folder, folder_beside, open_files
from ci_magics.workspace.forgotten import ForgottenHashes
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.location import database_in, default_location, file_of, folder_of, is_in_memory
from ci_magics.workspace.locks import Locks
from ci_magics.workspace.missing_files import lost_ledger, lost_profiles, lost_spool
from ci_magics.workspace.models import (
    AudienceRecord,
    Connection,
    Consent,
    ConsentChoiceRecord,
    PushRecord,
    RunRecord,
    SegmentCount,
    SegmentRecord,
    SegmentVersion,
    SignInRecord,
    StepRecord,
    UserRole,
)
from ci_magics.workspace.orphans import sweep
from ci_magics.workspace.private_paths import private_folder
from ci_magics.workspace.repository import Repository
from ci_magics.workspace.rights import (
    Enforced,
    connections_of,
    enforce_roles,
    may_read_files,
    renew_rights,
    roles_are_enforced,
)
from ci_magics.workspace.run_repositories import ExportRunRepository, RunRepository
from ci_magics.workspace.schema import bring_up_to_date, is_up_to_date
from ci_magics.workspace.scratch_folders import ScratchFolders
from ci_magics.workspace.storage_errors import cannot_open
from ci_magics.workspace.transactions import change, overwrite_deleted, read_transaction

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T")

_FOLDERS = ("segments", "ledgers", "spool")
#: Threads that open a workspace at the same time share the one that the first has opened.
_ONE_AT_A_TIME = threading.Lock()
#: The open databases of this process.
_engines: WeakSet[Engine] = WeakSet()


class Workspace(Displayable):
    """The database and the private files with connections, segments, runs, and ledgers.

    Parameters
    ----------
    engine
        The database.
    folder
        Where the private files are.
    user
        The current user: the JupyterHub user, else the operating system's.

    Attributes
    ----------
    connections
        The connections that the current user may see, with the details that this user may see.
    all_connections
        All connections, to look up the one that something was created with; never to be shown.
    emulator_folder
        Where the emulator of this workspace keeps its state.
    scratch_folders
        Private temporary folders of processes.
    """

    def __init__(self, engine: Engine, folder: Path, user: str) -> None:
        self._engine = engine
        self.folder = private_folder(folder)
        self.user = user
        self.scratch = folder / "scratch"
        self.scratch_folders = ScratchFolders(self.scratch)
        self.emulator_folder = emulator_folder(engine, folder)
        self.locks = Locks(engine, user)
        self.snapshots, self.ledgers, self.spool = open_files(
            engine, folder, _FOLDERS, self.scratch_folders, self.locks
        )
        self.roles = Repository(
            engine, tables.user_roles, UserRole, word="user", advice=advise(Do("roles"), " lists them."), order="id"
        )
        self.sign_ins = Repository(
            engine,
            tables.sign_ins,
            SignInRecord,
            word="sign-in",
            advice=advise("See ", Do("connections"), "."),
            order="signed_in_at",
        )
        self.audit = AuditLog(engine, user, lambda: require(self, Verb.READ_AUDIT))
        self.forgotten = ForgottenHashes(engine)
        self.connections = ConnectionRepository(engine, self._visible)
        self.all_connections = ConnectionRepository(engine)
        self.segments = Repository(
            engine,
            tables.segments,
            SegmentRecord,
            word="segment",
            advice=advise("Make one with ", Do("segment", NAME, FRAME), "; ", Do("segments"), " lists them."),
            displayed=("rows", "tags", "active"),
        )
        self.consent_choices = Repository(
            engine,
            tables.consent_choices,
            ConsentChoiceRecord,
            word="choice of consent columns",
            advice=advise("Make one with ", Do("segment", NAME, FRAME, consent=COLUMN), "."),
            order="source",
        )
        self.insights = Repository(
            engine,
            tables.insights,
            InsightsRecord,
            word="instance of Customer Insights",
            advice=advise("Open one with ", Do("insights", NAME), "."),
        )
        self.counts = Repository(
            engine,
            tables.segment_counts,
            SegmentCount,
            word="count",
            advice=advise("See ", Do("segments"), "."),
            order="counted_at",
        )
        self.versions = Repository(
            engine,
            tables.segment_versions,
            SegmentVersion,
            word="version",
            advice=advise("See ", Do("segments.versions", NAME), "."),
            order="ended_at",
        )
        self.audiences = Repository(
            engine,
            tables.audiences,
            AudienceRecord,
            word="audience",
            advice=advise("See ", Do("status"), " for those we filled."),
            displayed=("segment_name", "members", "normalization"),
        )
        self.pushes = Repository(
            engine, tables.pushes, PushRecord, word="push", advice=advise("See ", Do("status"), "."), order="number"
        )
        self.steps = Repository(
            engine, tables.steps, StepRecord, word="step", advice=advise("See ", Do("status"), "."), order="number"
        )
        self.runs = RunRepository(engine, self.pushes, self.steps, self.locks)
        self.exports = ExportRepository(engine)
        self.export_runs = ExportRunRepository(engine, self.runs, self.locks)
        self.refreshes = refreshes(engine)
        self.settings = settings(engine)
        self.notices = notices(engine)
        self.heartbeats = heartbeats(engine)
        self.snapshots.lost = lost_profiles(self.segments, self.versions)
        self.ledgers.lost = lost_ledger(self.audiences)
        self.spool.lost = lost_spool

    @property
    def store(self) -> Workspace:
        """The workspace itself; see `WorkspaceLike`."""
        return self

    def record(self, *values: AudienceRecord | PushRecord | RunRecord | StepRecord) -> None:
        """Store several values atomically."""
        repositories: dict[type, Repository[Any]] = {
            AudienceRecord: self.audiences,
            PushRecord: self.pushes,
            RunRecord: self.runs,
            StepRecord: self.steps,
        }

        def work(database: SqlConnection) -> None:
            for value in values:
                repositories[type(value)].put_in(database, value)

        self.change(work)

    def change(self, work: Callable[[SqlConnection], T]) -> T:
        """Change several repositories atomically; see `transactions.change`."""
        return change(self._engine, work)

    def compact(self) -> None:
        """Erase deleted data from a database file; a server manages its own files."""
        if self._engine.dialect.name == "sqlite":
            overwrite_deleted(self._engine)

    @property
    def hides_keys_from_viewers(self) -> bool:
        """Whether the database hides keys and hashes from some users, so that counts are stored for them."""
        return roles_are_enforced(self._engine)

    @property
    def may_read_keys(self) -> bool:
        """Whether the database lets the current user read files of keys and hashes."""
        return may_read_files(self._engine)

    def enforce_roles(self) -> Enforced:
        """Make the roles of this workspace database privileges; see `rights.enforce_roles`."""
        require(self, Verb.GIVE_ROLE)
        enforced = enforce_roles(self._engine)
        self.audit.note(Verb.GIVE_ROLE, "database", members=len(enforced.members))
        return enforced

    def _visible(self, connection: Connection) -> Connection | None:
        """Return a connection as the current user may see it, or None if it is not shared with that user."""
        role = role_of(self)
        if role is Role.ADMINISTRATOR:
            return connection
        return connection.without_details() if is_shared_with(connection, self.user, role) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the names of what the workspace contains."""
        return {"connections": self.connections.names(), "segments": self.segments.names(), "runs": len(self.runs)}

    def __repr__(self) -> str:
        return f"Workspace: {self.connections!r}; {self.segments!r}; {pluralize(len(self.runs), 'run')}"


class WorkspaceLike(Protocol):
    """What every public function takes as its workspace: this one, or what `ci_magics.open_workspace` returns."""

    @property
    def store(self) -> Workspace:
        """The database and the private files."""
        ...


@dataclass(frozen=True)
class PermissionFacts:
    """What determines whether hashes may be sent through a connection.

    Parameters
    ----------
    name, environment, shared_with
        Properties of the connection.
    consents
        The kinds of the consents in effect.
    roles
        The roles of the requested users; a viewer has none.
    """

    name: str
    environment: str
    shared_with: tuple[str, ...]
    consents: frozenset[str]
    roles: Mapping[str, Role]


_ADVICE = advise("Make one with ", Do("connect", NAME), "; ", Do("connections"), " lists them.")


def _all(connection: Connection) -> Connection:
    return connection


class ConnectionRepository(Repository[Connection]):
    """Connections with their consents.

    Parameters
    ----------
    engine
        The database.
    visible
        Returns a connection as the current user may see it, or None; by default, all are visible.
    """

    def __init__(self, engine: Engine, visible: Callable[[Connection], Connection | None] = _all) -> None:
        self._visible = visible
        super().__init__(
            engine,
            connections_of(engine),
            Connection,
            word="connection",
            advice=_ADVICE,
        )
        self.consents = Repository(
            engine,
            tables.consents,
            Consent,
            word="consent",
            advice=advise("See ", Do("connections"), "."),
            order="given_at",
        )

    def __getitem__(self, name: str) -> Connection:
        found = self.get(name)
        if found is not None:
            return found
        if name in (not_visible := self._names_of_all() - set(self.names())):
            raise not_shared(name)
        raise (
            nothing_shared() if not_visible and not len(self) else not_found("connection", name, self.names(), _ADVICE)
        )

    def permission_facts(self, identity: str, users: Collection[str]) -> PermissionFacts | None:
        """Read, in one query, what currently determines whether hashes may be sent through a connection.

        Parameters
        ----------
        identity
            The connection's id.
        users
            The users whose roles to return.

        Returns
        -------
        Standing or None
            None if the connection does not exist, or the database hides it from the current user.
        """
        connection, consent, role = self._source, tables.consents, tables.user_roles
        query = (
            select(
                *(connection.c[name] for name in ("name", "environment", "shared_with")),
                *(consent.c[name] for name in ("kind", "withdrawn_at")),
                *(role.c[name] for name in ("id", "role")),
            )
            .select_from(
                connection.outerjoin(consent, consent.c.connection_id == connection.c.id).outerjoin(
                    role, role.c.id.in_(users)
                )
            )
            .where(connection.c.id == identity)
        )
        with read_transaction(self._engine) as database:
            rows = database.execute(query).all()
        if not rows:
            return None
        consents = frozenset(row.kind for row in rows if row.kind and row.withdrawn_at is None)
        roles = {row.id: Role(row.role) for row in rows if row.id}
        return PermissionFacts(rows[0].name, rows[0].environment, tuple(rows[0].shared_with), consents, roles)

    def name_of(self, identity: str) -> str | None:
        """Return the name of a connection, which every user may read, or None if it does not exist."""
        named = select(tables.connections.c.name).where(tables.connections.c.id == identity)
        with read_transaction(self._engine) as database:
            return database.execute(named).scalar()

    def hidden(self) -> frozenset[str]:
        """Return the ids of the connections that the database hides from the current user."""
        with read_transaction(self._engine) as database:
            there = set(database.execute(select(tables.connections.c.id)).scalars())
            return frozenset(there - set(database.execute(select(self._source.c.id)).scalars()))

    def _names_of_all(self) -> set[str]:
        with read_transaction(self._engine) as database:
            return set(database.execute(select(tables.connections.c.name)).scalars())

    def _select(self, **values: Any) -> list[Connection]:
        complete = (
            each.with_consents(tuple(self.consents.where(connection_id=each.id))) for each in super()._select(**values)
        )
        return [visible for each in complete if (visible := self._visible(each)) is not None]

    def _shown(self, value: Connection) -> dict[str, Any]:
        return value.to_dict()

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with one row for each connection; only name and type if some details are hidden."""
        import pandas as pd

        found = list(self)
        if any(each.details_hidden for each in found):
            return pd.DataFrame([(each.name, each.type) for each in found], columns=["name", "type"])
        return super().to_frame()


def open_workspace(location: str | os.PathLike[str] | None = None) -> Workspace:
    """Open a workspace; the same location gives the same object. See `ci_magics.open_workspace`."""
    with _ONE_AT_A_TIME:
        return _open(*_parse_location(location), current_user())


def store_of(workspace: WorkspaceLike | None) -> Workspace:
    """Return the database and the private files of a workspace; those of the default one for None."""
    return open_workspace() if workspace is None else workspace.store


def existing_workspace(location: str | os.PathLike[str] | None = None) -> Workspace | None:
    """Open a workspace only if it already exists with this version's schema, else return None.

    Nothing is created or migrated; otherwise like `open_workspace`.
    """
    url, _folder = _parse_location(location)
    file = file_of(str(location or default_location()))
    if file is not None and not file.is_file():
        return None
    with _translating_errors():
        engine = _engine(make_url(url))
        try:
            ready = is_up_to_date(engine)
        finally:
            engine.dispose()
    return open_workspace(location) if ready else None


def _parse_location(location: str | os.PathLike[str] | None) -> tuple[str | URL, Path | None]:
    """Return the database's URL, and the folder if the location is one."""
    place = str(location or default_location())
    folder = folder_of(place)
    if folder is None and is_in_memory(place):
        raise WorkspaceError(
            "A workspace cannot be in memory: consents and what was sent must outlast the program.",
            "Set CI_MAGICS_WORKSPACE to a folder, which may be a temporary one.",
            code="workspace_in_memory",
        )
    return (place, None) if folder is None else (URL.create("sqlite", database=str(database_in(folder))), folder)


@functools.lru_cache(maxsize=8)
def _open(url: str | URL, folder: Path | None, user: str) -> Workspace:
    if folder is not None:
        private_folder(folder)
    with _translating_errors():
        engine = _engine(make_url(url))
        bring_up_to_date(engine, then=functools.partial(_initialize, user=user))
    workspace = Workspace(engine, folder or folder_beside(engine), user)
    sweep(workspace)
    return workspace


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Translate errors of a database or its driver into ours."""
    try:
        yield
    except (OSError, ValueError, ImportError, SQLAlchemyError) as error:
        raise cannot_open(error) from None


def _engine(url: URL) -> Engine:
    driver = "postgresql+psycopg" if url.drivername in ("postgres", "postgresql") else url.drivername
    engine = create_engine(url.set(drivername=driver), pool_pre_ping=url.get_backend_name() != "sqlite")
    _engines.add(engine)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _share_sqlite)
        _keep_private(engine.url.database or "")
    return engine


def _reset_after_fork() -> None:
    """Give a forked process its own database connections: its parent keeps using the existing ones."""
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.Lock()  # another thread of the parent may hold the old one
    for each in list(_engines):
        each.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def _share_sqlite(connection: Any, _record: object) -> None:
    """Configure a SQLite connection for use by several kernels."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # overwrite deleted data
    cursor.close()


def _keep_private(database: str) -> None:
    if database and not database.startswith((":memory:", "file:")):
        Path(database).touch(mode=0o600)


def _initialize(database: SqlConnection, *, user: str) -> None:
    """Make the user who creates a workspace its administrator, and grant the privileges on its tables."""
    if database.execute(select(tables.user_roles.c.id)).first() is None:
        first = {"id": user, "role": Role.ADMINISTRATOR.value, "given_by": user, "given_at": present()}
        database.execute(insert(tables.user_roles).values(first))
    renew_rights(database)
