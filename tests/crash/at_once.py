"""Eight processes run random operations on one workspace: ``python tests/crash/at_once.py [--seconds 600]``.

Each process records what it did, and the end is compared with the sum: no change is lost, no lock has two holders, and
the only errors are those that a user is expected to see.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ci_magics.clock import SystemClock, present
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb
from ci_magics.workspace.models import SegmentCount, SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace

EIGHT = 8
SEGMENTS = ("A", "B", "C")
#: The operations of each campaign.
KINDS = frozenset(f"{kind} {name}" for kind in ("rows", "tags") for name in SEGMENTS) | {
    "rows D",
    "entries",
    "counts",
    "held",
    "files",
    "readings",
}
_ROWS = 5_000
#: Errors that a user can get while others work too.
DOCUMENTED = frozenset({"lock_lost"})
#: What a process prints before it waits for all others.
_READY = "ready\n"


@dataclass(frozen=True)
class Campaign:
    """The result of a campaign.

    Parameters
    ----------
    done
        How often each operation ran.
    wrong
        What was lost or happened twice, as sentences.
    errors
        Errors that are not documented.
    slowest
        The slowest operation, and its seconds.
    fewest
        The number of operations of the process with the fewest.
    """

    done: Counter[str]
    wrong: tuple[str, ...]
    errors: tuple[str, ...]
    slowest: tuple[str, float]
    fewest: int


class Worker:
    """One of the processes.

    Parameters
    ----------
    workspace
        Shared with the others.
    folder
        For files that only the holder of a lock writes.
    """

    def __init__(self, workspace: Workspace, folder: Path, number: int) -> None:
        self.workspace = workspace
        self.folder = folder
        self.number = number
        self.random = random.Random(number)
        self.added: Counter[str] = Counter()

    def get_ready(self) -> None:
        """Import what the first use imports, which is slow for eight processes at once."""
        own = f"own-{self.number}"
        self.workspace.ledgers.write(own, numbers(self.number))
        self.workspace.ledgers.read(own)
        self.workspace.ledgers.delete(f"{own}.parquet")

    def count_up(self) -> None:
        """Change a row that the others change, too."""
        name = self.random.choice(SEGMENTS)
        self.workspace.segments.change(lambda found: replace(found, rows=found.rows + 1), name=name)
        self.added[f"rows {name}"] += 1

    def tag(self) -> None:
        """Change another column of the same row."""
        name = self.random.choice(SEGMENTS)
        self.workspace.segments.change(lambda found: replace(found, tags=(*found.tags, "x")), name=name)
        self.added[f"tags {name}"] += 1

    def note(self) -> None:
        """Add an entry to the audit log."""
        self.workspace.audit.note(Verb.CHANGE_SEGMENT, "A", by=self.number)
        self.added["entries"] += 1

    def add(self) -> None:
        """Add a row."""
        self.workspace.counts.put(SegmentCount(str(uuid.uuid4()), "A", 1, present()))
        self.added["counts"] += 1

    def replace_as_a_whole(self) -> None:
        """Replace the row with a name by a new one."""
        made: Callable[[SegmentRecord | None], SegmentRecord] = lambda found: segment(  # noqa: E731 - one expression
            "D", rows=1 if found is None else found.rows + 1
        )
        self.workspace.segments.put_by_name("D", made)
        self.added["rows D"] += 1

    def hold(self) -> None:
        """Count in a file under a lock; two holders would lose a count."""
        run, file = str(uuid.uuid4()), self.folder / "counter"
        if self.workspace.locks.take("counter", run) is None:
            try:
                file.write_text(str(int(file.read_text("utf-8")) + 1), "utf-8")
                self.added["held"] += 1
            finally:
                self.workspace.locks.release(run)

    def write_a_file(self) -> None:
        """Replace a file that the others replace and read."""
        self.workspace.ledgers.write("shared", numbers(self.random.randrange(1_000)))
        self.added["files"] += 1

    def read_a_file(self) -> None:
        """Read it: it must be one of the written files as a whole."""
        found = self.workspace.ledgers.read("shared")["number"].to_pylist()
        if len(found) != _ROWS or len(set(found)) != 1:
            raise AssertionError("a file is a mixture of two")
        self.added["readings"] += 1

    def work(self, seconds: float) -> dict[str, Any]:
        """Run random operations until the time is over; return their counts, the failures, and the slowest."""
        clock, errors, slowest = SystemClock(), [], ("", 0.0)
        end = clock.monotonic() + seconds
        operations = (self.count_up, self.tag, self.note, self.add, self.replace_as_a_whole, self.hold)
        operations += (self.write_a_file, self.read_a_file)
        while clock.monotonic() < end:
            operation = self.random.choice(operations)
            begun = clock.monotonic()
            try:
                operation()
            except CiError as error:
                if error.code not in DOCUMENTED:
                    errors.append(f"{operation.__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - every other one is a finding
                errors.append(f"{operation.__name__}: {type(error).__name__}: {error}")
            slowest = max(slowest, (operation.__name__, clock.monotonic() - begun), key=lambda each: each[1])
        return {"added": self.added, "errors": errors, "slowest": slowest}


def numbers(number: int) -> pa.Table:
    """Return a table that shows if it is mixed with another."""
    return pa.table({"number": [number] * _ROWS})


def segment(name: str, *, rows: int = 0) -> SegmentRecord:
    """Return a segment without profiles."""
    return SegmentRecord(
        id=str(uuid.uuid4()),
        name=name,
        definition={},
        fingerprint="",
        rows=rows,
        domains={},
        examples={},
        consent={},
        created_by="campaign",
        created_at=present(),
    )


def run_campaign(seconds: float, url: str, folder: Path) -> Campaign:
    """Let eight processes work on a new workspace, and compare what they did with its content."""
    workspace = open_workspace(url)
    for name in SEGMENTS:
        workspace.segments.put(segment(name))
    workspace.ledgers.write("shared", numbers(0))
    (folder / "counter").write_text("0", "utf-8")
    entries = len(workspace.audit)
    environment = os.environ | {"CI_MAGICS_WORKSPACE": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, "--seconds", str(seconds), "--folder", str(folder)]
    workers = [_started([*command, "--worker", str(number)], environment) for number in range(EIGHT)]
    ready = [worker.stdout is not None and worker.stdout.readline() == _READY for worker in workers]
    assert all(ready), ready
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate()[0]) for worker in workers]
    done = sum((Counter(each["added"]) for each in told), Counter[str]())
    return Campaign(
        done,
        tuple(_lost(workspace, done, entries, int((folder / "counter").read_text("utf-8")))),
        tuple(error for each in told for error in each["errors"]),
        max((tuple(each["slowest"]) for each in told), key=lambda each: each[1]),
        min(sum(each["added"].values()) for each in told),
    )


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _lost(workspace: Workspace, done: Counter[str], entries: int, held: int) -> list[str]:
    there = Counter({"entries": len(workspace.audit) - entries, "counts": len(list(workspace.counts)), "held": held})
    for each in workspace.segments:
        there[f"rows {each.name}"] = each.rows
        there[f"tags {each.name}"] = len(each.tags)
    kinds = set(done) - {"files", "readings"}
    wrong = [f"{kind}: {done[kind]} done, {there[kind]} there" for kind in sorted(kinds) if done[kind] != there[kind]]
    if workspace.locks.holder("counter") is not None:
        wrong.append("the lock was not given back")
    return wrong


def main() -> int:
    """Print the result; the exit status is 1 if something was lost or an error occurred."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--url", default="", help="an empty database; a new SQLite file unless given")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--worker", type=int)
    options = parser.parse_args()
    if options.worker is not None:
        worker = Worker(open_workspace(), options.folder, options.worker)
        worker.get_ready()
        sys.stdout.write(_READY)
        sys.stdout.flush()
        sys.stdin.readline()
        json.dump(worker.work(options.seconds), sys.stdout)
        return 0
    with tempfile.TemporaryDirectory() as name:
        campaign = run_campaign(options.seconds, options.url or str(Path(name) / "workspace"), Path(name))
    for kind, count in sorted(campaign.done.items()):
        print(f"{kind:<12}{count:>10}")
    for sentence in (*campaign.wrong, *campaign.errors[:20]):
        print(sentence)
    operation, seconds = campaign.slowest
    print(f"no process did fewer than {campaign.fewest}; the slowest: {operation}, {seconds:.1f} s")
    print(f"{sum(campaign.done.values())} operations, {len(campaign.wrong)} lost, {len(campaign.errors)} errors")
    return 1 if campaign.wrong or campaign.errors else 0


if __name__ == "__main__":
    sys.exit(main())
