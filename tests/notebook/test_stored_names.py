"""Tab completion never waits for a workspace and never creates one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter
from sqlalchemy import create_engine, text

from ci_magics.notebook.stored_names import StoredNames
from ci_magics.workspace import store
from ci_magics.workspace.location import default_location, file_of

if TYPE_CHECKING:
    from conftest import Notebook

    from ci_magics.workspace.store import Workspace


def tab(notebook: Notebook, cell: str) -> list[str]:
    return [each for each in offered(notebook, cell) if not each.startswith("--")]


def offered(notebook: Notebook, cell: str) -> list[str]:
    with provisionalcompleter():
        return [each.text for each in notebook.shell.Completer.completions(cell, len(cell))]


def test_loading_and_tab_create_no_workspace(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "elsewhere"))
    notebook.run("%reload_ext ci_magics")
    notebook.stored.wait()
    assert tab(notebook, "%ci_preview ") == []
    assert not (tmp_path / "elsewhere").exists()
    notebook.run("%ci_segment All customers --quiet")
    assert tab(notebook, "%ci_preview ") == ["All"]


def test_workspace_of_another_version_is_left_unchanged(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "older"))
    notebook.run("%ci_segment All customers --quiet")
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", f"sqlite:///{tmp_path}/older/workspace.sqlite?timeout=5")
    database = create_engine(f"sqlite:///{file_of(default_location())}")
    with database.begin() as change:
        change.execute(text("UPDATE alembic_version SET version_num = '0006'"))
    notebook.run("%reload_ext ci_magics")
    notebook.stored.wait()
    assert tab(notebook, "%ci_preview ") == []
    with database.connect() as look:
        assert look.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0006"
    database.dispose()


def test_tab_does_not_wait_for_names_that_are_still_loading(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, loaded = threading.Event(), threading.Event()
    opened = store.existing_workspace

    def slow(location: str) -> Workspace | None:
        loading.set()
        assert loaded.wait(60)
        return opened(location)

    monkeypatch.setattr(store, "existing_workspace", slow)
    notebook.run("%ci_segment All customers --quiet")
    notebook.run("%reload_ext ci_magics")
    assert loading.wait(60)
    assert tab(notebook, "%ci_preview ") == []
    assert "--to" in offered(notebook, "%ci_preview ")
    loaded.set()
    notebook.stored.wait()
    assert tab(notebook, "%ci_preview ") == ["All"]


def test_extension_loaded_by_the_profile_gets_names_too(notebook: Notebook) -> None:
    notebook.run("%ci_segment All customers --quiet")
    stored = StoredNames()
    stored.names("segment")
    stored.wait()
    assert stored.names("segment") == ["All"]
    stored.end()
