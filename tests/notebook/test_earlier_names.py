"""Names that only an earlier version allowed can be listed, renamed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

import ci_magics as ci
from ci_magics.quoting import magic_quoted

if TYPE_CHECKING:
    from conftest import Notebook


@pytest.mark.parametrize("name", ["a\nb", "a\u2028import os", "tab\there", "both \" and '\n", "x" * 190, "a\u202eb"])
@pytest.mark.usefixtures("emulator")
def test_name_of_an_earlier_version_can_be_listed_renamed_and_deleted(name: str, notebook: Notebook) -> None:
    workspace = ci.open_workspace().store
    notebook.run('%ci_connect "EU" --customer-id 222 --account-id 111 --agree --accept-terms')
    notebook.run("%ci_segment All customers --quiet")
    notebook.run("%ci_export All --to EU --save Weekly --ignore-consent --quiet")
    engine = create_engine(f"sqlite:///{workspace.folder / 'workspace.sqlite'}")
    with engine.begin() as database:
        for table in ("segments", "exports", "connections"):
            database.execute(text(f"UPDATE {table} SET name = :name"), {"name": name})
        database.execute(text("UPDATE exports SET connection_name = :name"), {"name": name})
        database.execute(text("UPDATE exports SET document = replace(document, 'All', 'Gone')"))
    engine.dispose()
    for listed in (ci.segments.overview(), ci.exports.overview(), workspace.connections):
        assert listed.to_frame()["name"].to_list() == [name]
    quoted = magic_quoted(name)
    assert len(quoted.splitlines()) == 1
    notebook.run(f"%ci_exports show {quoted}")
    notebook.run(f"%ci_exports duplicate {quoted} Copy")
    notebook.run(f"%ci_exports remove {quoted}")
    notebook.run("%ci_exports remove Copy")
    notebook.run(f"%ci_segments rename {quoted} Renamed")
    notebook.run("%ci_segments delete Renamed")
    notebook.run(f"%ci_connections edit {quoted} --rename Other")
    notebook.run("%ci_connections remove Other")
    assert [len(workspace.segments), len(workspace.exports), len(workspace.connections)] == [0, 0, 0]
