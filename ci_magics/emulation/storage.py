"""The state folder: the emulator's state on disk.

Names, settings, tokens and uploads are rows of a SQLite database; members are files of hashes that rows refer to. A row
is committed after its file is written. So a process that is killed leaves the state before or after a call, and at most
orphaned files, which the next process deletes.

The database is locked while the process runs, so a second emulator on the same folder does not start.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_magics.emulation.insights_state import Evaluation, Job, Segment
from ci_magics.emulation.members import Members
from ci_magics.emulation.people import People
from ci_magics.emulation.state import Audience, Settings, Token, Upload, User, World

if TYPE_CHECKING:
    from ci_magics.emulation.hashes import Hashes

#: Incremented when the format changes: an emulator never reads a format that it does not know.
FORMAT = 1
_DATABASE = "state.sqlite"
_FOLDERS = ("members", "uploads")
_DAY = 24 * 3600.0
_KEPT_TOKENS = 7 * _DAY  # for this long, an expired token is distinguished from an unknown one
_KEPT_UPLOADS = 30 * _DAY
_MOST_FILES = 8  # of one list, before they are merged
_WAITING = ("FileUploaded", "InProgress")
_PEOPLE = "people:"  # prefix of the names of known people's hashes; no list has such an id

_TABLES = """
CREATE TABLE IF NOT EXISTS rows (kind TEXT, id TEXT, body TEXT, data BLOB, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS files (number INTEGER PRIMARY KEY, list TEXT, change TEXT, bytes INTEGER);
"""


class StateTakenError(Exception):
    """Another emulator uses the folder."""


class StateDamagedError(Exception):
    """The folder contains something that this version cannot read."""


class Storage:
    """The state folder of one emulator.

    Parameters
    ----------
    folder
        The folder; created if it does not exist, readable only by its owner.

    Raises
    ------
    StateTakenError
        Another emulator uses it.
    StateDamagedError
        It cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for each in (folder, *(folder / name for name in _FOLDERS)):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(folder / _DATABASE, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(folder / _DATABASE, timeout=0, isolation_level=None, check_same_thread=False)
        self._written: dict[tuple[str, str], str] = {}
        self._files: dict[str, list[tuple[int, str]]] = {}  # by list: number and kind of change of each file
        self._next = 1
        try:
            self._open()
        except sqlite3.OperationalError as error:
            self._database.close()
            raise (StateTakenError if "locked" in str(error) else StateDamagedError) from None
        except sqlite3.DatabaseError:
            self._database.close()
            raise StateDamagedError from None

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode=EXCLUSIVE")  # before WAL, so that it needs neither shared memory nor a local disk
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run("PRAGMA secure_delete=ON")
        run("BEGIN EXCLUSIVE")  # take the lock now, not at the first write
        version = int(run("PRAGMA user_version").fetchone()[0])
        if version not in (0, FORMAT):
            raise sqlite3.DatabaseError
        for statement in _TABLES.split(";"):
            run(statement)
        run(f"PRAGMA user_version={FORMAT}")
        run("COMMIT")

    def close(self) -> None:
        """Release the folder."""
        self._database.close()

    def read(self, world: World) -> None:
        """Restore the saved state into a new world; if there is none, save the world's initial state.

        Raises
        ------
        StateDamagedError
            A row or a file of members cannot be read.
        """
        try:
            self._read_files()
            kept = self._rows()
            if "world" in kept:
                _restore(world, kept, self)
            waiting = {each.request_id for each, _content in self.waiting_uploads(world)}
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, OSError):
            raise StateDamagedError from None
        self._delete_strays(waiting)
        world.storage, world.keep = self, self.write
        self.write(world)

    def write(self, world: World) -> None:
        """Save all changes since the last call, atomically."""
        rows = dict(_rows_of(world))
        changed = {key: body for key, body in rows.items() if self._written.get(key) != body}
        gone = self._written.keys() - rows.keys()
        lists = {audience.id: audience.members for audience in world.audiences.values() if audience.members.changes}
        people = _names_of(world.people) if world.people else {}
        new_people = people.keys() - self._files.keys()
        known = {*(audience.id for audience in world.audiences.values()), *people}
        forgotten = [name for name in self._files if name not in known]
        results = [each for each in world.uploads.values() if ("upload", each.request_id) in changed and each.result]
        if not (changed or gone or lists or new_people or forgotten):
            return
        stale: list[int] = []
        with self._transaction():
            for name, members in lists.items():
                stale += self._append(name, members)
            for name in new_people:
                self._add_file(name, "add", people[name])
            for name in forgotten:
                stale += self._drop(name)
            run = self._database.executemany
            run("DELETE FROM rows WHERE kind = ? AND id = ?", list(gone))
            run(
                "INSERT INTO rows (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                [(kind, identity, body) for (kind, identity), body in changed.items()],
            )
            run(
                "UPDATE rows SET data = ? WHERE kind = 'upload' AND id = ? AND data IS NULL",
                [(each.result, each.request_id) for each in results],
            )
        self._written = rows
        for members in lists.values():
            members.changes.clear()
        self._unlink(stale)
        for upload in [identity for kind, identity in gone if kind == "upload"]:
            self.drop_upload(upload)

    def unsettled(self, world: World) -> list[Audience]:
        """Return the lists whose files contain removed members, or are too many."""
        return [each for each in world.audiences.values() if self._is_unsettled(self._files.get(each.id, []))]

    def settle(self, audience: Audience) -> None:
        """Rewrite the members of a list as one file, so that no trace of removed members remains."""
        old = self._files.get(audience.id, [])
        if audience.members.changes or not self._is_unsettled(old):
            return
        members = audience.members.sorted()
        with self._transaction():
            stale = self._drop(audience.id)
            if len(members):
                self._add_file(audience.id, "add", members)
        self._unlink(stale)

    def overwrite_deleted(self) -> None:
        """Remove all traces of deleted rows from the database's files."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def keep_upload(self, request_id: str, content: bytes) -> None:
        """Save an uploaded file until it is processed.

        Parameters
        ----------
        request_id
            The upload's id.
        content
            The file's bytes.
        """
        write_private(self.folder / "uploads" / request_id, content)

    def waiting_uploads(self, world: World) -> list[tuple[Upload, bytes]]:
        """Return the accepted uploads that are not processed yet, with their files."""
        waiting = [each for each in world.uploads.values() if each.status in _WAITING]
        return [(each, (self.folder / "uploads" / each.request_id).read_bytes()) for each in waiting]

    def drop_upload(self, request_id: str) -> None:
        """Delete an uploaded file, if it exists."""
        (self.folder / "uploads" / request_id).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        files, number = {name: [*each] for name, each in self._files.items()}, self._next
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            self._unlink(range(number, self._next))
            self._files = files
            raise

    def _append(self, name: str, members: Members) -> list[int]:
        """Write the changes of a list as files; returns the numbers of obsolete files."""
        stale: list[int] = []
        for change, hashes in members.changes:
            if change == "clear":
                stale += self._drop(name)
            elif hashes is not None and len(hashes):
                self._add_file(name, change, hashes)
        return stale

    def _add_file(self, name: str, change: str, hashes: Hashes | set[bytes]) -> None:
        content = memoryview(b"".join(sorted(hashes)) if isinstance(hashes, set) else hashes.tobytes())
        number, self._next = self._next, self._next + 1
        write_private(self._path(number), content)
        self._database.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (number, name, change, content.nbytes))
        self._files.setdefault(name, []).append((number, change))

    def _drop(self, name: str) -> list[int]:
        self._database.execute("DELETE FROM files WHERE list = ?", (name,))
        return [number for number, _change in self._files.pop(name, [])]

    def _is_unsettled(self, files: list[tuple[int, str]]) -> bool:
        return len(files) > _MOST_FILES or any(change == "remove" for _number, change in files)

    def _unlink(self, numbers: list[int] | range) -> None:
        for number in numbers:
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / "members" / f"{number}.bin"

    def _read_files(self) -> None:
        for number, name, change, size in self._database.execute("SELECT * FROM files ORDER BY number"):
            if self._path(number).stat().st_size != size:
                raise StateDamagedError
            self._files.setdefault(name, []).append((number, change))
            self._next = number + 1

    def _rows(self) -> dict[str, dict[str, tuple[dict[str, Any], bytes]]]:
        kept: dict[str, dict[str, tuple[dict[str, Any], bytes]]] = {}
        for kind, identity, body, data in self._database.execute(
            "SELECT kind, id, body, data FROM rows ORDER BY rowid"
        ):
            self._written[kind, identity] = body
            kept.setdefault(kind, {})[identity] = (json.loads(body), data or b"")
        return kept

    def _delete_strays(self, waiting: set[str]) -> None:
        """Delete files without a row, which remain if a process is killed."""
        known = {f"{number}.bin" for files in self._files.values() for number, _change in files}
        for folder, names in (("members", known), ("uploads", waiting)):
            for path in (self.folder / folder).iterdir():
                if path.name not in names:
                    path.unlink(missing_ok=True)

    def members_of(self, name: str) -> Members:
        """Return the members of a list; its files are read on demand."""
        files = tuple(self._files.get(name, ()))
        return Members(partial(self._merged, files) if files else None)

    def people_of(self, mark: str) -> People:
        """Return the people with a mark."""
        known = {name.rpartition(":")[2]: name for name in self._files if name.startswith(f"{_PEOPLE}{mark}:")}
        return People({rule: self._merged(tuple(self._files[name])) for rule, name in known.items()}, mark)

    def _merged(self, files: tuple[tuple[int, str], ...]) -> Hashes:
        from ci_magics.emulation import hashes

        merged = hashes.of_bytes(b"")
        for number, change in files:
            found = hashes.of_bytes(self._path(number).read_bytes())
            merged = hashes.difference(merged, found) if change == "remove" else hashes.union(merged, found)
        return merged


def _names_of(people: People) -> dict[str, Hashes]:
    """Return the hashes of known people by the names under which they are stored."""
    return {f"{_PEOPLE}{people.mark}:{rule}": known for rule, known in people.by_rule.items()}


def _rows_of(world: World) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the saved state of a world, except members and results: kind, id and JSON."""
    identity = {name: getattr(world, name) for name in ("instance_id", "control_token", "subscription_key", "next_id")}
    more = {
        "user": asdict(world.user),
        "ahead": world.clock.ahead,
        "settings": asdict(world.settings),
        "people": world.people.mark if world.people else None,
        "insights": [world.insights.began, world.insights.created],
    }
    yield ("world", ""), _json(identity | more)
    for kind, values, left_out in (
        ("audience", world.audiences, ("members",)),
        ("upload", world.uploads, ("result",)),
        ("access_token", world.access_tokens, ()),
        ("refresh_token", world.refresh_tokens, ()),
        ("segment", world.insights.segments, ()),
        ("job", world.insights.jobs, ()),
    ):
        for name, value in values.items():
            yield (kind, name), _json({each: held for each, held in vars(value).items() if each not in left_out})
    for kind, documents in _documents(world).items():
        for name, document in documents.items():
            yield (kind, name), _json(document)


def _documents(world: World) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the state that consists of JSON objects, by kind."""
    return {
        "code": world.codes,
        "device_code": world.device_codes,
        "schedule": world.insights.schedules,
        "activity": world.insights.activities,
    }


def _restore(world: World, kept: dict[str, dict[str, tuple[dict[str, Any], bytes]]], storage: Storage) -> None:
    whole = kept["world"][""][0]
    for name in ("instance_id", "control_token", "subscription_key", "next_id"):
        setattr(world, name, whole[name])
    world.user = User(**whole["user"])
    world.reset()  # state that depends on the identity starts with it
    world.clock.ahead = whole["ahead"]
    names = {each.name for each in fields(Settings)}
    known = {name: value for name, value in whole["settings"].items() if name in names}
    world.settings = Settings(**(asdict(world.first_settings) | known))
    world.people = storage.people_of(whole["people"]) if whole["people"] else None
    now = world.clock.now()

    def bodies(kind: str) -> dict[str, dict[str, Any]]:
        return {identity: body for identity, (body, _data) in kept.get(kind, {}).items()}

    for name, body in bodies("audience").items():
        measured = body.pop("measured")
        world.audiences[name] = Audience(**body, members=storage.members_of(name))
        world.audiences[name].measured = (tuple(measured[0]), measured[1]) if measured else None
    for name, (body, result) in kept.get("upload", {}).items():
        if body["expires"] > now - _KEPT_UPLOADS:
            world.uploads[name] = Upload(**body, result=result)
    for kind, tokens in (("access_token", world.access_tokens), ("refresh_token", world.refresh_tokens)):
        tokens |= {each: Token(**body) for each, body in bodies(kind).items() if body["expires"] > now - _KEPT_TOKENS}
    for kind, documents in _documents(world).items():
        documents.clear()
        documents |= bodies(kind)
    insights = world.insights
    insights.began, insights.created = whole["insights"]
    insights.segments = {name: _segment(body) for name, body in bodies("segment").items()}
    insights.jobs = {name: Job(**body) for name, body in bodies("job").items()}


def _segment(body: dict[str, Any]) -> Segment:
    history = [Evaluation(**each) for each in body.pop("history")]
    return Segment(**body, history=history)


def _json(value: Any) -> str:
    return json.dumps(value, default=vars)


def write_private(path: Path, content: bytes | memoryview) -> None:
    """Write a file that only its owner can read.

    Parameters
    ----------
    path
        The file.
    content
        Its bytes.
    """
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
        left = memoryview(content)
        while left:
            left = left[file.write(left) or 0 :]
