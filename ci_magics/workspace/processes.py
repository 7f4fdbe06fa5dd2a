"""Check whether a process is still running, and where its id is valid.

Process ids are reused in every container and after every boot. So only processes in the same boot and PID namespace
look up a process; all others rely on what it writes into the database.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import uuid
from pathlib import Path

import psutil

#: Maximum difference in seconds between two readings of one start time, if it depends on the clock.
_SAME_START = 5.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def process_place() -> str:
    """Return the boot and the PID namespace of this process; empty if unknown."""
    if not sys.platform.startswith("linux"):
        return f"{platform.node()}:{uuid.getnode():x}"
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return ""  # the /proc of another namespace
        return f"{_BOOT.read_text('ascii').strip()}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def process_name(process_id: int) -> str:
    """Return a process's id and start time, which together are unique; only the id if it is gone."""
    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return str(process_id)
        return f"{process_id}:{_start(process)}"
    except (psutil.Error, OSError, ValueError):
        return str(process_id)


def is_running(process: str) -> bool:
    """Return whether a process of this place is running; one that is hidden from us counts as running."""
    number, _, start = process.partition(":")
    found = process_name(int(number)).partition(":")[2]
    if not found:
        return _is_hidden(int(number))
    if found == start:
        return True
    with contextlib.suppress(ValueError):
        return not sys.platform.startswith("linux") and abs(float(found) - float(start)) < _SAME_START
    return False


def _start(process: psutil.Process) -> str:
    """Return when a process started: on Linux relative to the boot, which clock changes do not affect."""
    if not sys.platform.startswith("linux"):
        return f"{process.create_time():.2f}"
    line = Path(f"/proc/{process.pid}/stat").read_text("utf-8", "replace")
    return line.rpartition(")")[2].split()[19]


def _is_hidden(process_id: int) -> bool:
    """Return whether a process of another user exists that /proc does not show."""
    if not sys.platform.startswith("linux") or Path(f"/proc/{process_id}").exists():
        return False
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False
