"""Kill exports, the emulator or both at random times, complete the exports, and compare with undisturbed ones."""

from __future__ import annotations

import functools
import json
import multiprocessing as mp
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from contoso import connect, export, segment

import ci_magics as ci
from ci_magics.activation.connections import emulator_process
from ci_magics.activation.plans.ledger import read_ledger
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import load_run
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError
from ci_magics.matching import hash_sets
from ci_magics.server_extension.overview import overview
from ci_magics.workspace.store import open_workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

#: What is killed if the emulator belongs to the workspace.
VICTIMS = ("emulator", "both", "exporter")
#: Sequences of exports: mode, profiles before (None: a new audience), profiles now, first profile.
KINDS: dict[str, tuple[str, int, int, int]] = {
    "first by calls": ("mirror", 0, 7_500, 0),
    "first by file": ("mirror", 0, 12_000, 0),
    "mirror by calls": ("mirror", 6_000, 6_000, 2_500),
    "mirror by files": ("mirror", 15_000, 15_000, 7_000),
    "add by calls": ("add", 3_000, 3_000, 2_000),
    "add by file": ("add", 1_000, 11_500, 500),
    "remove by calls": ("remove", 6_000, 2_500, 1_000),
    "remove by file": ("remove", 13_000, 11_500, 500),
    "replace by file": ("replace", 4_000, 3_000, 2_000),
}
_COUNTED = ("status", "accepted", "added", "removed", "unchanged", "rejected", "unknown", "unsent", "members")
#: An export makes few requests: a smaller number of faults would mostly miss it.
_FAULT_RATE = 0.3
_SHORT = 500
_TRIES = 20


class WorkspaceEmulator:
    """The emulator of the workspace in a trial, which can be killed too."""

    base_url = ""  # there is no other one

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return ci.emulator.control(path.removeprefix("/"), {} if method == "POST" and body is None else body)

    def audiences(self) -> dict[str, dict[str, Any]]:
        return {each["Name"]: each for each in self.control("GET", "/audiences") if not each["deleted"]}

    def members(self, name: str) -> set[str]:
        return set(self.control("GET", f"/audiences/{self.audiences()[name]['Id']}/members").split())

    def kill(self) -> None:
        known = json.loads((open_workspace().emulator_folder / "process.json").read_text("utf-8"))
        with suppress(ProcessLookupError):
            os.kill(known["pid"], signal.SIGKILL)

    @property
    def subscription_key(self) -> str:
        return str(self.control("POST", "/credentials")["subscription_key"])

    def end(self) -> None:
        """Stop the process, and wait until it has released its state folder, to which it writes until the end."""
        folder = open_workspace().emulator_folder
        self.control("POST", "/stop")
        emulator_process.held.pop(folder).release()
        with closing(sqlite3.connect(folder / "state.sqlite", timeout=60, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")


Emulator: TypeAlias = "RunningEmulator | WorkspaceEmulator"


@dataclass(frozen=True)
class Ending:
    """The final state: the members in the emulator, the ledger, and the counts of the run."""

    members: frozenset[bytes]
    ledger: frozenset[bytes]
    maybe: int
    counts: tuple[Any, ...]


@dataclass(frozen=True)
class Trial:
    """One export or task that is killed.

    Parameters
    ----------
    seed
        The seed of the random choices.
    long
        Whether its lists are treated as long, and stored in parts.
    kills
        How many processes were killed before they ended.
    midway
        How many of these left an unfinished run.
    faults
        How many requests or disk operations failed at random.
    calls, files
        How many calls with hashes, and how many bulk files were sent.
    equal
        Whether the end equals that of an undisturbed one.
    agreed
        Whether all places agreed about it after it was killed.
    """

    seed: int
    kind: str
    long: bool
    kills: int
    midway: int
    faults: int
    calls: int
    files: int
    equal: bool
    agreed: bool


class Counting:
    """Counts the requests to an emulator since this object was created, as far as the emulator remembers them.

    Parameters
    ----------
    emulator
        Which one.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._earlier = {each["tracking_id"] for each in self._all()}

    def _all(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self._emulator.control("GET", "/requests?since=0")
        return lines

    def counts(self) -> dict[str, int]:
        """Return the faults, calls and files of a `Trial`."""
        lines = [each for each in self._all() if each["tracking_id"] not in self._earlier]
        asked = [each["operation"] for each in lines]
        return {
            "faults": sum("fault" in each for each in lines),
            "calls": asked.count("ApplyCustomerListUserData"),
            "files": asked.count("UploadFile"),
        }


def run_trial(emulator: Emulator, seed: int) -> Trial:
    """Kill one export or the workspace's emulator, once or twice, complete the export, and compare."""
    chance = random.Random(seed)
    victim = VICTIMS[seed % len(VICTIMS)] if isinstance(emulator, WorkspaceEmulator) else "exporter"
    kind = list(KINDS)[seed % len(KINDS)]
    undisturbed, seconds = undisturbed_ending(emulator, kind)
    with_faults, long = chance.random() < 0.5, chance.random() < 0.5
    kills, midway, agreed = 0, 0, True
    with _prepared(emulator, kind) as folder:
        counting = Counting(emulator)
        if with_faults:
            emulator.control("POST", "/settings", {"fault_rate": _FAULT_RATE, "fault_seed": seed})
        for _ in range(chance.choice([1, 1, 2])):
            kills += _killed(emulator, kind, folder, chance.uniform(0, seconds), long=long, victim=victim)
            midway += unfinished(folder)
            agreed &= _agree(emulator, kind, folder)
        counts, _seconds = _finished(emulator, kind, folder, long=long)
        ending, asked = _ending(emulator, folder, counts), counting.counts()
    return Trial(seed, kind, long, kills, midway, equal=ending == undisturbed, agreed=agreed, **asked)


def unfinished(folder: Path) -> int:
    """Return how many runs of a workspace are unfinished."""
    return sum(each.finished_at is None for each in open_workspace(folder).runs)


@functools.cache
def undisturbed_ending(emulator: Emulator, kind: str) -> tuple[Ending, float]:
    """Return how an undisturbed export ends, and how long it takes."""
    with _prepared(emulator, kind) as folder:
        counts, seconds = _finished(emulator, kind, folder, long=False)
        return _ending(emulator, folder, counts), seconds


@contextmanager
def _prepared(emulator: Emulator, kind: str) -> Iterator[Path]:
    """Create a workspace, and fill the audience that the export finds."""
    _mode, before, now, start = KINDS[kind]
    if not isinstance(emulator, WorkspaceEmulator):
        emulator.control("POST", "/reset")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CI_MAGICS_WORKSPACE": folder, "CI_MAGICS_EMULATOR": emulator.base_url}
        connect()
        if before:
            export(segment(before))
        segment(now, start)
        try:
            yield Path(folder)
        finally:
            if isinstance(emulator, WorkspaceEmulator):
                emulator.end()


def _killed(emulator: Emulator, kind: str, folder: Path, seconds: float, *, long: bool, victim: str) -> int:
    """Start the export in a separate process and kill something after a while; return whether the export was running.

    An export whose emulator was killed continues to its end.
    """
    process, answer = _start(emulator, kind, folder, long=long)
    if answer.poll(30) and answer.recv() == "ready":
        process.join(seconds)
    alive = process.is_alive()
    if victim != "exporter" and isinstance(emulator, WorkspaceEmulator):
        emulator.kill()
    if victim != "emulator":
        process.kill()
    process.join()
    return int(alive)


def _agree(emulator: Emulator, kind: str, folder: Path) -> bool:
    """Return whether all places agree about a killed run, and about a new audience."""
    workspace = open_workspace(folder)
    earlier = int(KINDS[kind][1] > 0)
    if len(workspace.runs) == earlier:
        return True  # it was killed before it started
    (record,) = workspace.runs.latest(1)
    run = load_run(workspace, record)
    shown = next(each for each in ci.status(workspace=workspace, show=_unsaid).document()["runs"])
    panel = overview(workspace).runs[0]
    said = {
        (run.status, run.accepted, run.rejected, run.unknown),
        (record.status, *(record.total(name) for name in ("accepted", "rejected", "unknown"))),
        (shown["status"], shown["accepted"], shown["rejected"], shown["unknown"]),
        (panel.status, panel.accepted, panel.rejected, panel.unknown),
    }
    if earlier or "All" not in emulator.audiences():
        return len(said) == 1
    return len(said) == 1 and run.accepted <= len(emulator.members("All")) <= run.accepted + run.unknown


def _finished(emulator: Emulator, kind: str, folder: Path, *, long: bool) -> tuple[tuple[Any, ...], float]:
    """Let a new process complete the export; return the counts of the run and the seconds it took."""
    process, answer = _start(emulator, kind, folder, long=long)
    assert answer.recv() == "ready"
    started = time.monotonic()
    counts: tuple[Any, ...] = answer.recv()
    seconds = time.monotonic() - started
    process.join()
    return counts, seconds


def _start(emulator: Emulator, kind: str, folder: Path, *, long: bool) -> tuple[Any, Connection]:
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(
        ["ci_magics.activation.exports.export", "ci_magics.activation.segments.make_segment", "pandas"]
    )
    ours, theirs = context.Pipe(duplex=False)
    mode, before, _now, _start_at = KINDS[kind]
    place = (str(folder), emulator.base_url)
    process = context.Process(target=_work, args=(mode, int(before > 0), place, long, theirs))
    process.start()
    theirs.close()
    return process, ours


def _work(mode: str, earlier_runs: int, place: tuple[str, str], long: bool, answer: Connection) -> None:
    """Complete the export: start it, resume it, or read its result."""
    os.environ |= {"CI_MAGICS_WORKSPACE": place[0], "CI_MAGICS_EMULATOR": place[1]}
    hash_sets.SHORT = _SHORT if long else hash_sets.SHORT
    SystemClock.sleep = lambda _clock, seconds: time.sleep(min(seconds, 0.02))  # type: ignore[method-assign]
    answer.send("ready")
    for _ in range(_TRIES):
        try:
            run = _begun_or_resumed(mode, earlier_runs)
        except CiError:
            continue  # too many random faults: try once more
        answer.send(tuple(getattr(run.results[0], name) for name in _COUNTED))
        return


def _begun_or_resumed(mode: str, earlier_runs: int) -> Run:
    workspace = open_workspace()
    begun = list(workspace.runs)[earlier_runs:]
    if not begun:
        return export("All", mode=mode, allow_shrink=True, show=_unsaid)
    record = begun[0]
    run = load_run(workspace, record) if record.finished_at else ci.runs.resume(record.id, show=_unsaid)
    assert isinstance(run, Run)
    return run


def _unsaid(_sentence: str) -> None:
    """Print nothing: a hundred killed exports would print a lot."""


def _ending(emulator: Emulator, folder: Path, counts: tuple[Any, ...]) -> Ending:
    workspace = open_workspace(folder)
    (record,) = workspace.audiences
    ledger = read_ledger(workspace, record)
    members = frozenset(bytes.fromhex(member) for member in emulator.members("All"))
    return Ending(members, frozenset(row.tobytes() for row in ledger.members.all()), len(ledger.maybe), counts)
