"""Errands beside exports that are killed at random moments: refresh, forget, purge, segments of an export, migration.

Each is prepared, begun in another process and killed; then it is done once more. What is there afterwards has to be
what is there when nothing happened.
"""

from __future__ import annotations

import functools
import multiprocessing as mp
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from contoso import connect, export, hash_of, people, segment
from crashing import Emulator, Trial, WorkspaceEmulator
from sqlalchemy import create_engine, inspect

import ci_magics as ci
from ci_magics.activation.exports.edits import edit_export
from ci_magics.activation.forgetting.forgetting import forget
from ci_magics.activation.planning.ledger import read_ledger
from ci_magics.activation.refreshing.refreshing import refresh
from ci_magics.activation.retention import purge
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError
from ci_magics.workspace.schema import upgrade
from ci_magics.workspace.store import open_workspace
from ci_magics.workspace.tables import metadata

_FAULT_RATE = 0.08
_TRIES = 30
_OLD = "0008"


@dataclass(frozen=True)
class Errand:
    """Something that is done in a workspace.

    Parameters
    ----------
    prepare
        What is there before; given the workspace's folder.
    do
        What is killed and done again.
    """

    prepare: Callable[[Path], None]
    do: Callable[[Path], object]


def quietly(_sentence: str) -> None:
    """Nobody listens."""


def _file_and_export(folder: Path) -> None:
    people(3_000).to_csv(folder / "people.csv", index=False)
    ci.segment("All", folder / "people.csv", show=quietly)
    export("All", save="Weekly", run=True)
    people(3_000, 700).to_csv(folder / "people.csv", index=False)


def _refresh(_folder: Path) -> None:
    if refresh(show=quietly).not_completed:
        raise CiError("It is not done.", "Refresh again.", code="again")


def _sent_twice(_folder: Path) -> None:
    export(segment(2_500))
    export(segment(1_200, 2_000, name="More"), normalization="both")
    segment(2_400, 30)


def _forget(_folder: Path) -> None:
    for record in open_workspace().runs:
        if record.finished_at is None:
            ci.export(resume=record.id, show=quietly)
    if not forget(sha256=hash_of("p2100@contoso.com"), show=quietly).erased:
        raise CiError("It is not done.", "Forget again.", code="again")


def _left_over(folder: Path) -> None:
    _sent_twice(folder)
    workspace = open_workspace()
    for number in range(20):
        workspace.snapshots.write_bytes(f"nobody-{number}.parquet", [memoryview(bytes(1_000))])


def _purge(_folder: Path) -> None:
    purge(now=SystemClock().now().replace(year=SystemClock().now().year + 1))


def _saved(_folder: Path) -> None:
    export(segment(1_500), save="Weekly", run=True)
    segment(900, 5_000, name="More")


def _attach(_folder: Path) -> None:
    edit_export("Weekly", segments=("All", "More"))
    run = ci.run_export("Weekly", show=quietly)
    if run.status not in ("Completed", "Completed with errors"):
        raise CiError("It is not done.", "Run it again.", code="again")


def _old_schema(folder: Path) -> None:
    place = folder / "old"
    place.mkdir()
    with create_engine(f"sqlite:///{place / 'workspace.sqlite'}").begin() as database:
        upgrade(database, to=_OLD)


def _migrate(folder: Path) -> None:
    open_workspace(folder / "old")


ERRANDS: dict[str, Errand] = {
    "refresh": Errand(_file_and_export, _refresh),
    "forget": Errand(_sent_twice, _forget),
    "purge": Errand(_left_over, _purge),
    "attach": Errand(_saved, _attach),
    "migration": Errand(_old_schema, _migrate),
}


def run_errand(emulator: Emulator, seed: int) -> Trial:
    """Kill an errand once or twice, do it once more, and compare."""
    chance = random.Random(seed)
    kind = list(ERRANDS)[seed % len(ERRANDS)]
    undisturbed, seconds = undisturbed_errand(emulator, kind)
    with_faults, kills = chance.random() < 0.5, 0
    with _prepared(emulator, kind) as folder:
        if with_faults:
            emulator.control("POST", "/settings", {"fault_rate": _FAULT_RATE, "fault_seed": seed})
        for _ in range(chance.choice([1, 1, 2])):
            process, _answer = _start(emulator, kind, folder)
            process.join(chance.uniform(0, seconds))
            kills += process.is_alive()
            if isinstance(emulator, WorkspaceEmulator) and chance.random() < 0.3:
                emulator.kill()
            process.kill()
            process.join()
        _finished(emulator, kind, folder)
        ending = _state(emulator, folder)
    return Trial(seed, kind, with_faults, long=False, kills=kills, equal=ending == undisturbed, agreed=True)


@functools.cache
def undisturbed_errand(emulator: Emulator, kind: str) -> tuple[dict[str, Any], float]:
    """Return what is there when nothing happens, and how long it takes."""
    with _prepared(emulator, kind) as folder:
        seconds = _finished(emulator, kind, folder)
        return _state(emulator, folder), seconds


@contextmanager
def _prepared(emulator: Emulator, kind: str) -> Iterator[Path]:
    if not isinstance(emulator, WorkspaceEmulator):
        emulator.control("POST", "/reset")
    folder = Path(tempfile.mkdtemp())
    os.environ |= {"CI_MAGICS_WORKSPACE": str(folder), "CI_MAGICS_EMULATOR": emulator.base_url}
    try:
        connect()
        ERRANDS[kind].prepare(folder)
        yield folder
    finally:
        if isinstance(emulator, WorkspaceEmulator):
            emulator.end()
        shutil.rmtree(folder, ignore_errors=True)


def _finished(emulator: Emulator, kind: str, folder: Path) -> float:
    process, answer = _start(emulator, kind, folder)
    started = time.monotonic()
    assert answer.recv() == "done"
    process.join()
    return time.monotonic() - started


def _start(emulator: Emulator, kind: str, folder: Path) -> tuple[Any, Connection]:
    context = mp.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(kind, str(folder), emulator.base_url, theirs))
    process.start()
    theirs.close()
    return process, ours


def _work(kind: str, folder: str, base_url: str, answer: Connection) -> None:
    os.environ |= {"CI_MAGICS_WORKSPACE": folder, "CI_MAGICS_EMULATOR": base_url}
    SystemClock.sleep = lambda _clock, seconds: time.sleep(min(seconds, 0.02))  # type: ignore[method-assign]
    last: CiError | None = None
    for _ in range(_TRIES):
        try:
            ERRANDS[kind].do(Path(folder))
        except CiError as error:
            last = error
            continue
        answer.send("done")
        return
    answer.send(str(last))


def _state(emulator: Emulator, folder: Path) -> dict[str, Any]:
    """Return all that has to be the same."""
    workspace = open_workspace(folder)
    audiences = {each.name: each for each in workspace.audiences}
    old = folder / "old" / "workspace.sqlite"
    tables = inspect(create_engine(f"sqlite:///{old}")).get_table_names() if old.exists() else []
    return {
        "segments": {each.name: each.rows for each in workspace.segments},
        "profiles": {each.name: _keys(workspace, each.id) for each in workspace.segments},
        "ledgers": {name: _hashes(read_ledger(workspace, each).all) for name, each in audiences.items()},
        "members": {name: frozenset(emulator.members(name)) for name in audiences},
        "unfinished": sum(each.finished_at is None for each in workspace.runs),
        "spool": [each for each in workspace.spool.names() if not each.startswith("rejected-")],
        "snapshots": len(workspace.snapshots.names()) == len(workspace.segments) + len(workspace.versions),
        "forgotten": len(workspace.forgotten),
        "exports": {each.name: each.segments for each in workspace.exports},
        "schema": set(tables) >= set(metadata.tables) if tables else None,
    }


def _keys(workspace: Any, segment_id: str) -> frozenset[str]:
    return frozenset(map(str, workspace.snapshots.read(segment_id)["key"].to_pylist()))


def _hashes(hashes: Any) -> frozenset[str]:
    return frozenset(row.tobytes().hex() for row in hashes.all())
