"""Files of the workspace: private to their owner, replaced as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.checksums import (
    Checksum,
    Checksums,
    ChecksumWriter,
    DamagedError,
    checksum_of,
    fitting,
    is_whole,
    reader,
)
from ci_magics.workspace.storage_errors import told_of_file

if TYPE_CHECKING:
    from ci_magics.workspace.scratch_folders import ScratchFolders

#: The code of the error for a file that is missing or damaged, of which nothing else is known.
MISSING = "file_missing"
#: How often a file is opened that is replaced at the same moment.
_TRIES = 5

Bytes = npt.NDArray[np.uint8]


class Files(ABC):
    """Arrow tables, and lists of bytes, by name, wherever they are kept.

    Attributes
    ----------
    lost
        Returns the error for a file that is missing or damaged: what it held, and the way back.
    """

    lost: Callable[[str], WorkspaceError]

    @abstractmethod
    def replacing(self, file_name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file to be written; it takes the place of the earlier one when all went well.

        Raises
        ------
        WorkspaceError
            It cannot be written.
        """

    @abstractmethod
    def reading(self, file_name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file to be read anywhere in it; what replaces it meanwhile is not seen.

        Raises
        ------
        WorkspaceError
            It is missing or damaged.
        """

    @abstractmethod
    def is_whole(self, name: str) -> bool:
        """Tell whether a table is there, and all of it is as it was written."""

    @abstractmethod
    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of the files that begin so, of those only that were written before a moment."""

    @abstractmethod
    def delete(self, file_name: str) -> None:
        """Delete a file; nothing happens when it is not there."""

    @abstractmethod
    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Keep another folder's table under a name here, whatever becomes of it there.

        Tables are only ever replaced, never changed in place, so that a link is as good as a copy.

        Raises
        ------
        WorkspaceError
            The table is missing.
        """

    def sweep(self, before: datetime, *, dry_run: bool, at_all: bool = False) -> int:
        """Remove what processes that have ended left behind and that has no name.

        Parameters
        ----------
        before
            Of what nobody knows who wrote it, only what was written before this moment.
        dry_run
            Only count it.
        at_all
            Also what nobody knows who wrote it, however young it is; and watch whether writers live that may not.

        Returns
        -------
        int
            How many files, of all folders kept together.
        """
        del before, dry_run, at_all
        return 0

    def abandoned(self, names: Iterable[str], *, at_all: bool = False) -> list[str]:
        """Return those files that were written by processes which have ended.

        Parameters
        ----------
        names
            The files to choose from.
        at_all
            See `sweep`; where files have always had owners it changes nothing.
        """
        del names, at_all
        return []

    def write(self, name: str, table: pa.Table) -> None:
        """Replace a table; a crash leaves the old one or the new one, never a part.

        Raises
        ------
        WorkspaceError
            It cannot be written.
        """
        self.write_parts(name, table.schema, [table])

    def write_parts(self, name: str, schema: pa.Schema, parts: Iterable[pa.Table | pa.RecordBatch]) -> None:
        """Replace a table by one that comes part by part, each its own row group; see `write`."""
        # Hashes do not compress and hardly ever repeat; words do.
        words = [each.name for each in schema if pa.types.is_dictionary(each.type)]
        with (
            self.replacing(_table_file(name)) as file,
            pq.ParquetWriter(file, schema, compression="none", use_dictionary=words, write_statistics=False) as writer,
        ):
            for part in parts:
                table = part if isinstance(part, pa.Table) else pa.Table.from_batches([part])
                writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def write_bytes(self, file_name: str, parts: Iterable[memoryview]) -> None:
        """Replace a file by bytes that come part by part; see `write`."""
        with self.replacing(file_name) as file:
            for part in filter(len, parts):
                file.write(part)

    def read_bytes(self, file_name: str, start: int, count: int) -> Bytes:
        """Return so many bytes from a position; fewer where the file ends."""
        found = np.empty(count, np.uint8)
        with self.reading(file_name) as file:
            file.seek(start)
            return found[: file.readinto(found.data)]  # type: ignore[attr-defined]  # typeshed gives it to buffered files only

    def read(self, name: str) -> pa.Table:
        """Return a table.

        Raises
        ------
        WorkspaceError
            It is missing or damaged.
        """
        with self.opened(name) as file:
            return file.read()

    def rows(self, name: str) -> int:
        """Return how many rows a table has; see `read`."""
        with self.opened(name) as file:
            return int(file.metadata.num_rows)

    def schema(self, name: str) -> pa.Schema:
        """Return a table's columns; see `read`."""
        with self.opened(name) as file:
            return file.schema_arrow

    def columns(self, name: str) -> list[str]:
        """Return the names of a table's columns; see `read`."""
        return list(self.schema(name).names)

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return some columns of a table, batch by batch; see `read`."""
        with self.opened(name) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, list(columns)).to_batches()

    @contextmanager
    def opened(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a table to read its row groups one by one; see `read`."""
        try:
            with self.reading(_table_file(name)) as source, pq.ParquetFile(source) as file:
                yield file
        except (OSError, pa.ArrowException):
            raise self.lost(_table_file(name)) from None

    def remove_all(self, prefix: str) -> None:
        """Delete all files whose names begin so."""
        for name in self.names(prefix):
            self.delete(name)

    def exists(self, name: str) -> bool:
        """Tell whether a table is there."""
        return _table_file(name) in self.names(_table_file(name))

    def remove(self, name: str) -> None:
        """Delete a table; nothing happens when it is not there."""
        self.delete(_table_file(name))


class PrivateFiles(Files):
    """Files in a folder that only its owner can read.

    Parameters
    ----------
    root
        The folder; made when it is missing (mode 0700).
    checksums
        Those of the folder's files; they are not checked unless given.
    rooms
        Where drafts are until they are whole; beside the files unless given.
    """

    def __init__(self, root: Path, checksums: Checksums | None = None, rooms: ScratchFolders | None = None) -> None:
        self.root = root
        self.checksums = checksums
        self._rooms = rooms
        self.lost = lambda _file_name: missing()
        private_folder(root)

    @contextmanager
    def replacing(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file to be written elsewhere before it takes the place of the earlier one; see `Files.replacing`."""
        draft = (self._rooms.folder() if self._rooms else self.root) / f".{file_name}-{uuid.uuid4().hex}.part"
        try:
            if self.checksums is None:
                with writing_privately(draft) as file:
                    yield file
                draft.replace(self.root / file_name)
            else:
                with writing_privately(draft) as file:
                    summing = self._summing(file)
                    yield summing  # type: ignore[misc]  # a raw file is what all who write need
                    checksum = summing.checksum()
                self.checksums.expect(file_name, checksum)

                def put() -> None:
                    if draft.exists():  # else the database had to be asked twice
                        draft.replace(self.root / file_name)

                self.checksums.settle(file_name, checksum, put, self._rooms.lives if self._rooms else bool)
        except OSError as error:
            raise cannot_be_written(error) from None
        finally:
            with suppress(OSError):  # a disk that takes nothing may not let it go either
                draft.unlink(missing_ok=True)

    @contextmanager
    def reading(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file to be read, each part of which is checked when it is read; see `Files.reading`."""
        try:
            file, checksum = self._open(file_name)
            with file:
                yield file if checksum is None else reader(file, checksum)
        except DamagedError:
            raise self.lost(file_name) from None

    def is_whole(self, name: str) -> bool:
        """Tell whether a table is as it was written; see `Files.is_whole`."""
        try:
            file, checksum = self._open(_table_file(name))
            with file:
                return checksum is None or is_whole(file, checksum)
        except (DamagedError, WorkspaceError):
            return False

    def abandoned(self, names: Iterable[str], *, at_all: bool = False) -> list[str]:
        """Return those files that were written by processes which have ended; see `Files.abandoned`."""
        del at_all
        wanted = list(names)
        if self.checksums is None or self._rooms is None or not wanted:
            return []
        owners = self.checksums.owners()
        lives = {each: self._rooms.lives(each) for found in owners.values() for each in found if each}
        return [name for name in wanted if (known := owners.get(name)) and not any(lives.get(each) for each in known)]

    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of the files that begin so; see `Files.names`."""
        found = [entry for entry in os.scandir(self.root) if entry.name.startswith(prefix) and entry.is_file()]
        return sorted(
            entry.name for entry in found if before is None or _written(entry.stat(follow_symlinks=False)) < before
        )

    def delete(self, file_name: str) -> None:
        """Delete a file; see `Files.delete`."""
        try:
            (self.root / file_name).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_be_written(error) from None
        if self.checksums is not None:
            self.checksums.forget(file_name)

    def exists(self, name: str) -> bool:
        """Tell whether a table is there."""
        return (self.root / _table_file(name)).exists()

    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Keep another folder's table under a name here; see `Files.link`."""
        if not isinstance(origin, PrivateFiles):
            raise TypeError("a folder is linked with a folder only")
        target = self.root / _table_file(name)
        self.delete(_table_file(name))
        if self.checksums is not None and origin.checksums is not None:
            owner = self._rooms.owner if self._rooms else ""
            self.checksums.copy(_table_file(name), origin.checksums, _table_file(origin_name), owner)
        try:
            target.hardlink_to(origin.root / _table_file(origin_name))
        except FileNotFoundError:
            raise origin.lost(_table_file(origin_name)) from None
        except OSError:
            self.write(name, origin.read(origin_name))  # a file system without links

    def _summing(self, file: BinaryIO) -> ChecksumWriter:
        return ChecksumWriter(file, self._rooms.owner if self._rooms else "")

    def _open(self, file_name: str) -> tuple[BinaryIO, Checksum | None]:
        """Open a file, and find the checksum that it was written with; one of an earlier version gets one now.

        Raises
        ------
        DamagedError
            It has none of those that are known.
        """
        for _ in range(_TRIES):
            known = self.checksums.of(file_name) if self.checksums else []
            file = self._opened(file_name)
            if self.checksums is None:
                return file, None
            found = fitting(file, known)
            if not known:
                found = checksum_of(file)
                self.checksums.expect(file_name, found)
            if found is not None:
                return file, found
            file.close()
            if {each.version for each in self.checksums.of(file_name)} == {each.version for each in known}:
                break  # else it was replaced between the look at its checksum and its opening
        raise DamagedError

    def _opened(self, file_name: str) -> BinaryIO:
        try:
            return (self.root / file_name).open("rb", buffering=0)
        except OSError:
            raise self.lost(file_name) from None


@contextmanager
def writing_privately(path: Path) -> Iterator[BinaryIO]:
    """Write a new file that only its owner can read, and see that it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def missing() -> WorkspaceError:
    """Return the error for a file that cannot be read."""
    return WorkspaceError("A file of the workspace is missing or damaged.", "Make the segment again.", code=MISSING)


def cannot_be_written(error: OSError) -> WorkspaceError:
    """Return the error for a file that cannot be written."""
    why, step = told_of_file(error)
    return WorkspaceError(f"A file of the workspace cannot be written: {why}.", step, code=error.strerror)


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter, and return it.

    Raises
    ------
    WorkspaceError
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        why, step = told_of_file(error)
        raise WorkspaceError(f"The workspace's folder cannot be made: {why}.", step, code=error.strerror) from None
    return path


def _table_file(name: str) -> str:
    return f"{name}.parquet"


def _written(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
