"""Store the bytes of a team's files: in chunks in the database, or in a folder that all kernels share."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sqlalchemy import Connection, Engine, Row, delete, exists, insert, select

from ci_magics.clock import present
from ci_magics.errors import AccessError
from ci_magics.workspace.chunks import Chunked, ChunkReader, Writer
from ci_magics.workspace.private_paths import private_folder, writing_privately
from ci_magics.workspace.shared_folder import MARK, SharedFolder, store_unavailable
from ci_magics.workspace.storage_errors import cannot_write, missing
from ci_magics.workspace.tables import file_chunks, file_contents
from ci_magics.workspace.transactions import read_transaction, translating_errors

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: How many chunks to cache, for files that are opened repeatedly to read one part each.
_CACHE_SIZE = 64
_DRAFT = ".part"


class Contents(ABC):
    """Bytes by id, written once and never changed."""

    @abstractmethod
    def writing(self, content_id: str, owner: str = "") -> AbstractContextManager[BinaryIO]:
        """Open a new content for writing; afterwards record its size, checksum, and owner.

        Parameters
        ----------
        content_id
            The id of the new content.
        owner
            The process that writes it; see `locks.Locks.own_files`. Empty if unknown.
        """

    @abstractmethod
    def reading(self, database: Connection, content: Row[Any]) -> AbstractContextManager[BinaryIO]:
        """Open a content for random access.

        Parameters
        ----------
        database
            The connection to read from, with an open transaction.
        content
            The row of `tables.file_contents`.

        Raises
        ------
        WorkspaceError
            It is missing, or its checksum does not match.
        """

    @abstractmethod
    def drop(self, database: Connection, content_id: str) -> Callable[[], None]:
        """Delete the bytes of a content, within the transaction that deletes its row.

        Parameters
        ----------
        database
            The connection with the open transaction.
        content_id
            The id of the content.

        Returns
        -------
        Callable
            What to call after the transaction.
        """

    @abstractmethod
    def drop_strays(self, before: datetime, live: Collection[str] = (), *, dry_run: bool) -> int:
        """Delete bytes that have no row.

        Parameters
        ----------
        before
            Bytes without a known owner are deleted only if written before this time.
        live
            Owners that are alive; their bytes are kept.
        dry_run
            Whether only to count.

        Returns
        -------
        int
            The number of contents.
        """


class DatabaseContents(Contents):
    """Contents in chunks in the database.

    Parameters
    ----------
    engine
        The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._intact: set[str] = set()
        self._cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    @contextmanager
    def writing(self, content_id: str, owner: str = "") -> Iterator[BinaryIO]:
        """Open a new content, which is stored completely or not at all; see `Contents.writing`."""
        with translating_errors(), self._engine.begin() as database:
            file = _ChunkWriter(database, content_id)
            yield file  # type: ignore[misc]  # a raw file is what all who write need
            file.finish()
            _record_content(database, content_id, file.written, file.checksum, owner)

    @contextmanager
    def reading(self, database: Connection, content: Row[Any]) -> Iterator[BinaryIO]:
        """Open a content and check each chunk as it is read; see `Contents.reading`."""
        if content.id not in self._intact:
            query = select(file_chunks.c.checksum).where(file_chunks.c.content_id == content.id)
            checksums = database.execute(query.order_by(file_chunks.c.number)).scalars()
            if hashlib.sha256(b"".join(checksums)).hexdigest() != content.checksum:
                raise missing()
            self._intact.add(content.id)
        yield ChunkReader(content.bytes, lambda number: self._chunk(database, content.id, number))  # type: ignore[misc]

    def drop(self, database: Connection, content_id: str) -> Callable[[], None]:
        """Delete the chunks; see `Contents.drop`."""
        database.execute(delete(file_chunks).where(file_chunks.c.content_id == content_id))
        return _nothing

    def drop_strays(self, before: datetime, live: Collection[str] = (), *, dry_run: bool) -> int:
        """Do nothing: chunks are written and deleted together with their row; see `Contents.drop_strays`."""
        del before, live, dry_run
        return 0

    def _chunk(self, database: Connection, content_id: str, number: int) -> bytes:
        known = self._cache.get((content_id, number))
        if known is not None:
            return known
        query = select(file_chunks.c.checksum, file_chunks.c.content)
        row = database.execute(
            query.where(file_chunks.c.content_id == content_id, file_chunks.c.number == number)
        ).first()
        if row is None or hashlib.sha256(row.content).digest() != row.checksum:
            raise missing()
        self._cache[content_id, number] = content = bytes(row.content)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return content


class FolderContents(Contents):
    """Contents as files in a folder that all kernels share.

    The folder may be temporarily unavailable: then it is waited for. A file is missing only if the available folder
    does not contain it.

    Parameters
    ----------
    engine
        The database with their sizes and checksums.
    root
        The folder; created if missing (mode 0700).
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine = engine
        self._root = private_folder(root)
        self._shared = SharedFolder(root, self._expected_contents)
        self._intact: dict[str, tuple[int, int]] = {}  # size and modification time of the contents that were checked

    @contextmanager
    def writing(self, content_id: str, owner: str = "") -> Iterator[BinaryIO]:
        """Open a new content; see `Contents.writing`. Its file name or its row identifies the writer at any time."""
        draft = self._root / f"{content_id}.{owner}{_DRAFT}"
        self._shared.wait_for()
        try:
            with writing_privately(draft) as file:
                hashing = _HashingWriter(file)
                yield hashing  # type: ignore[misc]  # a raw file is what all who write need
            with translating_errors(), self._engine.begin() as database:
                _record_content(database, content_id, hashing.written, hashing.checksum, owner)
            draft.replace(self._root / content_id)
        except OSError as error:
            _unlink(draft)
            raise (cannot_write(error) if self._shared.is_available() else store_unavailable()) from None
        except BaseException:
            _unlink(draft)
            raise

    @contextmanager
    def reading(self, database: Connection, content: Row[Any]) -> Iterator[BinaryIO]:
        """Open a content, and check it if it has changed since the last check; see `Contents.reading`."""
        del database
        with self._shared.reading(content.id) as file:
            status = file.status()
            if self._intact.get(content.id) != status:
                if hashlib.file_digest(file, "sha256").hexdigest() != content.checksum:
                    raise missing()
                self._intact[content.id] = status
                file.seek(0)
            yield file  # type: ignore[misc]  # a raw file is what all who read need

    def drop(self, database: Connection, content_id: str) -> Callable[[], None]:
        """Delete the file after the transaction; see `Contents.drop`. A file that remains is a stray."""
        del database
        return lambda: _unlink(self._root / content_id)

    def drop_strays(self, before: datetime, live: Collection[str] = (), *, dry_run: bool) -> int:
        """Delete files without a row; see `Contents.drop_strays`."""
        # List the files before the rows: a file created in between then has a visible row.
        names = {each.name for each in os.scandir(self._root)} - {MARK}
        with read_transaction(self._engine) as database:
            names -= set(database.execute(select(file_contents.c.id)).scalars())
        strays = [self._root / name for name in sorted(names) if self._is_stray(name, before, live)]
        for path in [] if dry_run else strays:
            path.unlink(missing_ok=True)
        return len(strays)

    def _is_stray(self, name: str, before: datetime, live: Collection[str]) -> bool:
        owner = name.removesuffix(_DRAFT).partition(".")[2] if name.endswith(_DRAFT) else ""
        if owner:
            return owner not in live
        try:
            return (self._root / name).stat().st_mtime < before.timestamp()
        except FileNotFoundError:
            return False  # it was just renamed

    def _expected_contents(self) -> list[str]:
        """Return some contents that must be in the folder; an impossible name if this user may not read them."""
        in_chunks = exists().where(file_chunks.c.content_id == file_contents.c.id)
        query = select(file_contents.c.id).where(file_contents.c.bytes > 0, ~in_chunks).limit(10)
        try:
            with read_transaction(self._engine) as database:
                return list(database.execute(query).scalars())
        except AccessError:
            return [""]


def _nothing() -> None:
    pass


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _record_content(database: Connection, content_id: str, size: int, checksum: str, owner: str) -> None:
    row = {"id": content_id, "bytes": size, "checksum": checksum, "made_at": present(), "owner": owner}
    database.execute(insert(file_contents).values(row))


class _HashingWriter(Writer):
    """Write data through, and compute its checksum."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._hash.update(view)
        self.written += len(view)
        return len(view)

    @property
    def checksum(self) -> str:
        return self._hash.hexdigest()


class _ChunkWriter(Chunked):
    """Store chunks in the database; the checksum is the hash of the chunks' checksums."""

    def __init__(self, database: Connection, content_id: str) -> None:
        super().__init__(self._store)
        self._database = database
        self._content_id = content_id
        self._number = 0
        self._hash = hashlib.sha256()

    @property
    def checksum(self) -> str:
        return self._hash.hexdigest()

    def _store(self, chunk: memoryview) -> None:
        content = bytes(chunk)
        digest = hashlib.sha256(content).digest()
        self._hash.update(digest)
        row = {"content_id": self._content_id, "number": self._number, "checksum": digest, "content": content}
        self._database.execute(insert(file_chunks).values(row))
        self._number += 1
