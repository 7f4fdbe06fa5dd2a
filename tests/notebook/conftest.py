"""An IPython shell without a notebook: no history, and none of the user's settings."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import ci_magics
from ci_magics.advice import Reader, set_reader
from ci_magics.errors import CiError
from ci_magics.notebook.magics import CiMagics
from ci_magics.notebook.stored_names import StoredNames


@pytest.fixture(autouse=True)
def _reads_as_notebook(_reads_as_python: None) -> None:
    """Word errors as in a notebook with magics, however a test creates a form."""
    set_reader(Reader.NOTEBOOK)


class Notebook:
    """Runs cells like a notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    @property
    def variables(self) -> dict[str, Any]:
        return self.shell.user_ns

    @property
    def stored(self) -> StoredNames:
        """The names that Tab completion knows of the workspace."""
        (magics,) = (each for each in self.shell.configurables if isinstance(each, CiMagics))
        return magics.stored

    def run(self, cell: str) -> Any:
        """Run a cell that must succeed, and return its value."""
        result = self.shell.run_cell(cell)
        result.raise_error()
        return result.result

    def fail(self, cell: str) -> CiError:
        """Run a cell that must fail with an error of ci-magics, and return the error."""
        error = self.shell.run_cell(cell).error_in_exec
        assert isinstance(error, CiError), error
        return error


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    yield shell
    ci_magics.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()
    atexit.unregister(shell.atexit_operations)  # it would keep the shell alive until the last test


@pytest.fixture
def notebook(shell: InteractiveShell, workspace: object) -> Notebook:
    """Return a notebook with the extension loaded and a frame of customers."""
    assert workspace is not None
    notebook = Notebook(shell)
    notebook.run("%load_ext ci_magics")
    notebook.stored.wait()
    notebook.variables["customers"] = pd.DataFrame(
        {
            "Id": [f"c{number}" for number in range(6)],
            "EMail": ["jan@contoso.com", "eva@contoso.com", "bo@contoso.com", "bad", None, "JAN@contoso.com"],
            "TotalSpend": [100, 200, 300, 400, 500, 600],
        }
    )
    return notebook
