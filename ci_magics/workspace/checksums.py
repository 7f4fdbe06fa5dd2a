"""Checksums of private files, so that a damaged or truncated one is noticed before anything is sent from it.

A file has a checksum for each of its chunks, which is written down before the file gets its name. Each chunk is checked
whenever it is read. CRC-32 finds every flipped byte and every damage of up to 32 bits in a row, and costs next to
nothing; it is no protection against somebody who may write to the workspace, who could change the checksum too.
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
from ci_magics.workspace.transactions import at_one_moment, change

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class Checksum:
    """What a file must look like.

    Parameters
    ----------
    version
        Which writing of the file it belongs to.
    size
        In bytes.
    chunks
        CRC-32 of each chunk, four bytes each.
    owner
        The process that wrote it; see `rooms`.
    """

    version: str
    size: int
    chunks: bytes
    owner: str

    def fits(self, number: int, chunk: memoryview) -> bool:
        """Tell whether a chunk is as it was written."""
        return isal_zlib.crc32(chunk) == int.from_bytes(self.chunks[4 * number : 4 * number + 4], "little")


class DamagedError(Exception):
    """A file is not as it was written."""


class ChecksumWriter(Writer):
    """Write to a file, and compute the checksum of each chunk on the way.

    What is written goes to the file as it comes, without being copied into chunks first: only the checksums are cut at
    the ends of chunks.

    Parameters
    ----------
    file
        Where it goes.
    owner
        Who writes it.
    """

    def __init__(self, file: BinaryIO, owner: str) -> None:
        super().__init__()
        self._file = file
        self._owner = owner
        self._sums: list[int] = []

    def write(self, data: ReadableBuffer) -> int:
        """Write some bytes."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        size = len(view)
        while len(view):
            inside = self.written % CHUNK
            part = view[: CHUNK - inside]
            if inside:
                self._sums[-1] = isal_zlib.crc32(part, self._sums[-1])
            else:
                self._sums.append(isal_zlib.crc32(part))
            self.written += len(part)
            view = view[len(part) :]
        return size

    def checksum(self) -> Checksum:
        """Return the checksum of the whole file; nothing more may be written."""
        return Checksum(uuid.uuid4().hex, self.written, np.array(self._sums, "<u4").tobytes(), self._owner)


class Checksums:
    """The checksums of one folder's files.

    While a file is replaced it has two, the later one pending: the file fits one of them at
    every moment, even if a process is killed or another one replaces the file at the same time.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        What the folder is called there.
    """

    def __init__(self, engine: Engine, folder: str) -> None:
        self._engine = engine
        self._folder = folder

    def expect(self, file_name: str, checksum: Checksum) -> None:
        """Write down what a file will look like in a moment."""
        change(self._engine, lambda database: self._insert(database, file_name, checksum, settled=False))

    def settle(
        self, file_name: str, checksum: Checksum, put: Callable[[], object], lives: Callable[[str], bool]
    ) -> None:
        """Put a file in its place while nobody else does, and forget what the earlier one looked like.

        Parameters
        ----------
        put
            Puts it there; may be called twice.
        lives
            Tells whether a process still runs; what another living one is about to put there stays expected.
        """

        def work(database: Connection) -> None:
            mine = self._at(file_name) & (table.c.version == checksum.version)
            if not database.execute(update(table).where(mine).values(settled=True)).rowcount:
                self._insert(database, file_name, checksum, settled=True)
            put()
            others = self._at(file_name) & (table.c.version != checksum.version)
            for row in database.execute(select(table.c.version, table.c.owner, table.c.settled).where(others)).all():
                if row.settled or not lives(row.owner):
                    database.execute(delete(table).where(self._at(file_name), table.c.version == row.version))

        change(self._engine, work)

    def of(self, file_name: str) -> list[Checksum]:
        """Return what a file may look like: nothing is known of one that an earlier version wrote."""
        with at_one_moment(self._engine) as database:
            rows = database.execute(select(table).where(self._at(file_name))).all()
        return [_checksum(each) for each in rows]

    def forget(self, file_name: str) -> None:
        """Forget a file that was deleted."""
        change(self._engine, lambda database: database.execute(delete(table).where(self._at(file_name))))

    def copy(self, file_name: str, origin: Checksums, origin_name: str, owner: str) -> None:
        """Let a file look like one of another folder."""

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
        """Return for each file the processes that wrote it."""
        query = select(table.c.name, table.c.owner).where(table.c.folder == self._folder)
        found: dict[str, set[str]] = {}
        with at_one_moment(self._engine) as database:
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
    """Return the checksum of a file as it is now; nobody has written it down before."""
    sums = []
    size = 0
    while chunk := file.read(CHUNK):
        sums.append(isal_zlib.crc32(chunk))
        size += len(chunk)
    return Checksum(uuid.uuid4().hex, size, np.array(sums, "<u4").tobytes(), "")


def fitting(file: BinaryIO, known: list[Checksum]) -> Checksum | None:
    """Return the checksum that a file was written with, judged by its size, its first chunk and its last."""
    size = os.fstat(file.fileno()).st_size
    for checksum in known:
        last = max(len(checksum.chunks) // 4 - 1, 0)
        if checksum.size == size and all(
            not size or checksum.fits(number, _chunk(file, number)) for number in {0, last}
        ):
            return checksum
    return None


def reader(file: BinaryIO, checksum: Checksum) -> BinaryIO:
    """Return a file, each chunk of which is checked when it is read; `DamagedError` says that one is damaged."""
    last: tuple[int, memoryview] = (-1, memoryview(b""))

    def chunk(number: int) -> memoryview:
        nonlocal last
        if last[0] != number:
            found = _chunk(file, number)
            if not checksum.fits(number, found):
                raise DamagedError
            last = (number, found)
        return last[1]

    return ChunkReader(checksum.size, chunk)  # type: ignore[return-value]  # raw is what all who read need


def is_whole(file: BinaryIO, checksum: Checksum) -> bool:
    """Tell whether every chunk of a file is as it was written."""
    return all(checksum.fits(number, _chunk(file, number)) for number in range(len(checksum.chunks) // 4))


def _chunk(file: BinaryIO, number: int) -> memoryview:
    file.seek(number * CHUNK)
    return memoryview(file.read(CHUNK))
