"""A short stress test with eight processes on PostgreSQL; ``tests/crash/at_once.py --url`` runs the long one."""

from __future__ import annotations

from pathlib import Path

from crash.at_once import KINDS, run_campaign
from sqlalchemy import URL


def test_eight_processes_lose_nothing_on_postgresql(database_url: URL, tmp_path: Path) -> None:
    campaign = run_campaign(15, database_url.render_as_string(hide_password=False), tmp_path)
    assert campaign.wrong == ()
    assert campaign.errors == ()
    assert campaign.fewest >= 10
    assert set(campaign.done) >= KINDS
