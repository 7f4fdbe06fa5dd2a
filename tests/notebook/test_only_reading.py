"""Magics refuse cells, conditions and rules that would do more than read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from scenarios.test_write_attacks import CONDITIONS, QUERIES, TABLES

if TYPE_CHECKING:
    from notebook.conftest import Notebook


def test_cells_conditions_and_rules_can_only_read(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("shop.duckdb") as database:
        database.execute(TABLES)
    notebook.variables["people"] = notebook.variables["customers"]
    before = Path("shop.duckdb").read_bytes()
    for sql in QUERIES[::3]:
        assert notebook.fail(f"%%ci_segment S\n{sql}").next_step
        assert notebook.fail(f"%%ci_segment S --database duckdb:///shop.duckdb\n{sql}").next_step
    for text in CONDITIONS[::2]:
        assert notebook.fail(f'%ci_segment S customers --where "{text}"').next_step
        assert notebook.fail(f'%ci_segment S customers --rule "{text}"').next_step
    assert Path("shop.duckdb").read_bytes() == before
    assert [path.name for path in tmp_path.glob("more*")] == []
    assert len(notebook.variables["people"]) == 6
