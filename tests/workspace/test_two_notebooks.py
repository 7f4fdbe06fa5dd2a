"""Two notebooks on one workspace use the same emulator, even after a kernel or the emulator is killed."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contoso import hashes
from kernels import Kernels, running_kernels

from ci_magics.display.numbers import format_count

pytestmark = pytest.mark.slow

PEOPLE, BEFORE = 7_500, 2_000

HEAD = """
import ci_magics as ci, contoso
from ci_magics.activation.connections.emulator_process import workspace_emulator
from ci_magics.workspace.store import open_workspace
"""
PREPARE = f"""{HEAD}
contoso.connect()
contoso.segment({BEFORE}, name="All")
contoso.export("All")
contoso.segment({PEOPLE}, name="All")
ci.emulator.control("settings", {{"delay_ms": 700}})
"""
EXPORT = f"{HEAD}return contoso.export('All').status"
PLAN = f"{HEAD}return repr(contoso.planned('All'))"
AUDIENCES = f"{HEAD}return [(each.name, each.id) for each in ci.audiences('Contoso EU')]"
HELD = f'{HEAD}return [(each["Name"], each["members"]) for each in ci.emulator.control("audiences")]'
MEMBERS = f"""{HEAD}
(found,) = ci.emulator.control("audiences")
return ci.emulator.control("audiences/" + found["Id"] + "/members")
"""
EMULATOR = f"{HEAD}return workspace_emulator(open_workspace().emulator_folder).process_id"
QUICK = f'{HEAD}ci.emulator.control("settings", {{"delay_ms": 0}})'


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernels]:
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    with running_kernels(2, tmp_path) as running:
        yield running


@pytest.mark.parametrize("killed", ["kernel", "emulator", "kernel and emulator"])
def test_interrupted_push_is_completed_in_the_other_notebook(kernels: Kernels, killed: str) -> None:
    a, b = 0, 1
    kernels.one(a, PREPARE)
    seen = kernels.one(a, AUDIENCES)
    planned = kernels.one(b, PLAN)
    assert kernels.one(b, AUDIENCES) == seen
    assert kernels.one(a, PLAN) == planned
    assert f"update audience 'All': add {format_count(PEOPLE - BEFORE)}" in planned
    process_id = kernels.one(a, EMULATOR)
    assert kernels.one(b, EMULATOR) == process_id
    exported = kernels.begin(a, EXPORT)
    half = _until(lambda: _sent(kernels.one(b, HELD)), lambda sent: BEFORE < sent < PEOPLE)
    if "kernel" in killed:
        kernels.kill(a)
    if "emulator" in killed:
        os.kill(process_id, signal.SIGKILL)
    if killed == "emulator":
        assert exported() == ("done", "Completed")
    _log(f"killed the {killed} at {half} of {PEOPLE} members")
    assert kernels.one(b, AUDIENCES) == seen
    assert (kernels.one(b, EMULATOR) == process_id) is ("emulator" not in killed)
    assert _sent(kernels.one(b, HELD)) >= half
    kernels.one(b, QUICK)
    plan = kernels.one(b, PLAN)
    assert "update audience 'All'" in plan
    assert kernels.one(b, EXPORT) == "Completed"
    assert set(kernels.one(b, MEMBERS).split()) == hashes(PEOPLE)
    after = kernels.one(b, PLAN)
    assert "add 0, remove 0" in after
    _log(f"plan before: {planned}\nplan of the other notebook after the kill: {plan}\nplan at the end: {after}")


def _sent(held: list[tuple[str, int]]) -> int:
    ((_name, members),) = held
    return members


def _until(look: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 120
    while not fits(found := look()):
        assert time.monotonic() < deadline, found
    return found


def _log(text: str) -> None:
    logging.getLogger(__name__).info(text)  # shown with -o log_cli=true -o log_cli_level=INFO
