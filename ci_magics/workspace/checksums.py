"""Checksums of private files, to detect damaged or truncated ones before anything is sent from them.

A file has a checksum for each chunk, stored before the file gets its name. Each chunk is checked whenever it is read.
CRC-32 detects every flipped bit and any burst of damage up to 32 bits, at almost no cost. It does not protect against
attackers with write access to the workspace, who could change the checksum too.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from isal import isal_zlib
from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, insert, select, update

from ci_magics.clock import present
from ci_magics.workspace.chunks import CHUNK, ChunkReader, Writer
from ci_magics.workspace.tables import file_checksums as table
from ci_magics.workspace.transactions import change, read_transaction

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class Checksum:
    """The expected content of a file.

    Parameters
    ----------
    version
        Identifies one writing of the file.
    size
        In bytes.
    chunks
        CRC-32 of each chunk, four little-endian bytes each.
    owner
        The process that wrote it; see `scratch_folders`.
    """

    version: str
    size: int
    chunks: bytes
    owner: str

    def matches(self, number: int, chunk: memoryview) -> bool:
        """Return whether a chunk is unchanged.

        Parameters
        ----------
        number
            The position of the chunk, from 0.
        chunk
            Its bytes.
        """
        return isal_zlib.crc32(chunk) == int.from_bytes(self.chunks[4 * number : 4 * number + 4], "little")


class DamagedError(Exception):
    """A file does not match its checksum."""


class ChecksumWriter(Writer):
    """Write to a file and compute the checksum of each chunk.

    Data goes straight to the file, without being copied into chunks; only the checksums are split at chunk boundaries.

    Parameters
    ----------
    file
        The file to write to.
    owner
        The process that writes.
    """

    def __init__(self, file: BinaryIO, owner: str) -> None:
        super().__init__()
        self._file = file
        self._owner = owner
        self._checksums: list[int] = []

    def write(self, data: ReadableBuffer) -> int:
        """Write data."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        size = len(view)
        while len(view):
            inside = self.written % CHUNK
            part = view[: CHUNK - inside]
            # Extend the checksum of the current chunk, or start the next one.
            if inside:
                self._checksums[-1] = isal_zlib.crc32(part, self._checksums[-1])
            else:
                self._checksums.append(isal_zlib.crc32(part))
            self.written += len(part)
            view = view[len(part) :]
        return size

    def checksum(self) -> Checksum:
        """Return the checksum of the whole file; nothing may be written after that."""
        return Checksum(uuid.uuid4().hex, self.written, np.array(self._checksums, "<u4").tobytes(), self._owner)


class Checksums:
    """The checksums of one folder's files.

    While a file is being replaced it has two, the new one pending. So the file always matches one of them, even if a
    process is killed or another one replaces the file at the same time.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        The name of the folder in the database.
    """

    def __init__(self, engine: Engine, folder: str) -> None:
        self._engine = engine
        self._folder = folder

    def expect(self, file_name: str, checksum: Checksum) -> None:
        """Store the checksum of a file that is about to be put in place.

        Parameters
        ----------
        file_name
            The name of the file.
        checksum
            The checksum of the new content.
        """
        change(self._engine, lambda database: self._insert(database, file_name, checksum, settled=False))

    def commit(
        self, file_name: str, checksum: Checksum, put: Callable[[], object], is_alive: Callable[[str], bool]
    ) -> None:
        """Put a file in place, in a transaction that excludes other writers, and delete earlier checksums.

        Parameters
        ----------
        file_name
            The name of the file.
        checksum
            The checksum of the new content.
        put
            Puts the file in place; may be called twice.
        is_alive
            Returns whether a process is still running. Pending checksums of other live processes are kept.
        """

        def work(database: Connection) -> None:
            # A crash between the move and the commit is harmless: the checksum is already stored as pending.
            mine = self._at(file_name) & (table.c.version == checksum.version)
            if not database.execute(update(table).where(mine).values(settled=True)).rowcount:
                self._insert(database, file_name, checksum, settled=True)
            put()
            others = self._at(file_name) & (table.c.version != checksum.version)
            for row in database.execute(select(table.c.version, table.c.owner, table.c.settled).where(others)).all():
                if row.settled or not is_alive(row.owner):
                    database.execute(delete(table).where(self._at(file_name), table.c.version == row.version))

        change(self._engine, work)

    def of(self, file_name: str) -> list[Checksum]:
        """Return the checksums that a file may match; none if an earlier version wrote it."""
        with read_transaction(self._engine) as database:
            rows = database.execute(select(table).where(self._at(file_name))).all()
        return [_checksum(each) for each in rows]

    def forget(self, file_name: str) -> None:
        """Delete the checksums of a deleted file."""
        change(self._engine, lambda database: database.execute(delete(table).where(self._at(file_name))))

    def copy(self, file_name: str, origin: Checksums, origin_name: str, owner: str) -> None:
        """Copy the checksums of a file in another folder.

        Parameters
        ----------
        file_name
            The name of the file in this folder.
        origin
            The checksums of the other folder.
        origin_name
            The name of the file there.
        owner
            The process that owns the new file.
        """

        def work(database: Connection) -> None:
            database.execute(delete(table).where(self._at(file_name)))
            query = select(table).where(origin._at(origin_name))
            for row in database.execute(query).all():
                known = _checksum(row)
                self._insert(
                    database, file_name, Checksum(known.version, known.size, known.chunks, owner), settled=row.settled
                )

        change(self._engine, work)

    def owners(self) -> dict[str, set[str]]:
        """Return the processes that wrote each file, by file name."""
        query = select(table.c.name, table.c.owner).where(table.c.folder == self._folder)
        found: dict[str, set[str]] = {}
        with read_transaction(self._engine) as database:
            for name, owner in database.execute(query).all():
                found.setdefault(name, set()).add(owner)
        return found

    def _at(self, file_name: str) -> ColumnElement[bool]:
        return (table.c.folder == self._folder) & (table.c.name == file_name)

    def _insert(self, database: Connection, file_name: str, checksum: Checksum, *, settled: bool) -> None:
        row = {
            "folder": self._folder,
            "name": file_name,
            "version": checksum.version,
            "bytes": checksum.size,
            "chunks": checksum.chunks,
            "owner": checksum.owner,
            "settled": settled,
            "written_at": present(),
        }
        database.execute(insert(table).values(row))


def _checksum(row: Row[Any]) -> Checksum:
    return Checksum(row.version, row.bytes, bytes(row.chunks), row.owner)


def checksum_of(file: BinaryIO) -> Checksum:
    """Return the checksum of a file's current content, for a file that has none yet."""
    sums = []
    size = 0
    while chunk := file.read(CHUNK):
        sums.append(isal_zlib.crc32(chunk))
        size += len(chunk)
    return Checksum(uuid.uuid4().hex, size, np.array(sums, "<u4").tobytes(), "")


def matching_checksum(file: BinaryIO, known: list[Checksum]) -> Checksum | None:
    """Return the checksum that matches a file by size, first chunk, and last chunk, or None.

    Parameters
    ----------
    file
        The open file.
    known
        The checksums that the file may match.
    """
    size = os.fstat(file.fileno()).st_size
    for checksum in known:
        last = max(len(checksum.chunks) // 4 - 1, 0)
        if checksum.size == size and all(
            not size or checksum.matches(number, _chunk(file, number)) for number in {0, last}
        ):
            return checksum
    return None


def reader(file: BinaryIO, checksum: Checksum) -> BinaryIO:
    """Return a reader that checks each chunk; it raises `DamagedError` for a damaged one.

    Parameters
    ----------
    file
        The open file.
    checksum
        The checksum that it must match.
    """
    last: tuple[int, memoryview] = (-1, memoryview(b""))

    def chunk(number: int) -> memoryview:
        nonlocal last
        if last[0] != number:
            found = _chunk(file, number)
            if not checksum.matches(number, found):
                raise DamagedError
            last = (number, found)
        return last[1]

    return ChunkReader(checksum.size, chunk)  # type: ignore[return-value]  # all readers accept a raw file


def is_intact(file: BinaryIO, checksum: Checksum) -> bool:
    """Return whether every chunk of a file is unchanged.

    Parameters
    ----------
    file
        The open file.
    checksum
        The checksum that it must match.
    """
    return all(checksum.matches(number, _chunk(file, number)) for number in range(len(checksum.chunks) // 4))


def _chunk(file: BinaryIO, number: int) -> memoryview:
    file.seek(number * CHUNK)
    return memoryview(file.read(CHUNK))
