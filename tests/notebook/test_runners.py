"""Programs that run notebooks: a failed magic stops each of them, and none waits for a sign-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.slow

_PATIENCE = 240
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-current-env", "notebook.ipynb")
RUNNERS = {
    "nbmake": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbmake", "notebook.ipynb"),
    "nbval": (*_PYTEST, "--nbval"),
    "nbval-lax": (*_PYTEST, "--nbval-lax"),
    "nbconvert": ("-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "notebook.ipynb", "--output", "done"),
    "papermill": ("-m", "papermill", "-k", "python3", "--no-progress-bar", "notebook.ipynb", "done.ipynb"),
    "jupyter execute": ("-m", "jupyter", "execute", "notebook.ipynb"),
}
FAILING = {
    "NotFoundError": "%ci_preview Nothing",
    "ArgumentError": "%ci_status --nonsense",
    "SignInUnreachableError": "%ci_connect Real --environment sandbox --client-id app --customer-id 222 "
    "--account-id 111 --agree",
}
#: nbmake executes like nbconvert, so it only gets the failure that could make a runner hang.
HANGS = "SignInUnreachableError"
TRIED = [(runner, error) for runner in RUNNERS for error in FAILING if runner != "nbmake" or error == HANGS]


def run(runner: str, folder: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = number
    nbformat.write(notebook, folder / "notebook.ipynb")
    places = {name: str(folder / name.lower()) for name in ("CI_MAGICS_WORKSPACE", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    return subprocess.run(
        [sys.executable, *RUNNERS[runner]],
        cwd=folder,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(("runner", "error"), TRIED)
def test_failed_magic_stops_the_run(runner: str, error: str, tmp_path: Path) -> None:
    ended = run(runner, tmp_path, "%load_ext ci_magics", FAILING[error], "open('reached', 'w').close()")
    assert ended.returncode != 0
    assert error in ended.stdout + ended.stderr
    if not runner.startswith("nbval"):  # nbval continues with the next cell, but fails too
        assert not (tmp_path / "reached").exists()


@pytest.mark.parametrize("runner", RUNNERS)
def test_successful_magic_ends_with_success(runner: str, tmp_path: Path) -> None:
    ended = run(
        runner, tmp_path, "%load_ext ci_magics\n%ci_config progress=False --quiet", "open('reached', 'w').close()"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "reached").exists()
