"""Locks between kernels, processes and machines that share a workspace."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update

from ci_magics.clock import present
from ci_magics.workspace.tables import locks
from ci_magics.workspace.transactions import at_one_moment, change

#: A holder on another machine that was not seen for so long has died.
_SILENCE = timedelta(minutes=30)

#: Seconds between two readings of the start of one process; no number is given again so soon.
_SAME_START = 5.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, and since when."""

    run_id: str
    holder: str
    host: str
    process: str
    taken_at: datetime
    seen_at: datetime

    @property
    def lives(self) -> bool:
        """Whether the process that took the lock still runs, as far as can be told from here."""
        if self.host == platform.node():
            return is_running(self.process)
        return abs(present() - self.seen_at) < _SILENCE  # far ahead: noted under a wrong clock


class Locks:
    """Locks by name, each held by one run of one living process.

    Parameters
    ----------
    engine
        The workspace's database.
    user
        Who works here, to be named to those who have to wait.
    """

    def __init__(self, engine: Engine, user: str) -> None:
        self._engine = engine
        self._user = user

    def take(self, name: str, run_id: str) -> Holder | None:
        """Take a lock; returns the living holder instead when there is one.

        A lock whose holder has died is taken over.
        """
        return change(self._engine, lambda database: self._take(database, name, run_id))

    def seen(self, run_id: str) -> None:
        """Tell the others that the holder still lives."""
        mark = update(locks).where(locks.c.run_id == run_id).values(seen_at=present())
        change(self._engine, lambda database: database.execute(mark))

    def release(self, run_id: str) -> None:
        """Give back all locks of a run that this process holds."""
        mine = (
            locks.c.run_id == run_id,
            locks.c.host == platform.node(),
            locks.c.process == process_name(os.getpid()),
        )
        change(self._engine, lambda database: database.execute(delete(locks).where(*mine)))

    def holder(self, name: str) -> Holder | None:
        """Return who holds a lock, dead or alive."""
        with at_one_moment(self._engine) as database:
            return _holder(database, locks.c.name == name)

    def of_run(self, run_id: str) -> Holder | None:
        """Return who carries a run out, dead or alive; None when nobody does."""
        with at_one_moment(self._engine) as database:
            return _holder(database, locks.c.run_id == run_id)

    def _take(self, database: Connection, name: str, run_id: str) -> Holder | None:
        holder = _holder(database, locks.c.name == name)
        if holder is None:
            database.execute(insert(locks).values(self._row(name, run_id)))
            return None
        if holder.lives:
            return holder
        database.execute(update(locks).where(locks.c.name == name).values(self._row(name, run_id)))
        return None

    def _row(self, name: str, run_id: str) -> dict[str, Any]:
        now = present()
        process = process_name(os.getpid())
        return {
            "name": name,
            "run_id": run_id,
            "holder": self._user,
            "host": platform.node(),
            "process": process,
            "taken_at": now,
            "seen_at": now,
        }


def _holder(database: Connection, condition: ColumnElement[bool]) -> Holder | None:
    columns = [locks.c[field] for field in Holder.__dataclass_fields__]
    row = database.execute(select(*columns).where(condition)).mappings().first()
    return Holder(**row) if row else None


def is_running(process: str) -> bool:
    """Tell whether a process still runs; when it started is known to a few seconds only: clocks are put right."""
    number, _, start = process.partition(":")
    _, _, found = process_name(int(number)).partition(":")
    return bool(found) and abs(float(found) - float(start or 0)) < _SAME_START


def process_name(process_id: int) -> str:
    """Return a process's number and start, which together are never given twice; only the number if it is gone."""
    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return str(process_id)
        return f"{process_id}:{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return str(process_id)
