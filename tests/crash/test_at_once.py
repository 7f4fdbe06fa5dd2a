"""A short campaign with eight processes; ``python tests/crash/at_once.py`` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash.at_once import KINDS, run_campaign

pytestmark = pytest.mark.slow


def test_eight_processes_lose_nothing_on_sqlite(tmp_path: Path) -> None:
    campaign = run_campaign(15, str(tmp_path / "workspace"), tmp_path)
    assert campaign.wrong == ()
    assert campaign.errors == ()
    assert campaign.fewest >= 10
    assert set(campaign.done) >= KINDS
