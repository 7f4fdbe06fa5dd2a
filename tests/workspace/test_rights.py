from __future__ import annotations

import pytest

from ci_magics.cli import main
from ci_magics.errors import WorkspaceError
from ci_magics.workspace import rights
from ci_magics.workspace.store import Workspace
from ci_magics.workspace.tables import metadata


def test_every_table_is_for_contributors_or_administrators_or_guarded() -> None:
    parts = (rights.CONTRIBUTED, rights.ADMINISTERED, rights.GUARDED)
    assert frozenset().union(*parts) == set(metadata.tables)
    assert sum(map(len, parts)) == len(metadata.tables)


def test_what_everybody_reads_of_a_connection_is_no_number() -> None:
    hidden = set(rights.SHARED.columns.keys()) - set(rights.OPEN_COLUMNS)
    assert hidden == {"customer_id", "account_id", "account_name", "flow", "client_id", "tenant"}


def test_on_sqlite_roles_are_guidance(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkspaceError, match="on SQLite they are guidance") as refused:
        workspace.enforce_roles()
    assert "PostgreSQL" in refused.value.next_step
    assert main(["roles", "--enforce"]) == 1
    assert "guidance" in capsys.readouterr().err
