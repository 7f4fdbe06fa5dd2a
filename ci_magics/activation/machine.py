"""Check the machine: home folder, forked processes, disk, file system, and memory of the container."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

from ci_magics.advice import Do
from ci_magics.errors import CiError
from ci_magics.forking import require_threads
from ci_magics.memory import memory_limit
from ci_magics.workspace.location import data_folder

_MIB, _GIB = 2**20, 2**30
_FULL, _TIGHT = 100 * _MIB, _GIB  # an export of a million people writes about 100 MiB
_LITTLE_MEMORY = 2 * _GIB
#: Types of network file systems.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "glusterfs", "gpfs", "beegfs", "9p"}
)
#: FUSE types that store data on a local disk; all others are treated as network file systems.
_LOCAL_FUSE = frozenset(
    {"fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.encfs", "fuse.mergerfs", "fuse.lxcfs", "fuse.ntfs-3g"}
)
_KILLED = re.compile(r"^oom_kill ([1-9]\d*)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\([0-7]{3})")
GOOD, LOOK, BAD = "ok", "look", "bad"


@dataclass(frozen=True)
class Finding:
    """The finding of one check.

    Parameters
    ----------
    check
        What was checked.
    state
        `GOOD`, `LOOK` or `BAD`.
    found
        The finding, in one line.
    remedy
        What to do about it; empty if nothing needs to be done.
    """

    check: str
    state: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Machine:
    """The only access to what the operating system reports about the machine.

    Parameters
    ----------
    root
        The root folder of the system's files.
    """

    root: Path = Path("/")

    def text(self, path: str) -> str:
        """Return the text of a system file; empty if it cannot be read."""
        try:
            return (self.root / path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def free_bytes(self, folder: Path) -> int:
        """Return the free space of the disk that a folder is on."""
        return shutil.disk_usage(folder).free

    def free_files(self, folder: Path) -> int | None:
        """Return how many more files the disk can hold; None if its file system does not count files."""
        if not hasattr(os, "statvfs"):
            return None
        status = os.statvfs(folder)
        return status.f_favail if status.f_files else None


def examine_process() -> Iterator[Finding]:
    """Check this process, independent of the workspace."""
    try:
        home = data_folder()
    except CiError as error:
        remedy = "Set HOME to a folder of yours; until then the workspace is where CI_MAGICS_WORKSPACE says."
        yield Finding("home folder", LOOK, error.sentence, remedy)
    else:
        yield _home(home)
    try:
        require_threads()
    except CiError as error:
        yield Finding("fork", BAD, error.sentence, error.next_step)


def _home(place: Path) -> Finding:
    existing = next(each for each in (place, *place.parents) if each.exists())
    if os.access(existing, os.W_OK):
        return Finding("home folder", GOOD, "Yours, and writable.")
    return Finding(
        "home folder",
        LOOK,
        "You may not write to your home folder, so nothing can be stored there.",
        "Set HOME to a folder of yours, or CI_MAGICS_WORKSPACE to where the workspace is.",
    )


def examine_folder(folder: Path, machine: Machine) -> Iterator[Finding]:
    """Check the disk of a workspace's folder.

    Parameters
    ----------
    folder
        The folder of the workspace.
    machine
        The machine to ask.
    """
    yield _disk(folder, machine)
    kind = _kind_of(folder, machine)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        yield Finding(
            "file system",
            LOOK,
            f"The workspace is on a network file system ({kind}), where locks of files are not reliable.",
            "Use it from one machine at a time, or set CI_MAGICS_WORKSPACE to a PostgreSQL database.",
        )


def _disk(folder: Path, machine: Machine) -> Finding:
    try:
        free, files = machine.free_bytes(folder), machine.free_files(folder)
    except OSError as error:
        remedy = "Check that the folder of the workspace is there and yours."
        return Finding("disk", BAD, f"It cannot be looked at ({type(error).__name__}).", remedy)
    remedy = f"Free up space ({Do('purge')} removes expired data), or move the workspace to another disk."
    if files == 0:
        return Finding("disk", BAD, "There is no room for another file where the workspace is.", remedy)
    if free < _TIGHT:
        return Finding("disk", BAD if free < _FULL else LOOK, f"{_size(free)} are free where the workspace is.", remedy)
    return Finding("disk", GOOD, f"{_size(free)} are free where the workspace is.")


def _kind_of(folder: Path, machine: Machine) -> str:
    """Return the type of file system that a folder is on: that of the longest mount point above it."""
    place, kind, longest = PurePosixPath(folder.resolve().as_posix()), "", -1
    for line in machine.text("proc/self/mounts").splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = PurePosixPath(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[1]))
        if place.is_relative_to(point) and len(point.parts) >= longest:
            kind, longest = fields[2], len(point.parts)
    return kind


def examine_memory(machine: Machine) -> Iterator[Finding]:
    """Check how much memory the container leaves for this process; yield nothing without a limit."""
    limit, killed = memory_limit(machine.root), _KILLED.search(machine.text("sys/fs/cgroup/memory.events"))
    if killed:
        yield Finding(
            "memory",
            LOOK,
            f"This container was too small {killed[1]} times: the system ended a process in it for want of memory.",
            "Give it more memory (docker run --memory, or resources.limits.memory of the pod).",
        )
    elif limit < min(_LITTLE_MEMORY, psutil.virtual_memory().total):
        yield Finding(
            "memory",
            LOOK,
            f"This process may use {_size(limit)} at most.",
            "Give its container 2 GiB or more for files of millions of people; smaller ones work.",
        )
    elif limit < psutil.virtual_memory().total:
        yield Finding("memory", GOOD, f"This process may use {_size(limit)} at most.")


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count // _MIB} MiB"
