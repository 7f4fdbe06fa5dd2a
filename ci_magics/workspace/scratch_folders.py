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
from ci_magics.workspace.storage_errors import cannot_write

_LOCK = ".lock"
_A_DAY = timedelta(days=1)
#: The disk is full or read-only, or writing is not permitted.
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO})


@dataclass(frozen=True)
class _ScratchFolder:
    """The folder of this process below a root, and the descriptor that holds its lock."""

    process_id: int
    owner: str
    descriptor: int


#: By root: users of the same workspace in this process share a folder.
_own_folders: dict[Path, _ScratchFolder] = {}
_GUARD = threading.Lock()


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
        with _GUARD:
            own = _own_folders.get(self.root)
            if own is None or own.process_id != os.getpid() or not (self.root / own.owner).is_dir():
                own = _own_folders[self.root] = self._create()
            return own.owner

    def folder(self) -> Path:
        """Return this process's folder."""
        return self.root / self.owner

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Create a folder in this process's folder, and delete it afterwards."""
        try:
            with TemporaryDirectory(dir=self.folder(), ignore_cleanup_errors=True) as folder:
                yield Path(folder)
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            raise cannot_write(error) from None

    def is_alive(self, owner: str) -> bool:
        """Return whether the process that owns a folder is still running."""
        own = _own_folders.get(self.root)
        if own is not None and (own.process_id, own.owner) == (os.getpid(), owner):
            return True
        path = self.root / f"{owner}{_LOCK}"
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return path.exists()
        try:
            return not _try_lock(descriptor)
        finally:
            os.close(descriptor)

    def abandoned(self, before: datetime | None = None) -> list[str]:
        """Return the folders and files whose process has ended.

        Parameters
        ----------
        before
            Entries without an owner, which earlier versions created, count only if last written before this time; by
            default, a day ago.
        """
        limit = before or present() - _A_DAY
        names = {path.name.removesuffix(_LOCK) for path in self.root.iterdir()}
        return sorted(each for each in names if self._is_abandoned(each, limit))

    def sweep(self, before: datetime | None = None) -> int:
        """Delete what ended processes left behind, and return the number of entries.

        Parameters
        ----------
        before
            See `abandoned`.
        """
        found = self.abandoned(before)
        for name in found:
            path = self.root / name
            shutil.rmtree(path, ignore_errors=True)
            for each in (path, self.root / f"{name}{_LOCK}"):
                with suppress(OSError):
                    each.unlink(missing_ok=True)
        return len(found)

    def _is_abandoned(self, name: str, before: datetime) -> bool:
        if (self.root / f"{name}{_LOCK}").exists():
            return not self.is_alive(name)
        try:
            return (self.root / name).stat().st_mtime < before.timestamp()
        except FileNotFoundError:
            return False  # its owner has just deleted it

    def _create(self) -> _ScratchFolder:
        """Acquire a lock, then create the folder: no other process ever sees the folder without a held lock."""
        private_folder(self.root)
        owner = f"process-{uuid.uuid4().hex}"
        path = self.root / f"{owner}{_LOCK}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _try_lock(descriptor)
            (self.root / owner).mkdir(mode=0o700)
        except OSError as error:
            raise cannot_write(error) from None
        if not path.exists():  # another process swept the lock file before it was locked
            os.close(descriptor)
            (self.root / owner).rmdir()
            return self._create()
        atexit.register(self._delete, os.getpid(), owner)
        return _ScratchFolder(os.getpid(), owner, descriptor)

    def _delete(self, process_id: int, owner: str) -> None:
        if process_id == os.getpid():
            shutil.rmtree(self.root / owner, ignore_errors=True)
            with suppress(OSError):
                (self.root / f"{owner}{_LOCK}").unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool:
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
