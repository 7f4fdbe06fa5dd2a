"""Files of the workspace: private to their owner, replaced as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ci_magics.errors import WorkspaceError


class PrivateFiles:
    """Arrow tables in a folder that only its owner can read.

    Parameters
    ----------
    root
        The folder; made when it is missing (mode 0700).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        private_folder(root)

    def write(self, name: str, table: pa.Table) -> None:
        """Replace a table; a crash leaves the old one or the new one, never a part.

        Raises
        ------
        WorkspaceError
            The folder cannot be written to.
        """
        self.write_parts(name, table.schema, [table])

    def write_parts(self, name: str, schema: pa.Schema, parts: Iterable[pa.Table | pa.RecordBatch]) -> None:
        """Replace a table by one that comes part by part, each a row group of its own; see `write`."""
        draft = self._folder_file(f".{name}-{uuid.uuid4().hex}.part")
        try:
            with _writing(draft, schema) as writer:
                for part in parts:
                    table = part if isinstance(part, pa.Table) else pa.Table.from_batches([part])
                    writer.write_table(table, row_group_size=max(table.num_rows, 1))
            draft.replace(self._path(name))
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise WorkspaceError(
                "A file of the workspace cannot be written.",
                "Make room on the disk, or set CI_MAGICS_WORKSPACE to a folder that you may write to.",
                code=error.strerror,
            ) from None
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> pa.Table:
        """Return a table.

        Raises
        ------
        WorkspaceError
            It is missing or damaged.
        """
        try:
            return pq.read_table(self._path(name))
        except (OSError, pa.ArrowException):
            raise _missing() from None

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
            with pq.ParquetFile(self._path(name)) as file:
                yield file
        except (OSError, pa.ArrowException):
            raise _missing() from None

    def link(self, name: str, origin: PrivateFiles, origin_name: str) -> None:
        """Keep another folder's table under a name here, whatever becomes of it there.

        Tables are only ever replaced, never changed in place, so that a link is as good as a copy.

        Raises
        ------
        WorkspaceError
            The table is missing.
        """
        source, target = origin._path(origin_name), self._path(name)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            self.write(name, origin.read(origin_name))  # a file system without links

    def remove_all(self, prefix: str) -> None:
        """Delete all tables whose names begin so."""
        for path in self.root.glob(f"{prefix}*"):
            path.unlink(missing_ok=True)

    def remove_before(self, prefix: str, moment: datetime) -> None:
        """Delete all tables whose names begin so and that were written before a moment."""
        for path in self.root.glob(f"{prefix}*.parquet"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment:
                path.unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Tell whether a table is there."""
        return self._path(name).exists()

    def remove(self, name: str) -> None:
        """Delete a table; nothing happens when it is not there."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder_file(f"{name}.parquet")

    def _folder_file(self, name: str) -> Path:
        return self.root / name


@contextmanager
def _writing(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Write a file that only its owner can read, and see that it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # Hashes do not compress and hardly ever repeat; words do.
    words = [each.name for each in schema if pa.types.is_dictionary(each.type)]
    with os.fdopen(descriptor, "wb") as file:
        with pq.ParquetWriter(file, schema, compression="none", use_dictionary=words, write_statistics=False) as writer:
            yield writer
        file.flush()
        os.fsync(file.fileno())


def _missing() -> WorkspaceError:
    return WorkspaceError(
        "A file of the workspace is missing or damaged.", "Make the segment again.", code="file_missing"
    )


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
        raise WorkspaceError(
            "The workspace's folder cannot be made.",
            "Set CI_MAGICS_WORKSPACE to a folder that you may write to.",
            code=error.strerror,
        ) from None
    return path
