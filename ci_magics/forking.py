"""Processes that were forked: what works in them, and an error instead of waiting forever.

A fork copies one thread only. Polars works with a pool of threads that nothing can start again, so that its first task
after a fork waits forever, in each process that was forked after Polars had begun to work. Arrow and DuckDB start
theirs again, and a process that was forked before works like any other.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path

from ci_magics.errors import CiError

_SECONDS = 10.0  # a task of a millisecond; longer only where a machine hardly gets on
_POOL_THREAD = re.compile(r"polars-\d+")
_TASKS = Path("/proc/self/task")

_works_in = 0  # the process in which Polars was seen to work
_pool_is_gone = False


class ForkedError(CiError):
    """The process was forked in a way in which Polars waits forever."""


def require_threads() -> None:
    """Require that Polars can work in this process.

    Raises
    ------
    ForkedError
        It would wait forever.
    """
    global _works_in, _pool_is_gone
    if _works_in == os.getpid():
        return
    if _pool_is_gone or not _answers():
        _pool_is_gone = True
        raise ForkedError(
            "This process was forked after Polars had begun to work, and Polars would wait forever in it.",
            "Start processes by spawn: multiprocessing.set_start_method('spawn'), "
            "mp_context=multiprocessing.get_context('spawn') for a ProcessPoolExecutor, no --preload for gunicorn, "
            "execute_tasks_new_python_interpreter=True for Airflow; or run ci-magics refresh as a command.",
            code="forked",
        )
    _works_in = os.getpid()


def lost_its_threads() -> bool:
    """Tell whether this process is known to be one in which Polars waits forever."""
    return _pool_is_gone


def _answers() -> bool:
    """Tell whether Polars does a small task of those that need its pool."""

    def work() -> None:
        import polars as pl

        pl.DataFrame({"number": [1, 2]}).lazy().group_by("number").len().collect()

    task = threading.Thread(target=work, name="ci-magics polars", daemon=True)
    task.start()
    task.join(_SECONDS)
    return not task.is_alive()


def _pool_runs() -> bool:
    """Tell whether Polars has started its threads here, for us or for somebody else."""
    if _works_in == os.getpid():
        return True
    if "polars" not in sys.modules:
        return False
    try:
        return any(_POOL_THREAD.fullmatch(each.read_text().strip()) for each in _TASKS.glob("*/comm"))
    except OSError:
        return False  # the small task finds out


_was_running = False


def _look() -> None:
    global _was_running
    _was_running = _pool_runs()


def _begin_again() -> None:
    global _pool_is_gone
    _pool_is_gone = _pool_is_gone or _was_running


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_look, after_in_child=_begin_again)
