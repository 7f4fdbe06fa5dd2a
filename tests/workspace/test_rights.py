from __future__ import annotations

import pytest

from ci_magics.cli import main
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.policies import TABLES
from ci_magics.workspace.store import Workspace
from ci_magics.workspace.tables import metadata


def test_every_table_has_rights() -> None:
    assert set(TABLES) == set(metadata.tables)


def test_everyone_can_read_only_id_name_and_environment_of_connections() -> None:
    assert TABLES["connections"].columns == ("id", "name", "environment")


def test_roles_cannot_be_enforced_on_sqlite(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkspaceError, match="on SQLite they are guidance") as refused:
        workspace.enforce_roles()
    assert "PostgreSQL" in refused.value.next_step
    assert main(["roles", "enforce"]) == 1
    assert "guidance" in capsys.readouterr().err
