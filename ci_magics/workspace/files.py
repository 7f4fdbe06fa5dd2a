"""Files of the workspace: private to their owner, replaced as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.troubles import told_of_file

Bytes = npt.NDArray[np.uint8]


class Files(ABC):
    """Arrow tables, and lists of bytes, by name, wherever they are kept."""

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

    def sweep(self, before: datetime, *, dry_run: bool) -> int:
        """Remove what a crash left behind that has no name; returns how many files, of all folders kept together."""
        del before, dry_run
        return 0

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
            raise missing() from None

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
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        private_folder(root)

    @contextmanager
    def replacing(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file to be written beside the earlier one; see `Files.replacing`."""
        draft = self.root / f".{file_name}-{uuid.uuid4().hex}.part"
        try:
            with writing_privately(draft) as file:
                yield file
            draft.replace(self.root / file_name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise cannot_be_written(error) from None
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    @contextmanager
    def reading(self, file_name: str) -> Iterator[BinaryIO]:
        """Open a file to be read; see `Files.reading`."""
        try:
            file = (self.root / file_name).open("rb")
        except OSError:
            raise missing() from None
        with file:
            yield file

    def names(self, prefix: str = "", before: datetime | None = None) -> list[str]:
        """Return the names of the files that begin so; see `Files.names`."""
        found = [entry for entry in os.scandir(self.root) if entry.name.startswith(prefix) and entry.is_file()]
        return sorted(
            entry.name for entry in found if before is None or _written(entry.stat(follow_symlinks=False)) < before
        )

    def delete(self, file_name: str) -> None:
        """Delete a file; see `Files.delete`."""
        (self.root / file_name).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Tell whether a table is there."""
        return (self.root / _table_file(name)).exists()

    def link(self, name: str, origin: Files, origin_name: str) -> None:
        """Keep another folder's table under a name here; see `Files.link`."""
        if not isinstance(origin, PrivateFiles):
            raise TypeError("a folder is linked with a folder only")
        target = self.root / _table_file(name)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(origin.root / _table_file(origin_name))
        except OSError:
            self.write(name, origin.read(origin_name))  # a file system without links


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
    return WorkspaceError(
        "A file of the workspace is missing or damaged.", "Make the segment again.", code="file_missing"
    )


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
