"""Files of the workspace: private to their owner, replaced as a whole or not at all."""

from __future__ import annotations

import os
import uuid
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
        try:
            self._replace(self.root / f"{name}.parquet", table)
        except OSError as error:
            raise WorkspaceError(
                "A file of the workspace cannot be written.",
                "Make room on the disk, or set CI_MAGICS_WORKSPACE to a folder that you may write to.",
                code=error.strerror,
            ) from None

    def _replace(self, target: Path, table: pa.Table) -> None:
        draft = target.with_name(f".{target.stem}-{uuid.uuid4().hex}.part")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # Hashes do not compress and hardly ever repeat.
                pq.write_table(table, file, compression="none", use_dictionary=False, write_statistics=False)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
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
            return pq.read_table(self.root / f"{name}.parquet")
        except (OSError, pa.ArrowException):
            raise WorkspaceError(
                "A file of the workspace is missing or damaged.", "Make the segment again.", code="file_missing"
            ) from None

    def link(self, name: str, origin: PrivateFiles, origin_name: str) -> None:
        """Keep another folder's table under a name here, whatever becomes of it there.

        Tables are only ever replaced, never changed in place, so that a link is as good as a copy.

        Raises
        ------
        WorkspaceError
            The table is missing.
        """
        source, target = (files.root / f"{each}.parquet" for files, each in ((origin, origin_name), (self, name)))
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            self.write(name, origin.read(origin_name))  # a file system without links

    def remove_all(self, prefix: str) -> None:
        """Delete all tables whose names begin so."""
        for path in self.root.glob(f"{prefix}*.parquet"):
            path.unlink(missing_ok=True)

    def remove_before(self, prefix: str, moment: datetime) -> None:
        """Delete all tables whose names begin so and that were written before a moment."""
        for path in self.root.glob(f"{prefix}*.parquet"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment:
                path.unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Tell whether a table is there."""
        return (self.root / f"{name}.parquet").exists()

    def remove(self, name: str) -> None:
        """Delete a table; nothing happens when it is not there."""
        (self.root / f"{name}.parquet").unlink(missing_ok=True)


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
