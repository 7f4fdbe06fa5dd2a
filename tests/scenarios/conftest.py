"""A workspace whose inputs get marked addresses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from marked_inputs import prepare

from ci_magics.activation.connections.emulator_process import workspace_emulator
from ci_magics.workspace.store import open_workspace


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace with one of everything, below the only folder that can be written to.

    The emulator belongs to the workspace, so that its files are searched too.
    """
    monkeypatch.delenv("CI_MAGICS_EMULATOR", raising=False)
    for name in ("home", "here", "config"):
        (tmp_path / name).mkdir()
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115, PTH123 - nobody is there to be asked
    prepare()
    yield tmp_path
    workspace_emulator(open_workspace().emulator_folder).control("stop", {})
    shutil.rmtree(tmp_path / "here")
