"""Private folders for what a process needs only for a while, which go with the process, however it ends.

Each process has a folder of its own, and holds a lock on a file beside it for as long as it lives. The operating system
lets go of the lock when the process ends, so a folder whose lock can be taken has no owner any more and is deleted.
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
from ci_magics.workspace.files import cannot_be_written, private_folder

_LOCK = ".lock"
_A_DAY = timedelta(days=1)
#: The disk is full or read-only, or nothing may be written there.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO})


@dataclass(frozen=True)
class _ScratchFolder:
    """The folder of this process below a root, and the descriptor that holds its lock."""

    process_id: int
    owner: str
    descriptor: int


#: By root: all who work on one workspace in this process share a folder.
_rooms: dict[Path, _ScratchFolder] = {}
_TURN = threading.Lock()


@discreet_methods
class ScratchFolders:
    """The scratch folder of a workspace.

    Parameters
    ----------
    root
        The folder; made when it is missing (mode 0700).
    """

    def __init__(self, root: Path) -> None:
        self.root = private_folder(root)

    @property
    def owner(self) -> str:
        """The name of this process here; a forked one gets another."""
        with _TURN:
            room = _rooms.get(self.root)
            if room is None or room.process_id != os.getpid() or not (self.root / room.owner).is_dir():
                room = _rooms[self.root] = self._moved_in()
            return room.owner

    def folder(self) -> Path:
        """Return this process's own folder."""
        return self.root / self.owner

    @contextmanager
    def for_a_while(self) -> Iterator[Path]:
        """Return a new folder within it, which is deleted afterwards."""
        try:
            with TemporaryDirectory(dir=self.folder(), ignore_cleanup_errors=True) as folder:
                yield Path(folder)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise cannot_be_written(error) from None

    def lives(self, owner: str) -> bool:
        """Tell whether a process still runs that has a folder here."""
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
        """Return the folders and files here whose process has ended.

        Parameters
        ----------
        before
            Of those that have no owner, as earlier versions made them, only what was last written before this moment; a
            day ago unless given.
        """
        limit = before or present() - _A_DAY
        names = {path.name.removesuffix(_LOCK) for path in self.root.iterdir()}
        return sorted(each for each in names if self._is_left_behind(each, limit))

    def sweep(self, before: datetime | None = None) -> int:
        """Delete what processes left behind that have ended; returns how many there were. See `left_behind`."""
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
            return False  # its owner has just left

    def _moved_in(self) -> _ScratchFolder:
        """Take a lock, then make the folder: no other process ever sees the folder without a lock that is held."""
        private_folder(self.root)
        owner = f"process-{uuid.uuid4().hex}"
        path = self.root / f"{owner}{_LOCK}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _locked(descriptor)
            (self.root / owner).mkdir(mode=0o700)
        except OSError as error:
            raise cannot_be_written(error) from None
        if not path.exists():  # somebody swept it between its making and its locking
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
    """Lock a file unless another process has; where files cannot be locked, somebody is taken to have it."""
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
