"""A living holder keeps its lock and a dead one loses it, whatever clocks and process IDs say."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import locks as module
from ci_magics.workspace import processes
from ci_magics.workspace.locks import LockLostError, Locks
from ci_magics.workspace.store import Workspace
from ci_magics.workspace.tables import locks

NAME = "the audience"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.02)
    monkeypatch.setattr(module, "WATCH", 0.3)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.02)


@pytest.fixture
def engine(workspace: Workspace) -> Engine:
    return workspace.locks._engine  # noqa: SLF001 - rows are put as other machines leave them


@pytest.fixture
def mine(engine: Engine) -> Locks:
    return Locks(engine, "me")


@pytest.fixture
def theirs(engine: Engine) -> Locks:
    return Locks(engine, "somebody else")


def put_elsewhere(engine: Engine, **values: object) -> None:
    """Make the holder look like one in a container with the same host name, with an unknown process ID."""
    row = {"place": "another boot or namespace", "process": "999999999:1", **values}
    with engine.begin() as database:
        database.execute(update(locks).values(row))


def until(condition: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(condition() or pause.wait(0.02) for _ in range(500))


def heartbeat_of(holding: Locks) -> int:
    holder = holding.holder(NAME)
    assert holder is not None
    return holder.beat


def test_holder_sends_heartbeats_while_it_waits(mine: Locks) -> None:
    assert mine.take(NAME, "run") is None
    before = heartbeat_of(mine)
    assert until(lambda: heartbeat_of(mine) > before + 2)
    mine.release("run")
    assert mine.holder(NAME) is None


@pytest.mark.parametrize("set_by", [timedelta(0), HOUR, -HOUR, 900 * 24 * HOUR], ids=str)
def test_living_holder_elsewhere_keeps_its_lock_whatever_its_clock_says(
    engine: Engine, mine: Locks, theirs: Locks, set_by: timedelta
) -> None:
    assert theirs.take(NAME, "their run") is None
    holder = mine.holder(NAME)
    assert holder is not None
    put_elsewhere(engine, seen_at=holder.seen_at + set_by)
    for _ in range(3):
        found = mine.take(NAME, "my run")
        assert found is not None
        assert found.run_id == "their run"
    theirs.send_heartbeat("their run")
    theirs.release("their run")
    assert mine.take(NAME, "my run") is None
    mine.release("my run")


@pytest.mark.parametrize("set_by", [HOUR, -HOUR, 900 * 24 * HOUR], ids=str)
def test_dead_holder_elsewhere_is_replaced_whatever_its_clock_says(
    engine: Engine, mine: Locks, theirs: Locks, set_by: timedelta
) -> None:
    assert theirs.take(NAME, "their run") is None
    holder = let_die(theirs)
    put_elsewhere(engine, seen_at=holder.seen_at + set_by)
    assert mine.take(NAME, "my run") is None
    assert mine.holder_of_run("their run") is None
    mine.release("my run")


def let_die(holding: Locks) -> module.Holder:
    """Stop the heartbeat of a holder."""
    thread = holding._thread  # noqa: SLF001 - it ends with its process
    holding._ended.set()  # noqa: SLF001
    if thread is not None:
        thread.join()
    holder = holding.holder(NAME)
    assert holder is not None
    return holder


def test_take_does_not_wait_for_a_holder_elsewhere_seen_recently(
    engine: Engine, mine: Locks, theirs: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.take(NAME, "their run")
    let_die(theirs)
    put_elsewhere(engine)
    monkeypatch.setattr(mine, "_is_silent", lambda *_: pytest.fail("waited"))
    found = mine.take(NAME, "my run")
    assert found is not None
    assert found.is_alive


def test_dead_holder_is_replaced_within_two_minutes() -> None:
    source = Path(module.__file__).read_text("utf-8")
    times = {name: float(source.split(f"\n{name} = ")[1].split("\n")[0]) for name in ("BEAT", "SILENCE", "WATCH")}
    assert times["SILENCE"] + times["WATCH"] <= 100
    assert times["WATCH"] > 2 * times["BEAT"]
    assert times["SILENCE"] > 3 * times["BEAT"]


def test_ended_process_in_the_same_place_is_replaced_at_once(engine: Engine, mine: Locks, theirs: Locks) -> None:
    theirs.take(NAME, "their run")
    let_die(theirs)
    with engine.begin() as database:
        database.execute(update(locks).values(process="999999999:1"))
    assert mine.take(NAME, "my run") is None
    mine.release("my run")


def test_reused_process_id_is_a_different_process() -> None:
    name = processes.process_name(os.getpid())
    assert processes.is_running(name)
    assert not processes.is_running(f"{os.getpid()}:12")
    assert not processes.is_running("999999999:1")


def test_holder_learns_that_its_lock_was_taken_over(engine: Engine, mine: Locks, theirs: Locks) -> None:
    theirs.take(NAME, "their run")
    holder = let_die(theirs)
    put_elsewhere(engine, seen_at=holder.seen_at - HOUR)
    assert mine.take(NAME, "my run") is None
    with pytest.raises(LockLostError, match="Another process took this work over"):
        theirs.send_heartbeat("their run")
    theirs.release("their run")
    assert mine.holder(NAME) is not None
    mine.release("my run")


def test_failed_release_is_repeated_later(mine: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.take(NAME, "run")
    with monkeypatch.context() as away:
        away.setattr(mine, "_delete", _fail)
        mine.release("run")
        assert mine.holder(NAME) is not None
    assert until(lambda: mine.holder(NAME) is None)


def _fail(*_: object) -> None:
    raise WorkspaceError("The workspace's database does not answer, or refused a change.")


def in_a_process(workspace: Workspace, code: str, *before: str) -> str:
    """Return what a process that opened the workspace prints."""
    del workspace
    start = "import os\nfrom ci_magics.workspace.store import open_workspace\nlocks = open_workspace().locks\n"
    done = subprocess.run(
        [*before, sys.executable, "-c", start + textwrap.dedent(code)], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_forked_child_holds_no_locks_of_its_parent(workspace: Workspace) -> None:
    printed = in_a_process(
        workspace,
        """
        locks.take("the audience", "run")
        child = os.fork()
        if not child:
            locks.release("run")
            locks.send_heartbeat("run")
            holder = locks.take("the audience", "child")
            os._exit(7 if holder is not None and holder.run_id == "run" and holder.is_alive else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        locks.send_heartbeat("run")
        print(locks.holder("the audience").run_id)
        locks.release("run")
        """,
    )
    assert printed.split() == ["7", "run"]
    assert workspace.locks.holder(NAME) is None


def test_forked_child_can_take_locks(workspace: Workspace) -> None:
    printed = in_a_process(
        workspace,
        """
        locks.take("another", "run")
        child = os.fork()
        if not child:
            assert locks.take("the audience", "child") is None
            os._exit(0)
        os.waitpid(child, 0)
        print(locks.take("the audience", "run"))
        """,
    )
    assert printed == "None"  # the child has ended


UNSHARED = ("unshare", "--pid", "--fork", "--kill-child")


def can_unshare() -> bool:
    try:
        return subprocess.run([*UNSHARED, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_unshare(), reason="namespaces cannot be made here")
@pytest.mark.parametrize("own_proc", [True, False], ids=["own proc", "proc of the host"])
class TestNamespaces:
    """Containers with the same host name, whose process IDs mean nothing outside."""

    def before(self, *, own_proc: bool) -> tuple[str, ...]:
        return (*UNSHARED, "--mount-proc") if own_proc else UNSHARED

    def test_living_holder_outside_keeps_its_lock_from_inside(
        self, workspace: Workspace, mine: Locks, own_proc: bool
    ) -> None:
        mine.take(NAME, "run outside")
        code = 'holder = locks.take("the audience", "inside"); print(holder.run_id, holder.is_alive)'
        printed = in_a_process(workspace, code, *self.before(own_proc=own_proc))
        mine.release("run outside")
        assert printed == "run outside True"

    def test_living_holder_inside_keeps_its_lock_and_a_dead_one_is_replaced(
        self, workspace: Workspace, mine: Locks, own_proc: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = (
            "from ci_magics.workspace import locks as module; module.BEAT = 0.02\n"
            "from ci_magics.workspace.store import open_workspace\n"
            "print(open_workspace().locks.take('the audience', 'inside'), flush=True); input()"
        )
        inside = subprocess.Popen(
            [*self.before(own_proc=own_proc), sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert inside.stdout is not None
            assert inside.stdout.readline().strip() == "None"
            monkeypatch.setattr(module, "SILENCE", 0.0)  # as after a clock change, so that only watching tells
            for _ in range(3):
                found = mine.take(NAME, "outside")
                assert found is not None
                assert found.run_id == "inside"
        finally:
            inside.kill()
            inside.communicate()
        assert mine.take(NAME, "outside") is None
        mine.release("outside")
        assert workspace.locks.holder(NAME) is None
