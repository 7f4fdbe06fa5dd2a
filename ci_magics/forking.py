"""Detect forked processes in which Polars would wait forever, and raise an error instead.

A fork copies only one thread. Polars cannot restart its thread pool, so its first task after a fork waits forever in
every process forked after Polars had started working. Arrow and DuckDB restart their pools. A process forked before
Polars was used works normally.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path

from ci_magics.advice import Command, advise
from ci_magics.errors import CiError

_SECONDS = 10.0  # the task takes a millisecond; this allows for a very slow machine
_POOL_THREAD = re.compile(r"polars-\d+")
_TASKS = Path("/proc/self/task")

_works_in = 0  # id of the process in which Polars is known to work
_pool_is_gone = False


class ForkedError(CiError):
    """The process was forked in a way that makes Polars wait forever."""


def require_threads() -> None:
    """Check that Polars can work in this process.

    Raises
    ------
    ForkedError
        Polars would wait forever.
    """
    global _works_in, _pool_is_gone
    if _works_in == os.getpid():
        return
    if _pool_is_gone or not _answers():
        _pool_is_gone = True
        raise ForkedError(
            "This process was forked after Polars had begun to work, and Polars would wait forever in it.",
            advise(
                "Start processes by spawn: multiprocessing.set_start_method('spawn'), "
                "mp_context=multiprocessing.get_context('spawn') for a ProcessPoolExecutor, no --preload for gunicorn, "
                "execute_tasks_new_python_interpreter=True for Airflow; or run ",
                Command("refresh"),
                " as a command.",
            ),
            code="forked",
        )
    _works_in = os.getpid()


def polars_would_hang() -> bool:
    """Return whether Polars is known to wait forever in this process."""
    return _pool_is_gone


def _answers() -> bool:
    """Return whether Polars completes a small task that needs its thread pool."""

    def work() -> None:
        import polars as pl

        pl.DataFrame({"number": [1, 2]}).lazy().group_by("number").len().collect()

    task = threading.Thread(target=work, name="ci-magics polars", daemon=True)
    task.start()
    task.join(_SECONDS)
    return not task.is_alive()


def _pool_runs() -> bool:
    """Return whether Polars has started its threads in this process, for us or for other code."""
    if _works_in == os.getpid():
        return True
    if "polars" not in sys.modules:
        return False
    try:
        return any(_POOL_THREAD.fullmatch(each.read_text().strip()) for each in _TASKS.glob("*/comm"))
    except OSError:
        return False  # unknown here; the small task decides


_was_running = False


def _look() -> None:
    global _was_running
    _was_running = _pool_runs()


def _begin_again() -> None:
    global _pool_is_gone
    _pool_is_gone = _pool_is_gone or _was_running


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_look, after_in_child=_begin_again)
