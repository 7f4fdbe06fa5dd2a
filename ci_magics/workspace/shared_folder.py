"""A folder on a file system that may be away for a while: it is waited for before anything counts as missing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ci_magics.clock import SystemClock
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.files import missing
from ci_magics.workspace.seekable import SeekableReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: A file that tells the folder from the empty one that is seen in its place while it is not mounted.
MARK = ".ci-magics-store"
#: Seconds between looks for a folder that is away; together they are how long it is waited for.
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)


def store_away() -> WorkspaceError:
    """Return the error for a shared folder that did not come back."""
    return WorkspaceError(
        "The shared folder with the workspace's files (CI_MAGICS_STORE) cannot be reached.",
        "Check that it is mounted and run it again; a run that was begun can be finished with --resume.",
        code="store_away",
    )


class SharedFolder:
    """A folder, and whether it is there.

    Parameters
    ----------
    root
        The folder.
    known
        Returns some files that have to be in it, none where it is new.
    """

    def __init__(self, root: Path, known: Callable[[], Sequence[str]]) -> None:
        self._root = root
        self._known = known
        if not self._is_marked() and self._is_there_without_mark():
            with suppress(OSError):
                (root / MARK).touch(mode=0o600)

    def is_there(self) -> bool:
        """Tell whether the folder is there, and not an empty one in its place."""
        return self._is_marked() or self._is_there_without_mark()

    def wait_for(self) -> None:
        """Return when the folder is there.

        Raises
        ------
        WorkspaceError
            It did not come back.
        """
        for seconds in WAITS:
            if self.is_there():
                return
            SystemClock().sleep(seconds)
        if not self.is_there():
            raise store_away()

    def reading(self, name: str) -> PatientReader:
        """Open a file whose reader waits while the folder is away.

        Raises
        ------
        WorkspaceError
            The folder has no such file, or did not come back.
        """
        return PatientReader(self, self._root / name)

    def opened(self, path: Path) -> BinaryIO:
        """Open a file, when the folder is there."""
        for _again in WAITS:
            try:
                return path.open("rb")
            except OSError:
                if self.is_there() and not path.exists():
                    raise missing() from None
                self.wait_for()
        raise missing()

    def _is_marked(self) -> bool:
        try:
            (self._root / MARK).stat()
        except OSError:
            return False
        return True

    def _is_there_without_mark(self) -> bool:
        """Tell the same of a folder that has no mark: one of its files is in it, or it has to have none."""
        known = self._known()
        try:
            there = {path.name for path in self._root.iterdir()}
        except OSError:
            return False
        return not known or bool(there.intersection(known))


class PatientReader(SeekableReader):
    """Reads a file, and goes on where it was when its folder comes back."""

    def __init__(self, folder: SharedFolder, path: Path) -> None:
        super().__init__()
        self._folder = folder
        self._path = path
        self._file = folder.opened(path)

    def _end(self) -> int:
        return self._patiently(lambda: self._file.seek(0, io.SEEK_END))

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read bytes; again when the folder is back."""

        def read() -> int:
            self._file.seek(self._at)
            return int(self._file.readinto(buffer))  # type: ignore[attr-defined]  # typeshed gives it to buffered files only

        count = self._patiently(read)
        self._at += count
        return count

    def status(self) -> tuple[int, int]:
        """Return its size and the moment of its last change, by which it is known to be the same."""
        size = self._patiently(lambda: os.fstat(self._file.fileno()).st_size)
        return size, self._patiently(lambda: os.fstat(self._file.fileno()).st_mtime_ns)

    def close(self) -> None:
        """Close it, also where its folder is gone."""
        with suppress(OSError):
            self._file.close()
        super().close()

    def _patiently(self, work: Callable[[], int]) -> int:
        for _again in WAITS:
            try:
                return work()
            except OSError:
                self._folder.wait_for()
                with suppress(OSError):
                    self._file.close()
                self._file = self._folder.opened(self._path)
        return work()
