"""Files of the workspace: private to their owner, and replaced atomically."""

from __future__ import annotations

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

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
    is_intact,
    matching_checksum,
    reader,
)
from ci_magics.workspace.private_paths import private_folder, writing_privately
from ci_magics.workspace.scratch_folders import ScratchFolders
from ci_magics.workspace.storage_errors import cannot_write, missing

#: Maximum attempts to open a file that is being replaced.
_TRIES = 5

Bytes = npt.NDArray[np.uint8]


class Files(ABC):
    """Arrow tables and byte sequences, by name, independent of where they are stored.

    Attributes
    ----------
    lost
        Returns the error for a missing or damaged file: what it contained, and how to restore it.
    """

    lost: Callable[[str], WorkspaceError]

    @abstractmethod
    def replacing(self, file_name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for writing; it replaces the existing one if the block succeeds.

        Raises
        ------
        WorkspaceError
            It cannot be written.
        """

    @abstractmethod
    def reading(self, file_name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for random access; a concurrent replacement is not visible.

        Raises
        ------
        WorkspaceError
            It is missing or damaged.
        """

    @abstractmethod
    def is_intact(self, name: str) -> bool:
        """Return whether a table exists and is completely unchanged."""

    @abstractmethod
    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of files.

        Parameters
        ----------
        prefix
            How the names begin; all by default.
        before
            Only files written before this time.
        """

    @abstractmethod
    def delete(self, file_name: str) -> None:
        """Delete a file if it exists."""

    @abstractmethod
    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Store another folder's table under a name here, independent of later changes there.

        Tables are only replaced, never changed in place, so a link is as good as a copy.

        Parameters
        ----------
        name
            The name here.
        origin
            The files of the other folder.
        origin_name
            The name of the table there.

        Raises
        ------
        WorkspaceError
            The table is missing.
        """

    def sweep(self, before: datetime, *, dry_run: bool, at_all: bool = False) -> int:
        """Delete unnamed content that ended processes left behind.

        Parameters
        ----------
        before
            Content without a known writer is deleted only if written before this time.
        dry_run
            Whether only to count.
        at_all
            Also delete content without a known writer regardless of age, and watch whether doubtful writers are alive.

        Returns
        -------
        int
            The number of contents, over all folders together.
        """
        del before, dry_run, at_all
        return 0

    def abandoned(self, names: Iterable[str], *, at_all: bool = False) -> list[str]:
        """Return the files written by processes that have ended.

        Parameters
        ----------
        names
            The files to choose from.
        at_all
            See `sweep`; no effect if files have always had owners.
        """
        del names, at_all
        return []

    def write(self, name: str, table: pa.Table) -> None:
        """Replace a table atomically: a crash leaves the old or the new one.

        Parameters
        ----------
        name
            The name of the table.
        table
            The new content.

        Raises
        ------
        WorkspaceError
            It cannot be written.
        """
        self.write_parts(name, table.schema, [table])

    def write_parts(self, name: str, schema: pa.Schema, parts: Iterable[pa.Table | pa.RecordBatch]) -> None:
        """Replace a table by one that arrives in parts; raises the errors of `write`.

        Parameters
        ----------
        name
            The name of the table.
        schema
            The columns of all parts.
        parts
            The parts; each becomes a row group.
        """
        # Hashes are incompressible and rarely repeat; only dictionary columns gain from encoding.
        words = [each.name for each in schema if pa.types.is_dictionary(each.type)]
        with (
            self.replacing(_table_file(name)) as file,
            pq.ParquetWriter(file, schema, compression="none", use_dictionary=words, write_statistics=False) as writer,
        ):
            for part in parts:
                table = part if isinstance(part, pa.Table) else pa.Table.from_batches([part])
                writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def write_bytes(self, file_name: str, parts: Iterable[memoryview]) -> None:
        """Replace a file by bytes that arrive in parts; raises the errors of `write`.

        Parameters
        ----------
        file_name
            The name of the file.
        parts
            The parts in order.
        """
        with self.replacing(file_name) as file:
            for part in filter(len, parts):
                file.write(part)

    def read_bytes(self, file_name: str, start: int, count: int) -> Bytes:
        """Return bytes of a file; fewer than requested at its end.

        Parameters
        ----------
        file_name
            The name of the file.
        start
            The position of the first byte.
        count
            How many bytes to read.
        """
        owners_of_file = np.empty(count, np.uint8)
        with self.reading(file_name) as file:
            file.seek(start)
            return owners_of_file[: file.readinto(owners_of_file.data)]  # type: ignore[attr-defined]  # typeshed gives it to buffered files only

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
        """Return the number of rows of a table; raises the errors of `read`."""
        with self.opened(name) as file:
            return int(file.metadata.num_rows)

    def schema(self, name: str) -> pa.Schema:
        """Return the schema of a table; raises the errors of `read`."""
        with self.opened(name) as file:
            return file.schema_arrow

    def columns(self, name: str) -> list[str]:
        """Return the column names of a table; raises the errors of `read`."""
        return list(self.schema(name).names)

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield a table in batches; raises the errors of `read`.

        Parameters
        ----------
        name
            The name of the table.
        columns
            The columns to read.
        """
        with self.opened(name) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, list(columns)).to_batches()

    @contextmanager
    def opened(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a table to read its row groups one by one; raises the errors of `read`."""
        try:
            with self.reading(_table_file(name)) as source, pq.ParquetFile(source) as file:
                yield file
        except (OSError, pa.ArrowException):
            raise self.lost(_table_file(name)) from None

    def remove_all(self, prefix: str) -> None:
        """Delete all files whose names start with a prefix."""
        for name in self.names(prefix):
            self.delete(name)

    def exists(self, name: str) -> bool:
        """Return whether a table exists."""
        return _table_file(name) in self.names(_table_file(name))

    def remove(self, name: str) -> None:
        """Delete a table if it exists."""
        self.delete(_table_file(name))


class PrivateFiles(Files):
    """Files in a folder that only its owner can read.

    Parameters
    ----------
    root
        The folder; created if missing (mode 0700).
    checksums
        The checksums of the folder's files; None disables checking.
    scratch_folders
        Where to write drafts; next to the files if None.
    """

    def __init__(
        self, root: Path, checksums: Checksums | None = None, scratch_folders: ScratchFolders | None = None
    ) -> None:
        self.root = root
        self.checksums = checksums
        self._rooms = scratch_folders
        self.lost = lambda _file_name: missing()
        private_folder(root)

    @contextmanager
    def replacing(self, file_name: str) -> Iterator[BinaryIO]:
        """Write a draft elsewhere, then move it over the existing file; see `Files.replacing`."""
        draft = (self._rooms.folder() if self._rooms else self.root) / f".{file_name}-{uuid.uuid4().hex}.part"
        try:
            if self.checksums is None:
                with writing_privately(draft) as file:
                    yield file
                draft.replace(self.root / file_name)
            else:
                with writing_privately(draft) as file:
                    writer = self._checksum_writer(file)
                    yield writer  # type: ignore[misc]  # all writers accept a raw file
                    checksum = writer.checksum()
                self.checksums.expect(file_name, checksum)

                def put() -> None:
                    if draft.exists():  # the transaction may be retried after the move
                        draft.replace(self.root / file_name)

                self.checksums.commit(file_name, checksum, put, self._rooms.is_alive if self._rooms else bool)
        except OSError as error:
            raise cannot_write(error) from None
        finally:
            with suppress(OSError):  # a full or read-only disk may refuse deletions too
                draft.unlink(missing_ok=True)

    @contextmanager
    def reading(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file and check each chunk as it is read; see `Files.reading`."""
        try:
            file, checksum = self._open(file_name)
            with file:
                yield file if checksum is None else reader(file, checksum)
        except DamagedError:
            raise self.lost(file_name) from None

    def is_intact(self, name: str) -> bool:
        """Return whether a table is completely unchanged; see `Files.is_intact`."""
        try:
            file, checksum = self._open(_table_file(name))
            with file:
                return checksum is None or is_intact(file, checksum)
        except (DamagedError, WorkspaceError):
            return False

    def abandoned(self, names: Iterable[str], *, at_all: bool = False) -> list[str]:
        """Return the files written by processes that have ended; see `Files.abandoned`."""
        del at_all
        wanted = list(names)
        if self.checksums is None or self._rooms is None or not wanted:
            return []
        owners = self.checksums.owners()
        is_alive = {
            each: self._rooms.is_alive(each) for owners_of_file in owners.values() for each in owners_of_file if each
        }
        return [
            name for name in wanted if (known := owners.get(name)) and not any(is_alive.get(each) for each in known)
        ]

    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of files; see `Files.names`."""
        owners_of_file = [entry for entry in os.scandir(self.root) if entry.name.startswith(prefix) and entry.is_file()]
        return sorted(
            entry.name
            for entry in owners_of_file
            if before is None or _modified_at(entry.stat(follow_symlinks=False)) < before
        )

    def delete(self, file_name: str) -> None:
        """Delete a file; see `Files.delete`."""
        try:
            (self.root / file_name).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(error) from None
        if self.checksums is not None:
            self.checksums.forget(file_name)

    def exists(self, name: str) -> bool:
        """Return whether a table exists."""
        return (self.root / _table_file(name)).exists()

    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Store another folder's table under a name here, as a hard link if possible; see `Files.link`."""
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
            self.write(name, origin.read(origin_name))  # the file system has no hard links

    def _checksum_writer(self, file: BinaryIO) -> ChecksumWriter:
        return ChecksumWriter(file, self._rooms.owner if self._rooms else "")

    def _open(self, file_name: str) -> tuple[BinaryIO, Checksum | None]:
        """Open a file and find its checksum; a file of an earlier version gets one now.

        Raises
        ------
        DamagedError
            It matches none of the known checksums.
        """
        for _ in range(_TRIES):
            known = self.checksums.of(file_name) if self.checksums else []
            file = self._opened(file_name)
            if self.checksums is None:
                return file, None
            owners_of_file = matching_checksum(file, known)
            if not known:
                owners_of_file = checksum_of(file)
                self.checksums.expect(file_name, owners_of_file)
            if owners_of_file is not None:
                return file, owners_of_file
            file.close()
            if {each.version for each in self.checksums.of(file_name)} == {each.version for each in known}:
                break  # otherwise it was replaced between reading the checksums and opening it
        raise DamagedError

    def _opened(self, file_name: str) -> BinaryIO:
        try:
            return (self.root / file_name).open("rb", buffering=0)
        except OSError:
            raise self.lost(file_name) from None


def _table_file(name: str) -> str:
    return f"{name}.parquet"


def _modified_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
