"""Disturb a process at one file operation: kill it there, or make the disk full or read-only from there on."""

from __future__ import annotations

import errno
import multiprocessing as mp
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

KILL, FULL, READ_ONLY = "kill", "full", "read-only"
_WORDS = {FULL: "database or disk is full", READ_ONLY: "attempt to write a readonly database"}
_CHANGES = frozenset({"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Faulted:
    """The result of a disturbed process.

    Parameters
    ----------
    operations
        How many file operations it ran; None if it was killed.
    said
        The type and message of the error that ended its work; empty if it succeeded.
    """

    operations: int | None
    said: tuple[str, str] | None


def run_with_fault(
    work: Callable[[], object], at: int, how: str, within: tuple[str, ...], environment: Mapping[str, str | None]
) -> Faulted:
    """Do some work in a separate process, which is disturbed at one of its operations.

    Parameters
    ----------
    work
        What to do; a function of a module, with its arguments.
    at
        At which operation, starting with 1; 0 for none.
    how
        `KILL`, `FULL` or `READ_ONLY`.
    within
        The folders whose files count.
    environment
        Changes of its environment.
    """
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["ci_magics.activation.exports.export", "pandas"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, at, how, within, dict(environment), theirs))
    process.start()
    theirs.close()
    try:
        operations, said = ours.recv()
        return Faulted(operations, said)
    except EOFError:
        return Faulted(None, None)
    finally:
        process.join()


def _work(
    work: Callable[[], object],
    at: int,
    how: str,
    within: tuple[str, ...],
    environment: dict[str, str | None],
    answer: Any,
) -> None:
    for name in environment:
        os.environ.pop(name, None)
    os.environ |= {name: value for name, value in environment.items() if value is not None}
    count = 0

    def disturb() -> None:
        nonlocal count
        count += 1
        if at and count >= at:
            _fail_at_operation(how)

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        changes = name in _CHANGES or (name == "open" and _is_write(arguments))
        if changes and any(str(each).startswith(within) for each in arguments[:2]):
            disturb()

    def begun(_connection: object) -> None:
        try:
            disturb()
        except OSError as error:
            raise OperationalError("", None, sqlite3.OperationalError(_WORDS[how])) from error

    sys.addaudithook(hook)
    event.listen(Engine, "commit", begun)
    said = None
    try:
        work()
    except Exception as error:  # noqa: BLE001 - what it says is looked at by the test
        said = (type(error).__name__, str(error))
    at = 0
    answer.send((count, said))
    answer.close()
    os._exit(0)


def _fail_at_operation(how: str) -> None:
    if how == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(errno.ENOSPC if how == FULL else errno.EROFS, _WORDS[how])


def _is_write(arguments: tuple[Any, ...]) -> bool:
    _path, mode, flags = arguments
    return any(sign in mode for sign in "wax+") if isinstance(mode, str) else bool((flags or 0) & _WRITES)
