from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from crashing import WorkspaceEmulator, run_trial

if TYPE_CHECKING:
    from conftest import RunningEmulator


@pytest.mark.usefixtures("workspace")
def test_a_killed_export_is_finished_as_if_nothing_had_happened(emulator: RunningEmulator) -> None:
    trials = [run_trial(emulator, seed) for seed in range(20)]
    assert [each.seed for each in trials if not each.equal] == []
    assert [each.seed for each in trials if not each.agreed] == []
    assert sum(each.kills for each in trials) >= 15
    emulator.control("POST", "/reset")


def test_an_export_ends_the_same_when_the_emulator_is_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    emulator = WorkspaceEmulator()
    trials = [run_trial(emulator, seed) for seed in range(9)]
    assert [each.seed for each in trials if not each.equal] == []
    assert sum(each.kills for each in trials) >= 5
