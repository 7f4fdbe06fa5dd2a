"""Tasks other than exports, killed at random: refresh, erasure, purge, segments of exports, reading, migration.

Each task is prepared, started in another process and killed; then it is repeated. The result must be the same as
without the kill.
"""

from __future__ import annotations

import functools
import json
import multiprocessing as mp
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from contoso import NAME, connect, export, hash_of, people, segment
from disk_faults import FULL, KILL, run_with_fault
from killed_exports import Counting, Emulator, Trial, WorkspaceEmulator, unfinished
from sqlalchemy import create_engine, inspect, text

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.plans.ledger import read_ledger
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.activation.retention import purge
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError
from ci_magics.workspace.schema import upgrade
from ci_magics.workspace.store import open_workspace
from ci_magics.workspace.tables import metadata

_TRIES = 30
#: Where the tables of an early workspace come from, and how far it is upgraded before the task.
_FIRST, _OLD = "0001", "0008"
_EARLY_SEGMENTS = 300


@dataclass(frozen=True)
class VerbCall:
    """Something to do in a workspace.

    Parameters
    ----------
    prepare
        Prepares the workspace; called with its folder.
    do
        What is killed and repeated.
    local
        Whether it sends no request. Then the disk fails, and kills happen at its file operations.
    fault_rate
        The share of requests that fail in a trial with faults; higher for tasks with few requests.
    """

    prepare: Callable[[Path], None]
    do: Callable[[Path], object]
    local: bool = False
    fault_rate: float = 0.3


def quietly(_sentence: str) -> None:
    """Show nothing."""


def _file_and_export(folder: Path) -> None:
    people(3_000).to_csv(folder / "people.csv", index=False)
    ci.segment("All", folder / "people.csv", show=quietly)
    ci.exports.run(ci.exports.save("Weekly", "All", to=NAME).name)
    people(3_000, 700).to_csv(folder / "people.csv", index=False)


def _refresh(_folder: Path) -> None:
    if refresh(show=quietly).not_completed:
        raise CiError("It is not done.", "Refresh again.", code="again")


def _sent_twice(_folder: Path) -> None:
    export(segment(2_500))
    export(segment(1_200, 2_000, name="More"), normalization="both")
    segment(2_400, 30)


def _finish_runs() -> None:
    """Complete unfinished runs first, as the messages advise."""
    for record in open_workspace().runs:
        if record.finished_at is None:
            ci.runs.resume(record.id, show=quietly)


def _forget(_folder: Path) -> None:
    _finish_runs()
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
    ci.exports.run(ci.exports.save("Weekly", segment(1_500), to=NAME).name)
    segment(900, 5_000, name="More")


def _attach(_folder: Path) -> None:
    _finish_runs()
    ci.exports.edit("Weekly", segments=("All", "More"))
    run = ci.exports.run("Weekly", show=quietly)
    if run.status != "Completed":
        raise CiError("It is not done.", "Run it again.", code="again")


def _old_schema(folder: Path) -> None:
    place = folder / "old"
    place.mkdir()
    definition = {"email": "EMail", "key": "Id", "database": "postgresql://eva:secret@db/sales"}
    names = [f"S{number:03}" for number in range(_EARLY_SEGMENTS)]
    with create_engine(f"sqlite:///{place / 'workspace.sqlite'}").begin() as database:
        upgrade(database, to=_FIRST)
        database.execute(
            text(
                "INSERT INTO segments (id, name, definition, fingerprint, rows, domains, examples, unused_consent, "
                "created_by, created_at) "
                "VALUES (:name, :name, :definition, 'f', 3, '{}', '{}', '[]', 'eva', '2026-11-01 10:00:00.000000')"
            ),
            [{"name": name, "definition": json.dumps(definition)} for name in names],
        )
        upgrade(database, _FIRST, to=_OLD)


def _migrate(folder: Path) -> None:
    open_workspace(folder / "old")


def _members(_folder: Path) -> None:
    """Prepare nothing."""


def _read(via: str, _folder: Path) -> None:
    ci.segment("All", ci.insights("Contoso", show=quietly).segment("All_customers", via=via), show=quietly)


TASKS: dict[str, VerbCall] = {
    "refresh": VerbCall(_file_and_export, _refresh),
    "forget": VerbCall(_sent_twice, _forget),
    "purge": VerbCall(_left_over, _purge, local=True),
    "attach": VerbCall(_saved, _attach),
    "migration": VerbCall(_old_schema, _migrate, local=True),
    "read by rest": VerbCall(_members, functools.partial(_read, "rest"), fault_rate=0.05),
    "read by csv": VerbCall(_members, functools.partial(_read, "csv"), fault_rate=0.2),
    "read by dataverse": VerbCall(_members, functools.partial(_read, "dataverse"), fault_rate=0.1),
}


def run_task(emulator: Emulator, seed: int) -> Trial:
    """Kill a task once or twice, repeat it, and compare."""
    chance = random.Random(seed)
    kind = list(TASKS)[seed % len(TASKS)]
    disturb = _fail_at_operation if TASKS[kind].local else _kill
    undisturbed, seconds, operations = undisturbed_task(emulator, kind)
    with_faults, kills, midway, failures = chance.random() < 0.5, 0, 0, 0
    with _prepared(emulator, kind) as folder:
        counting = Counting(emulator)
        if with_faults and TASKS[kind].local:
            faulted = run_with_fault(*_at_random(kind, folder, chance, operations), FULL, *_within(folder))
            failures += faulted.said is not None
        elif with_faults:
            emulator.control("POST", "/settings", {"fault_rate": TASKS[kind].fault_rate, "fault_seed": seed})
        for _ in range(chance.choice([1, 1, 2])):
            kills += disturb(emulator, kind, folder, chance, seconds, operations)
            midway += unfinished(folder)
        _finished(emulator, kind, folder)
        ending, asked = _state(emulator, folder), counting.counts()
    for name in [each for each in ending if ending[each] != undisturbed[each]]:
        sys.stderr.write(f"{name}: {str(ending[name])[:500]} instead of {str(undisturbed[name])[:500]}\n")
    asked["faults"] += failures
    return Trial(seed, kind, long=False, kills=kills, midway=midway, equal=ending == undisturbed, agreed=True, **asked)


def _kill(emulator: Emulator, kind: str, folder: Path, chance: random.Random, seconds: float, _operations: int) -> bool:
    """Start a task and kill it after a while; return whether it was running."""
    process, _answer = _start(emulator, kind, folder)
    process.join(chance.uniform(0, seconds))
    alive = process.is_alive()
    if isinstance(emulator, WorkspaceEmulator) and chance.random() < 0.3:
        emulator.kill()
    process.kill()
    process.join()
    return bool(alive)


def _fail_at_operation(
    _emulator: Emulator, kind: str, folder: Path, chance: random.Random, _seconds: float, operations: int
) -> bool:
    """Kill a task at one of its file operations; return whether it reached it."""
    return run_with_fault(*_at_random(kind, folder, chance, operations), KILL, *_within(folder)).operations is None


def _at_random(kind: str, folder: Path, chance: random.Random, operations: int) -> tuple[Callable[[], object], int]:
    return functools.partial(TASKS[kind].do, folder), chance.randint(1, operations)


def _within(folder: Path) -> tuple[tuple[str, ...], dict[str, str | None]]:
    return (str(folder),), {name: os.environ[name] for name in ("CI_MAGICS_WORKSPACE", "CI_MAGICS_EMULATOR")}


@functools.cache
def undisturbed_task(emulator: Emulator, kind: str) -> tuple[dict[str, Any], float, int]:
    """Return the result of an undisturbed task, its duration, and its number of file operations."""
    operations = 0
    if TASKS[kind].local:
        with _prepared(emulator, kind) as folder:
            whole = run_with_fault(functools.partial(TASKS[kind].do, folder), 0, KILL, *_within(folder))
            assert whole.said is None
            operations = whole.operations or 0
    with _prepared(emulator, kind) as folder:
        seconds = _finished(emulator, kind, folder)
        return _state(emulator, folder), seconds, operations


@contextmanager
def _prepared(emulator: Emulator, kind: str) -> Iterator[Path]:
    if not isinstance(emulator, WorkspaceEmulator):
        emulator.control("POST", "/reset")
        emulator.renew()
    folder = Path(tempfile.mkdtemp())
    os.environ |= {"CI_MAGICS_WORKSPACE": str(folder), "CI_MAGICS_EMULATOR": emulator.base_url}
    try:
        connect()
        os.environ["CI_MAGICS_SUBSCRIPTION_KEY"] = emulator.subscription_key
        emulator.control("POST", "/settings", {"customers": 2_000, "page_size": 16, "dataverse_page_size": 50})
        TASKS[kind].prepare(folder)
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
            TASKS[kind].do(Path(folder))
        except CiError as error:
            last = error
            continue
        answer.send("done")
        return
    answer.send(str(last))


def _state(emulator: Emulator, folder: Path) -> dict[str, Any]:
    """Return everything that must be the same."""
    workspace = open_workspace(folder)
    audiences = {each.name: each for each in workspace.audiences}
    old = folder / "old"
    tables = inspect(create_engine(f"sqlite:///{old / 'workspace.sqlite'}")).get_table_names() if old.exists() else []
    return {
        "segments": {each.name: each.rows for each in workspace.segments},
        "profiles": {each.name: _profiles(workspace, each.id) for each in workspace.segments},
        "ledgers": {name: _hashes(read_ledger(workspace, each).all) for name, each in audiences.items()},
        "members": {name: frozenset(emulator.members(name)) for name in audiences},
        "unfinished": sum(each.finished_at is None for each in workspace.runs),
        "spool": [each for each in workspace.spool.names() if not each.startswith("rejected-")],
        "snapshots": len(workspace.snapshots.names()) == len(workspace.segments) + len(workspace.versions),
        "forgotten": len(workspace.forgotten),
        "exports": {each.name: each.segments for each in workspace.exports},
        "schema": set(tables) >= set(metadata.tables) if tables else None,
        "early": [(each.name, each.rows, each.definition) for each in open_workspace(old).segments] if tables else [],
    }


def _profiles(workspace: Any, segment_id: str) -> frozenset[tuple[str, ...]]:
    rows = workspace.snapshots.read(segment_id).select(["key", "reason_basic", "sha256_basic"]).to_pylist()
    return frozenset(tuple(map(str, row.values())) for row in rows)


def _hashes(hashes: Any) -> frozenset[str]:
    return frozenset(row.tobytes().hex() for row in hashes.all())
