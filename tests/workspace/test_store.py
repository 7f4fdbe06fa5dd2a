from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ci_magics as ci
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.store import existing_workspace, open_workspace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_the_workspace(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        workspace = open_workspace(tmp_path / "new" / "workspace")
        assert len(workspace.segments) == 0
    finally:
        os.umask(before)
    everything = list(workspace.folder.rglob("*"))
    assert {"workspace.sqlite", "segments", "ledgers", "spool"} <= {path.name for path in everything}
    assert {mode(path) for path in [workspace.folder, *everything] if path.is_dir()} == {0o700}
    assert {mode(path) for path in everything if path.is_file()} == {0o600}


def test_environment_variable_sets_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "named"))
    assert open_workspace().folder == tmp_path / "named"
    assert open_workspace(tmp_path / "argument").folder == tmp_path / "argument"


def test_default_folder_is_the_user_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_MAGICS_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in open_workspace().folder.parents


def test_tilde_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_workspace("~/workspace").folder == tmp_path / "workspace"


def test_same_folder_gives_the_same_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_workspace("here") is open_workspace(tmp_path / "here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert open_workspace("here").folder == tmp_path / "elsewhere" / "here"


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "a#b", "ünïcode"])
def test_folder_can_have_any_name(tmp_path: Path, name: str) -> None:
    open_workspace(tmp_path / name)
    assert (tmp_path / name / "workspace.sqlite").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_user_is_the_jupyterhub_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert open_workspace(tmp_path).user == "ada"
    monkeypatch.setenv("JUPYTERHUB_USER", "bob")
    assert open_workspace(tmp_path).user == "bob"


def _damaged(folder: Path) -> None:
    (folder / "workspace.sqlite").write_bytes(b"not a database, jan@contoso.com" * 100)


def _folder_in_its_place(folder: Path) -> None:
    (folder / "workspace.sqlite").mkdir()


def _dangling(folder: Path) -> None:
    (folder / "workspace.sqlite").symlink_to(folder / "missing" / "workspace.sqlite")


def _file_below(folder: Path) -> None:
    (folder / "segments").touch()


@pytest.mark.parametrize("spoil", [_damaged, _folder_in_its_place, _dangling, _file_below])
def test_unusable_folder_is_reported_in_one_sentence(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path)
    with pytest.raises(WorkspaceError) as refused:
        open_workspace(tmp_path)
    assert refused.value.sentence.count(".") == 1
    assert "CI_MAGICS_WORKSPACE" in refused.value.next_step
    assert refused.value.__suppress_context__
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("url", ["nosuch://host/name", "sqlite:////no/such/folder/x.sqlite", "://"])
def test_unreachable_database_is_reported_in_one_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WorkspaceError, match=r"^The workspace cannot be opened: .*CI_MAGICS_WORKSPACE"):
        open_workspace(url)


def test_password_in_the_address_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WorkspaceError) as refused:
        open_workspace("nosuch://ada:hunter2@host/name")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite:///:memory:"),
        *("sqlite:///file::memory:?cache=shared&uri=true", "sqlite:///file:x?mode=memory&uri=true"),
    ],
)
def test_in_memory_workspace_is_refused_and_leaves_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", url)
    monkeypatch.chdir(tmp_path)
    for opening in (open_workspace, existing_workspace, ci.status):
        with pytest.raises(WorkspaceError, match="A workspace cannot be in memory"):
            opening()
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_database_are_next_to_it_and_private(tmp_path: Path) -> None:
    workspace = open_workspace(f"sqlite:///{tmp_path}/team.sqlite")
    assert mode(tmp_path / "team.sqlite") == 0o600
    assert (mode(workspace.folder), workspace.folder) == (0o700, tmp_path / "team.files")


@pytest.mark.slow
def test_kernels_starting_together_create_one_workspace(tmp_path: Path) -> None:
    code = "import ci_magics as ci\nopen = ci.open_workspace\nprint('ready', flush=True)\ninput()\nprint(open())"
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"CI_MAGICS_WORKSPACE": str(tmp_path / "shared")},
        )
        for _ in range(6)
    ]
    assert [kernel.stdout.readline() for kernel in kernels if kernel.stdout] == ["ready\n"] * 6
    for kernel in kernels:
        assert kernel.stdin is not None
        kernel.stdin.write("\n")
        kernel.stdin.flush()
    opened = ("Workspace: 0 connections; 0 segments; 0 runs\n", "")
    assert [kernel.communicate(timeout=60) for kernel in kernels] == [opened] * 6


def test_workspace_repr_counts_its_contents(tmp_path: Path) -> None:
    assert repr(open_workspace(tmp_path)) == "Workspace: 0 connections; 0 segments; 0 runs"
