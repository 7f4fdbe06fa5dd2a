"""A folder on a network file system: wait for it to come back before a file counts as missing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ci_magics.advice import Do, advise
from ci_magics.clock import SystemClock
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.seekable import SeekableReader
from ci_magics.workspace.storage_errors import missing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: A file that distinguishes the folder from the empty mount point.
MARK = ".ci-magics-store"
#: Seconds between checks for an unavailable folder; their sum is the total wait.
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)


def store_unavailable() -> WorkspaceError:
    """Build the error for a shared folder that did not come back."""
    return WorkspaceError(
        "The shared folder with the workspace's files (CI_MAGICS_STORE) cannot be reached.",
        advise(
            "Check that it is mounted and run it again; a run that was begun can be finished: ",
            Do("runs.resume"),
            ".",
        ),
        code="store_away",
    )


class SharedFolder:
    """A folder that may be temporarily unavailable.

    Parameters
    ----------
    root
        The folder.
    known
        Returns the names of some files that must be in it; none for a new folder.
    """

    def __init__(self, root: Path, known: Callable[[], Sequence[str]]) -> None:
        self._root = root
        self._known = known
        if not self._is_marked() and self._has_known_file():
            with suppress(OSError):
                (root / MARK).touch(mode=0o600)

    def is_available(self) -> bool:
        """Return whether the folder is available, rather than the empty mount point."""
        return self._is_marked() or self._has_known_file()

    def wait_for(self) -> None:
        """Wait until the folder is available.

        Raises
        ------
        WorkspaceError
            It did not come back.
        """
        for seconds in WAITS:
            if self.is_available():
                return
            SystemClock().sleep(seconds)
        if not self.is_available():
            raise store_unavailable()

    def reading(self, name: str) -> RetryingReader:
        """Open a file with a reader that waits while the folder is unavailable.

        Raises
        ------
        WorkspaceError
            The folder has no such file, or did not come back.
        """
        return RetryingReader(self, self._root / name)

    def opened(self, path: Path) -> BinaryIO:
        """Open a file, and wait for the folder if necessary."""
        for _again in WAITS:
            try:
                return path.open("rb")
            except OSError:
                if self.is_available() and not path.exists():
                    raise missing() from None
                self.wait_for()
        raise missing()

    def _is_marked(self) -> bool:
        try:
            (self._root / MARK).stat()
        except OSError:
            return False
        return True

    def _has_known_file(self) -> bool:
        """Check a folder without the mark file: it contains a known file, or none are known."""
        known = self._known()
        try:
            is_present = {path.name for path in self._root.iterdir()}
        except OSError:
            return False
        return not known or bool(is_present.intersection(known))


class RetryingReader(SeekableReader):
    """Read a file, and continue at the same position when its folder comes back.

    Parameters
    ----------
    folder
        The folder that may be unavailable.
    path
        The file in it.
    """

    def __init__(self, folder: SharedFolder, path: Path) -> None:
        super().__init__()
        self._folder = folder
        self._path = path
        self._file = folder.opened(path)

    def _end(self) -> int:
        return self._retry(lambda: self._file.seek(0, io.SEEK_END))

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read bytes; retry when the folder is back."""

        def read() -> int:
            self._file.seek(self._at)
            return int(self._file.readinto(buffer))  # type: ignore[attr-defined]  # typeshed gives it to buffered files only

        count = self._retry(read)
        self._at += count
        return count

    def status(self) -> tuple[int, int]:
        """Return the size and modification time, which identify the content."""
        size = self._retry(lambda: os.fstat(self._file.fileno()).st_size)
        return size, self._retry(lambda: os.fstat(self._file.fileno()).st_mtime_ns)

    def close(self) -> None:
        """Close the file, even if its folder is gone."""
        with suppress(OSError):
            self._file.close()
        super().close()

    def _retry(self, work: Callable[[], int]) -> int:
        for _again in WAITS:
            try:
                return work()
            except OSError:
                self._folder.wait_for()
                with suppress(OSError):
                    self._file.close()
                self._file = self._folder.opened(self._path)
        return work()
