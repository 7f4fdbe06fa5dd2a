"""Private temporary folders that are deleted after the process has ended, even if it was killed.

Each process has its own folder, and holds a lock on a file next to it while it runs. The operating system releases the
lock when the process ends, so a folder whose lock can be acquired has no owner and is deleted.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ci_magics.clock import present
from ci_magics.discreet import discreet_methods
from ci_magics.workspace.private_paths import private_folder
from ci_magics.workspace.storage_errors import cannot_be_written

_LOCK = ".lock"
_A_DAY = timedelta(days=1)
#: The disk is full or read-only, or writing is not permitted.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO})


@dataclass(frozen=True)
class _ScratchFolder:
    """The folder of this process below a root, and the descriptor that holds its lock."""

    process_id: int
    owner: str
    descriptor: int


#: By root: users of the same workspace in this process share a folder.
_rooms: dict[Path, _ScratchFolder] = {}
_TURN = threading.Lock()


@discreet_methods
class ScratchFolders:
    """The scratch folders of a workspace.

    Parameters
    ----------
    root
        The folder that contains them; created if missing (mode 0700).
    """

    def __init__(self, root: Path) -> None:
        self.root = private_folder(root)

    @property
    def owner(self) -> str:
        """The name of this process's folder; a forked process gets its own."""
        with _TURN:
            room = _rooms.get(self.root)
            if room is None or room.process_id != os.getpid() or not (self.root / room.owner).is_dir():
                room = _rooms[self.root] = self._moved_in()
            return room.owner

    def folder(self) -> Path:
        """Return this process's folder."""
        return self.root / self.owner

    @contextmanager
    def for_a_while(self) -> Iterator[Path]:
        """Create a folder in this process's folder, and delete it afterwards."""
        try:
            with TemporaryDirectory(dir=self.folder(), ignore_cleanup_errors=True) as folder:
                yield Path(folder)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise cannot_be_written(error) from None

    def lives(self, owner: str) -> bool:
        """Return whether the process that owns a folder is still running."""
        room = _rooms.get(self.root)
        if room is not None and (room.process_id, room.owner) == (os.getpid(), owner):
            return True
        path = self.root / f"{owner}{_LOCK}"
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return path.exists()
        try:
            return not _locked(descriptor)
        finally:
            os.close(descriptor)

    def left_behind(self, before: datetime | None = None) -> list[str]:
        """Return the folders and files whose process has ended.

        Parameters
        ----------
        before
            Entries without an owner, which earlier versions created, count only if last written before this time; by
            default, a day ago.
        """
        limit = before or present() - _A_DAY
        names = {path.name.removesuffix(_LOCK) for path in self.root.iterdir()}
        return sorted(each for each in names if self._is_left_behind(each, limit))

    def sweep(self, before: datetime | None = None) -> int:
        """Delete what ended processes left behind, and return the number of entries.

        Parameters
        ----------
        before
            See `left_behind`.
        """
        found = self.left_behind(before)
        for name in found:
            path = self.root / name
            shutil.rmtree(path, ignore_errors=True)
            for each in (path, self.root / f"{name}{_LOCK}"):
                with suppress(OSError):
                    each.unlink(missing_ok=True)
        return len(found)

    def _is_left_behind(self, name: str, before: datetime) -> bool:
        if (self.root / f"{name}{_LOCK}").exists():
            return not self.lives(name)
        try:
            return (self.root / name).stat().st_mtime < before.timestamp()
        except FileNotFoundError:
            return False  # its owner has just deleted it

    def _moved_in(self) -> _ScratchFolder:
        """Acquire a lock, then create the folder: no other process ever sees the folder without a held lock."""
        private_folder(self.root)
        owner = f"process-{uuid.uuid4().hex}"
        path = self.root / f"{owner}{_LOCK}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _locked(descriptor)
            (self.root / owner).mkdir(mode=0o700)
        except OSError as error:
            raise cannot_be_written(error) from None
        if not path.exists():  # another process swept the lock file before it was locked
            os.close(descriptor)
            (self.root / owner).rmdir()
            return self._moved_in()
        atexit.register(self._move_out, os.getpid(), owner)
        return _ScratchFolder(os.getpid(), owner, descriptor)

    def _move_out(self, process_id: int, owner: str) -> None:
        if process_id == os.getpid():
            shutil.rmtree(self.root / owner, ignore_errors=True)
            with suppress(OSError):
                (self.root / f"{owner}{_LOCK}").unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    """Lock a file unless another process has. If files cannot be locked, assume that one has."""
    try:
        _lock(descriptor)
    except OSError:
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
