"""Locks between kernels, processes and machines that share a workspace."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import ColumnElement, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ci_magics.workspace.tables import locks

#: A holder on another machine that was not seen for so long has died.
_SILENCE = timedelta(minutes=30)


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
            return self.process == _process_name(int(self.process.partition(":")[0]))
        return datetime.now(UTC) - self.seen_at < _SILENCE


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
        row = self._row(name, run_id)
        try:
            with self._engine.begin() as database:
                database.execute(insert(locks).values(row))
        except IntegrityError:
            return self._take_over(name, row)
        return None

    def seen(self, run_id: str) -> None:
        """Tell the others that the holder still lives."""
        with self._engine.begin() as database:
            database.execute(update(locks).where(locks.c.run_id == run_id).values(seen_at=datetime.now(UTC)))

    def release(self, run_id: str) -> None:
        """Give back all locks of a run that this process holds."""
        mine = _process_name(os.getpid())
        with self._engine.begin() as database:
            database.execute(delete(locks).where(locks.c.run_id == run_id, locks.c.process == mine))

    def holder(self, name: str) -> Holder | None:
        """Return who holds a lock, dead or alive."""
        return self._holder(locks.c.name == name)

    def of_run(self, run_id: str) -> Holder | None:
        """Return who carries a run out, dead or alive; None when nobody does."""
        return self._holder(locks.c.run_id == run_id)

    def _holder(self, condition: ColumnElement[bool]) -> Holder | None:
        columns = [locks.c[field] for field in Holder.__dataclass_fields__]
        with self._engine.connect() as database:
            row = database.execute(select(*columns).where(condition)).mappings().first()
        return Holder(**row) if row else None

    def _take_over(self, name: str, row: dict[str, Any]) -> Holder | None:
        holder = self.holder(name)
        if holder is None:
            return self.take(name, row["run_id"])  # given back in between
        if holder.lives:
            return holder
        same = (locks.c.name == name, locks.c.process == holder.process, locks.c.seen_at == holder.seen_at)
        with self._engine.begin() as database:
            taken = database.execute(update(locks).where(*same).values(row)).rowcount
        return None if taken else self.holder(name)

    def _row(self, name: str, run_id: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        process = _process_name(os.getpid())
        return {
            "name": name,
            "run_id": run_id,
            "holder": self._user,
            "host": platform.node(),
            "process": process,
            "taken_at": now,
            "seen_at": now,
        }


def _process_name(process_id: int) -> str:
    """Return a process's number and start, which together are never given twice; only the number if it is gone."""
    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return str(process_id)
        return f"{process_id}:{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return str(process_id)
