"""Files of the workspace: private to their owner, replaced as a whole or not at all."""

from __future__ import annotations

import os
import uuid
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
        """Replace a table; a crash leaves the old one or the new one, never a part."""
        target = self.root / f"{name}.parquet"
        draft = self.root / f".{name}-{uuid.uuid4().hex}.part"
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
