from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from killed_exports import WorkspaceEmulator, run_trial
from killed_tasks import TASKS, run_task

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("workspace")
def test_killed_export_is_completed_like_an_undisturbed_one(emulator: RunningEmulator) -> None:
    trials = [run_trial(emulator, seed) for seed in range(20)]
    assert [each.seed for each in trials if not each.equal] == []
    assert [each.seed for each in trials if not each.agreed] == []
    assert sum(each.kills for each in trials) >= 15
    assert sum(each.faults for each in trials) > 0
    assert [
        each.kind
        for each in trials
        if (each.files > 0, each.calls > 0) != ("by file" in each.kind, "by calls" in each.kind)
    ] == []
    emulator.control("POST", "/reset")


@pytest.mark.usefixtures("workspace")
def test_killed_task_is_repeated_like_an_undisturbed_one(emulator: RunningEmulator) -> None:
    trials = [run_task(emulator, seed) for seed in range(len(TASKS))]
    assert {each.kind for each in trials} == set(TASKS)
    assert [each.kind for each in trials if not each.equal] == []
    assert sum(each.kills for each in trials) >= len(TASKS) // 2
    assert sum(each.faults for each in trials) > 0
    emulator.control("POST", "/reset")


def test_export_ends_the_same_if_the_emulator_is_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    emulator = WorkspaceEmulator()
    trials = [run_trial(emulator, seed) for seed in range(9)]
    assert [each.seed for each in trials if not each.equal] == []
    assert sum(each.kills for each in trials) >= 5
