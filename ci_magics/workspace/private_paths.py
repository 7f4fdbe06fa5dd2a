"""Folders and files that only their owner can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.storage_errors import cause_of_file_error


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner can access, and return it.

    Raises
    ------
    WorkspaceError
        It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        why, step = cause_of_file_error(error)
        raise WorkspaceError(f"The workspace's folder cannot be created: {why}.", step, code=error.strerror) from None
    return path


@contextmanager
def writing_privately(path: Path) -> Iterator[BinaryIO]:
    """Create a file that only its owner can read, and flush it to disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
