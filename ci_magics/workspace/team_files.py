"""Files of a workspace in a server's database: rows map names to contents.

The content is written first, then the row: a crash leaves the earlier file, and at worst a content without a name.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import BinaryIO

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, func, insert, select, update

from ci_magics.clock import present
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.chunks import CHUNK
from ci_magics.workspace.contents import Contents
from ci_magics.workspace.files import Files
from ci_magics.workspace.locks import Locks
from ci_magics.workspace.storage_errors import MISSING, missing
from ci_magics.workspace.tables import file_contents, files
from ci_magics.workspace.transactions import change, read_transaction

_A_DAY = timedelta(days=1)


class TeamFiles(Files):
    """The files of one folder of a workspace that a team shares.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        The name of the folder in the database.
    contents
        Stores the bytes.
    locks
        Detects which writers are alive; if None, writers are not recorded.
    """

    def __init__(self, engine: Engine, folder: str, contents: Contents, locks: Locks | None = None) -> None:
        self._engine = engine
        self._folder = folder
        self._contents = contents
        self._locks = locks
        self.lost = lambda _file_name: missing()

    @contextmanager
    def replacing(self, file_name: str) -> Iterator[BinaryIO]:
        """Write a new content, then give it the name; see `Files.replacing`."""
        content_id, owner = str(uuid.uuid4()), self._owner()
        with self._contents.writing(content_id, owner) as file:
            yield file
        change(self._engine, lambda database: self._name(database, file_name, content_id, owner))()

    @contextmanager
    def reading(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file's current content; see `Files.reading`."""
        query = select(file_contents).join(files).where(self.at(file_name))
        try:
            with read_transaction(self._engine) as database:
                content = database.execute(query).first()
                if content is None:
                    raise missing()
                with self._contents.reading(database, content) as file:
                    yield file
        except WorkspaceError as error:
            raise self.lost(file_name) if error.code == MISSING else error from None

    def is_intact(self, name: str) -> bool:
        """Return whether a table is completely unchanged; see `Files.is_intact`."""
        try:
            with self.reading(f"{name}.parquet") as file:
                while file.read(CHUNK):
                    pass
        except WorkspaceError:
            return False
        return True

    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of files; see `Files.names`."""
        query = select(files.c.name).where(files.c.folder == self._folder).order_by(files.c.name)
        query = query.where(files.c.name.startswith(prefix, autoescape=True))
        if before is not None:
            query = query.where(files.c.written_at < before)
        with read_transaction(self._engine) as database:
            return list(database.execute(query).scalars())

    def delete(self, file_name: str) -> None:
        """Delete a file; see `Files.delete`."""
        change(self._engine, lambda database: self._delete(database, file_name))()

    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Store another folder's table under a name here; see `Files.link`."""
        if not isinstance(origin, TeamFiles):
            raise TypeError("files of a team are linked with files of the team only")
        source_row, owner = origin.at(f"{origin_name}.parquet"), self._owner()
        change(self._engine, lambda database: self._link(database, f"{name}.parquet", source_row, owner))()

    def sweep(self, before: datetime, *, dry_run: bool, at_all: bool = False) -> int:
        """Delete contents without a name; see `Files.sweep`."""
        if not self._may_sweep():
            return 0
        unnamed = ~exists().where(files.c.content_id == file_contents.c.id)
        query = select(file_contents.c.id, file_contents.c.owner, file_contents.c.made_at).where(unnamed)
        with read_transaction(self._engine) as database:
            rows = database.execute(query).all()
        live = self._live({each.owner for each in rows} if at_all else ())
        before = present() + _A_DAY if at_all else before
        found = [each.id for each in rows if (each.owner not in live if each.owner else each.made_at < before)]
        if not dry_run:
            for content_id in found:
                change(self._engine, functools.partial(self._forget, content_id=content_id))()
        return len(found) + self._contents.drop_strays(before, live, dry_run=dry_run)

    def abandoned(self, names: Iterable[str], *, at_all: bool = False) -> list[str]:
        """Return the files written by processes that have ended; see `Files.abandoned`."""
        wanted = set(names)
        if not wanted or not self._may_sweep():
            return []
        query = select(files.c.name, files.c.owner).where(files.c.folder == self._folder)
        with read_transaction(self._engine) as database:
            owners = {name: owner for name, owner in database.execute(query).all() if name in wanted}
        live = self._live(owners.values() if at_all else ())
        return sorted(name for name, owner in owners.items() if (owner not in live if owner else at_all))

    def _owner(self) -> str:
        """Return the name under which this process owns what it writes."""
        return self._locks.own_files() if self._locks else ""

    def _live(self, watched: Collection[str]) -> frozenset[str]:
        return self._locks.live_owners(watched) if self._locks else frozenset()

    def _may_sweep(self) -> bool:
        """Return whether the database lets the current user delete files; viewers may not."""
        if self._engine.dialect.name != "postgresql":
            return True
        with read_transaction(self._engine) as database:
            return bool(database.execute(select(func.has_table_privilege("files", "DELETE"))).scalar())

    def at(self, file_name: str) -> ColumnElement[bool]:
        """Return the condition for the row of a file."""
        return (files.c.folder == self._folder) & (files.c.name == file_name)

    def _name(self, database: Connection, file_name: str, content_id: str, owner: str) -> Callable[[], None]:
        """Assign a content to a name, and delete the earlier content."""
        row = {"content_id": content_id, "written_at": present(), "owner": owner}
        earlier = database.execute(select(files.c.content_id, files.c.generation).where(self.at(file_name))).first()
        if earlier is None:
            new = {"folder": self._folder, "name": file_name, "generation": 1}
            database.execute(insert(files).values(new | row))
            return _nothing
        database.execute(update(files).where(self.at(file_name)).values(row | {"generation": earlier.generation + 1}))
        return self._forget(database, earlier.content_id)

    def _link(
        self, database: Connection, file_name: str, source_row: ColumnElement[bool], owner: str
    ) -> Callable[[], None]:
        content_id = database.execute(select(files.c.content_id).where(source_row)).scalar()
        if content_id is None:
            raise missing()
        return self._name(database, file_name, content_id, owner)

    def _delete(self, database: Connection, file_name: str) -> Callable[[], None]:
        content_id = database.execute(select(files.c.content_id).where(self.at(file_name))).scalar()
        if content_id is None:
            return _nothing
        if not database.execute(delete(files).where(self.at(file_name))).rowcount:
            return _nothing  # the database does not let the current user delete it
        return self._forget(database, content_id)

    def _forget(self, database: Connection, content_id: str) -> Callable[[], None]:
        """Delete a content that no name refers to."""
        unused = ~exists().where(files.c.content_id == content_id)
        if database.execute(delete(file_contents).where(file_contents.c.id == content_id, unused)).rowcount:
            return self._contents.drop(database, content_id)
        return _nothing


def _nothing() -> None:
    pass
