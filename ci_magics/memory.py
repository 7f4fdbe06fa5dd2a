"""How much memory this process may use: what the machine has, and what its container leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

_MEBIBYTE = 2**20
#: What the libraries of a process share among them, in percent; the rest is for everything else.
_SHARE = 80


def memory_limit(root: Path = Path("/")) -> int:
    """Return how many bytes this process may use at most.

    The least of the machine's memory, the limits of its control groups (of either version) and of those above them, and
    the limit of its address space.

    Parameters
    ----------
    root
        Where the system's files are.
    """
    return min([psutil.virtual_memory().total, *_of_groups(root), *_of_address_space()])


def memory_for_queries(root: Path = Path("/")) -> str:
    """Return how much of it DuckDB may use, as DuckDB takes it."""
    return f"{max(memory_limit(root) * _SHARE // 100 // _MEBIBYTE, 64)}MiB"


def _of_groups(root: Path) -> Iterator[int]:
    """Yield the limits of control groups that are set; a container sees its own group as the topmost one."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _upwards(root / "sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _upwards(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")


def _upwards(mounted: Path, path: str, name: str) -> Iterator[int]:
    """Yield the limits of a group and of those above it; those that a container cannot see are left out."""
    group = mounted / path.strip("/")
    while group != mounted.parent:
        limit = _text(group / name).strip()
        if limit.isdecimal():  # "max" where there is none
            yield int(limit)
        group = group.parent


def _of_address_space() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    limit, _most = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
