"""The memory available to a process is the minimum of the machine's and the container's limits."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ci_magics.memory import memory_for_queries, memory_limit

GIB = 2**30
HERE = psutil.virtual_memory().total

#: Contents of system files, and the resulting limit; None for that of the machine.
SYSTEMS: dict[str, tuple[dict[str, str], int | None]] = {
    "nothing": ({}, None),
    "version 2 in a container": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"}, GIB),
    "version 2 below a group with a limit": (
        {
            "proc/self/cgroup": "0::/user.slice/a.scope\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/user.slice/a.scope/memory.max": "max\n",
        },
        GIB,
    ),
    "version 2 without a limit": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
    "version 1": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/a\n0::/\n",
            "sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": f"{GIB}\n",
        },
        GIB,
    ),
    "version 1 whose group a container does not see": (
        {
            "proc/self/cgroup": "4:memory:/docker/a\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB // 2}\n",
        },
        GIB // 2,
    ),
    "version 1 without a limit": (
        {"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
        None,
    ),
    "not a number": ({"proc/self/cgroup": "0::/\nnonsense\n", "sys/fs/cgroup/memory.max": "?"}, None),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_limits_of_control_groups_of_both_versions_count(tmp_path: Path, system: str) -> None:
    files, limit = SYSTEMS[system]
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    expected = min(HERE, *([limit] if limit else [HERE]), *([soft] if soft > 0 else [HERE]))
    assert memory_limit(tmp_path) == expected
    assert memory_for_queries(tmp_path) == f"{expected * 80 // 100 // 2**20}MiB"


def test_limit_of_the_address_space_counts() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from ci_magics.memory import memory_limit; print(memory_limit())"
    )
    assert int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == min(HERE, 2**31)
