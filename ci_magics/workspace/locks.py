"""Locks between kernels, processes, and machines that share a workspace.

A process is identified by a random id that no other process has, not even its fork. While a process holds locks, one of
its threads increments their heartbeat, also while the process waits for Microsoft. Whether a holder is alive is decided
by the first of these that applies:

1. In the same boot and PID namespace, its process is looked up.
2. A heartbeat within the last `SILENCE` seconds of the database's clock means that the holder is alive.
3. Clocks can be changed. So a holder that seems silent is watched for some seconds with a monotonic clock, and its lock
   is taken over only if its heartbeat does not change.
"""

from __future__ import annotations

import atexit
import os
import platform
import threading
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, literal_column, select, update

from ci_magics.advice import Do, advise
from ci_magics.clock import SystemClock, present
from ci_magics.errors import CiError, ExportRefusedError
from ci_magics.workspace.processes import is_running, process_name, process_place
from ci_magics.workspace.tables import UtcDateTime, locks
from ci_magics.workspace.transactions import change, read_transaction

#: Seconds between heartbeats.
BEAT = 10.0
#: Seconds without a heartbeat, by the database's clock, during which a holder still counts as alive.
SILENCE = 40.0
#: Seconds to watch a holder that seems silent before its lock is taken over.
WATCH = 25.0
#: Seconds without a heartbeat after which the unused files of a process count as left behind.
ABSENCE = 120.0
_POLL_SECONDS = 0.5
_FILES = "files:"
_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"


class LockLostError(ExportRefusedError):
    """Another process has taken over a lock that this one held."""


@dataclass(frozen=True)
class Holder:
    """The holder of a lock.

    Parameters
    ----------
    identity
        The random id of the process.
    beat
        Its heartbeat counter.
    place
        Where its process id is valid; see `processes.process_place`.
    now
        The database's time when this was read.
    """

    run_id: str
    holder: str
    host: str
    process: str
    taken_at: datetime
    seen_at: datetime
    identity: str = ""
    beat: int = 0
    place: str = ""
    now: datetime | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process that took the lock is still running, as far as can be decided without waiting."""
        return self.was_alive_within(SILENCE)

    def was_alive_within(self, seconds: float) -> bool:
        """Return whether the process is running or, if it cannot be looked up, has a recent heartbeat.

        A heartbeat far in the future came from a wrong clock.

        Parameters
        ----------
        seconds
            Maximum age of the heartbeat.
        """
        if self.is_local:
            return is_running(self.process)
        return abs((self.now or present()) - self.seen_at) <= timedelta(seconds=seconds)

    @property
    def is_local(self) -> bool:
        """Whether its process can be looked up from here."""
        return bool(self.place) and self.host == platform.node() and self.place == process_place()

    def has_same_heartbeat(self, other: Holder) -> bool:
        """Return whether the heartbeat did not change between two readings."""
        return (self.identity, self.beat, self.seen_at) == (other.identity, other.beat, other.seen_at)


class Locks:
    """Locks by name, each held by one run of one live process.

    Parameters
    ----------
    engine
        The workspace's database.
    user
        The current user, shown to those who have to wait.
    """

    def __init__(self, engine: Engine, user: str) -> None:
        self._engine = engine
        self._user = user
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        """Start with a new identity and without locks."""
        self._identity = uuid.uuid4().hex
        self._held: set[str] = set()
        self._released: set[str] = set()
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._first_seen: dict[str, tuple[Holder, float]] = {}

    @contextmanager
    def holding(self, run_id: str | None = None) -> Iterator[HeldLocks]:
        """Take locks within the block; all are released at its end.

        Parameters
        ----------
        run_id
            The run that holds the locks; by default, a new holder for this operation.
        """
        held = HeldLocks(self, run_id or str(uuid.uuid4()))
        try:
            yield held
        finally:
            self.release(held.run_id)

    def take(self, name: str, run_id: str) -> Holder | None:
        """Take a lock.

        The lock of a dead holder is taken over; if only its silence indicates that, after watching it for some seconds.

        Parameters
        ----------
        name
            The name of the lock.
        run_id
            The run that will hold it.

        Returns
        -------
        Holder or None
            None if the lock was taken, else the live holder.
        """
        holder = change(self._engine, lambda database: self._take(database, name, run_id, None))
        if holder is not None and not holder.is_alive and self._is_silent(name, holder):
            silent = holder
            holder = change(self._engine, lambda database: self._take(database, name, run_id, silent))
        if holder is None:
            self._add_held(run_id)
        return holder

    def send_heartbeat(self, run_id: str) -> None:
        """Update the heartbeat now, in addition to the thread.

        Raises
        ------
        LockLostError
            Another process took over the locks, because this one was silent for minutes.
        """
        if run_id in self._held and not change(self._engine, lambda database: self._beat(database, run_id)):
            self._remove_held(run_id)
            raise LockLostError(
                "Another process took this work over, because this one sent no heartbeat for minutes.",
                advise("See its status: ", Do("status"), "."),
                code="lock_lost",
            )

    def release(self, run_id: str) -> None:
        """Release all locks of a run that this process holds; later if the database does not respond."""
        self._remove_held(run_id)
        try:
            change(self._engine, lambda database: self._delete(database, run_id))
        except CiError:
            with self._guard:
                self._released.add(run_id)
                self._start()

    def own_files(self) -> str:
        """Return the name under which this process owns files, and send heartbeats until the process ends."""
        identity = self._identity

        def work(database: Connection) -> None:
            mine = locks.c.name == f"{_FILES}{identity}"
            beat = update(locks).where(mine).values(beat=locks.c.beat + 1, seen_at=self._now())
            if not database.execute(beat).rowcount:
                database.execute(insert(locks).values(self._row(f"{_FILES}{identity}", identity)))

        change(self._engine, work)
        self._add_held(identity)
        return identity

    def live_owners(self, watched: Collection[str] = ()) -> frozenset[str]:
        """Return which processes that own files are still alive, and delete the records of the others.

        A process on another machine counts as alive until it has been silent for `ABSENCE` seconds.

        Parameters
        ----------
        watched
            Owners to watch for some seconds as well, so that a recently ended one is detected.
        """
        owners = {each.identity: each for each in self._owners()}
        live = {name for name, each in owners.items() if each.was_alive_within(ABSENCE)} | {self._identity}
        # A process on another machine may have ended less than `ABSENCE` seconds ago: watch those that matter.
        doubtful = {name: owners[name] for name in live & owners.keys() & set(watched) if not owners[name].is_local}
        live -= self._without_heartbeat(doubtful)
        for name in owners.keys() - live:
            change(self._engine, lambda database, name=name: self._delete_of(database, name))  # type: ignore[misc]
        return frozenset(live)

    def _owners(self) -> list[Holder]:
        with read_transaction(self._engine) as database:
            return self._holders(database, locks.c.name.startswith(_FILES, autoescape=True))

    def _without_heartbeat(self, owners: dict[str, Holder]) -> set[str]:
        """Return the owners whose heartbeat does not change while they are watched, timed by a monotonic clock."""
        pause, since = threading.Event(), SystemClock().monotonic()
        left = dict(owners)
        while left and SystemClock().monotonic() - since < WATCH:
            pause.wait(_POLL_SECONDS)
            now = {each.identity: each for each in self._owners()}
            left = {name: each for name, each in left.items() if name in now and each.has_same_heartbeat(now[name])}
        return set(left)

    def _delete_of(self, database: Connection, identity: str) -> None:
        database.execute(delete(locks).where(locks.c.name == f"{_FILES}{identity}"))

    def _end(self) -> None:
        """Give up file ownership at exit. If the database does not respond, others notice the missing heartbeat."""
        if self._identity in self._held:
            with suppress(CiError):
                change(self._engine, lambda database: self._delete_of(database, self._identity))

    def holder(self, name: str) -> Holder | None:
        """Return the holder of a lock, dead or alive."""
        with read_transaction(self._engine) as database:
            return self._holder(database, locks.c.name == name)

    def holder_of_run(self, run_id: str) -> Holder | None:
        """Return the holder of a run's lock, dead or alive, or None."""
        with read_transaction(self._engine) as database:
            return self._holder(database, locks.c.run_id == run_id)

    def _take(self, database: Connection, name: str, run_id: str, silent: Holder | None) -> Holder | None:
        """Take a lock that is free, or whose holder has died."""
        holder = self._holder(database, locks.c.name == name)
        row = self._row(name, run_id)
        if holder is None:
            database.execute(insert(locks).values(row))
            return None
        is_dead = not holder.is_alive and holder.is_local
        if not (is_dead or (silent is not None and holder.has_same_heartbeat(silent))):
            return holder
        # A policy of the database may not let this user take over the lock: then no row changes.
        taken = database.execute(update(locks).where(locks.c.name == name).values(row))
        return None if taken.rowcount else holder

    def _is_silent(self, name: str, holder: Holder) -> bool:
        """Watch a holder, and return whether it stayed silent for long enough."""
        if holder.is_local:
            return True
        known, since = self._first_seen.get(name, (holder, 0.0))
        if name not in self._first_seen or not known.has_same_heartbeat(holder):
            since = SystemClock().monotonic()
            self._first_seen[name] = (holder, since)
        pause = threading.Event()
        while SystemClock().monotonic() - since < WATCH:
            pause.wait(_POLL_SECONDS)
            now = self.holder(name)
            if now is None or not now.has_same_heartbeat(holder):
                return now is None
        return True

    def _add_held(self, run_id: str) -> None:
        with self._guard:
            self._held.add(run_id)
            self._start()

    def _remove_held(self, run_id: str) -> None:
        with self._guard:
            self._held.discard(run_id)
            if not self._held and not self._released:
                self._ended.set()
                self._thread = None

    def _start(self) -> None:
        """Start the heartbeat thread, which runs while this process holds something."""
        if self._thread is None and not _is_in_memory(self._engine):
            self._ended = threading.Event()
            self._thread = threading.Thread(target=self._keep_alive, args=(self._ended,), daemon=True)
            self._thread.start()

    def _keep_alive(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            try:
                for run_id in list(self._released):
                    change(self._engine, lambda database, run_id=run_id: self._delete(database, run_id))  # type: ignore[misc]
                    self._released.discard(run_id)
                    self._remove_held(run_id)
                if self._held:
                    change(self._engine, self._beat)
            except CiError:
                continue  # the database does not respond; other processes cannot read it either

    def _beat(self, database: Connection, run_id: str | None = None) -> int:
        """Increment the heartbeat, and return the number of locks."""
        mine = locks.c.identity == self._identity
        mark = update(locks).where(mine if run_id is None else mine & (locks.c.run_id == run_id))
        return database.execute(mark.values(beat=locks.c.beat + 1, seen_at=self._now())).rowcount

    def _delete(self, database: Connection, run_id: str) -> None:
        database.execute(delete(locks).where(locks.c.run_id == run_id, locks.c.identity == self._identity))

    def _row(self, name: str, run_id: str) -> dict[str, Any]:
        return {
            "name": name,
            "run_id": run_id,
            "holder": self._user,
            "host": platform.node(),
            "process": process_name(os.getpid()),
            "place": process_place(),
            "identity": self._identity,
            "beat": 0,
            "taken_at": self._now(),
            "seen_at": self._now(),
        }

    def _now(self) -> ColumnElement[datetime]:
        """Return the database's current time."""
        if self._engine.dialect.name == "sqlite":
            return literal_column(_SQLITE_NOW, UtcDateTime())
        return func.clock_timestamp(type_=UtcDateTime()) if self._engine.dialect.name == "postgresql" else func.now()

    def _holder(self, database: Connection, condition: ColumnElement[bool]) -> Holder | None:
        return next(iter(self._holders(database, condition)), None)

    def _holders(self, database: Connection, condition: ColumnElement[bool]) -> list[Holder]:
        columns = [locks.c[field] for field in Holder.__dataclass_fields__ if field != "now"]
        rows = database.execute(select(*columns, self._now().label("now")).where(condition)).mappings()
        return [Holder(**row) for row in rows]


_all: weakref.WeakSet[Locks] = weakref.WeakSet()


@dataclass(frozen=True)
class HeldLocks:
    """The locks that a block holds; see `Locks.holding`.

    Parameters
    ----------
    locks
        The locks of the workspace.
    run_id
        The run that holds them.
    """

    locks: Locks
    run_id: str

    def take(self, name: str) -> Holder | None:
        """Take a lock too; see `Locks.take`."""
        return self.locks.take(name, self.run_id)

    def require(self, name: str, busy: Callable[[Holder], CiError]) -> None:
        """Take a lock too, or raise an error about its live holder.

        Parameters
        ----------
        name
            The name of the lock.
        busy
            Returns the error.
        """
        holder = self.take(name)
        if holder is not None:
            raise busy(holder)

    def send_heartbeat(self) -> None:
        """Update the heartbeat; see `Locks.send_heartbeat`."""
        self.locks.send_heartbeat(self.run_id)


@atexit.register
def _end_all() -> None:
    for each in list(_all):
        each._end()  # noqa: SLF001 - of this module


def _is_in_memory(engine: Engine) -> bool:
    """Return whether a database exists only in this process."""
    place = engine.url.database or ""
    return engine.dialect.name == "sqlite" and (not place or place.startswith((":memory:", "file:")))


def _forget_after_fork() -> None:
    """Give the child of a fork no locks: its parent holds them, and the heartbeat thread was not copied."""
    for each in list(_all):
        each._reset()  # noqa: SLF001 - of this module
        each._engine.dispose(close=False)  # noqa: SLF001 - the parent's connections stay the parent's


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
