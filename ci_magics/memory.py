"""Memory limits of this process: the machine's memory and the limits of its container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

_MEBIBYTE = 2**20
#: Percent of the limit that the libraries may use together; the rest is for everything else.
_SHARE = 80


def memory_limit(root: Path = Path("/")) -> int:
    """Return the maximum number of bytes that this process may use.

    This is the smallest of: the machine's memory, the limits of its control groups (version 1 or 2) and their parents,
    and the limit of its address space.

    Parameters
    ----------
    root
        The root of the system's files; tests pass another one.
    """
    return min([psutil.virtual_memory().total, *_of_groups(root), *_of_address_space()])


def memory_for_queries(root: Path = Path("/")) -> str:
    """Return DuckDB's share of the memory limit, in DuckDB's notation.

    Parameters
    ----------
    root
        As in `memory_limit`.
    """
    return f"{max(memory_limit(root) * _SHARE // 100 // _MEBIBYTE, 64)}MiB"


def _of_groups(root: Path) -> Iterator[int]:
    """Yield the limits that control groups set; in a container, its own group is the root."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _limits_of_parents(root / "sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_of_parents(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")


def _limits_of_parents(mounted: Path, path: str, name: str) -> Iterator[int]:
    """Yield the limits of a group and its parents, as far as a container sees them."""
    group = mounted / path.strip("/")
    while group != mounted.parent:
        limit = _text(group / name).strip()
        if limit.isdecimal():  # "max" means no limit
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
