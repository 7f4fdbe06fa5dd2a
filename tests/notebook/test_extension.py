from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.utils.capture import capture_output

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

HEAVY = ("pandas", "polars", "duckdb", "msal", "requests", "pyarrow", "sqlalchemy", "ipywidgets", "tornado")
LOADING = """
import sys
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
import ci_magics
ci_magics.load_ipython_extension(shell)
loaded = sorted(set(sys.modules) - before)
shell.run_cell("%load_ext ci_magics").raise_error()
shell.magics_manager.registry["CiMagics"].stored.wait()
import json
print(json.dumps([loaded, sorted(set(sys.modules) - before), sorted(shell.magics_manager.magics["line"])]))
"""


def ours(shell: InteractiveShell) -> list[Any]:
    return [each for each in shell.configurables if type(each).__name__ == "CiMagics"]


def known(shell: InteractiveShell) -> dict[str, set[str]]:
    return {kind: set(magics) for kind, magics in shell.magics_manager.magics.items()}


def run(shell: InteractiveShell, cell: str) -> str:
    with capture_output() as said:
        shell.run_cell(cell).raise_error()
    return str(said.stdout + said.stderr)


def test_loading_the_extension_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    modules, after_a_cell, magics = json.loads(done.stdout)
    assert "ci_magics.notebook.magics" in modules
    assert {"ci_connect", "ci_segment", "ci_preview", "ci_export", "ci_status"} <= set(magics)
    assert [name for name in HEAVY if name in modules] == []
    in_background = {"sqlalchemy", "pyarrow", "tornado"}  # needed by Tab completion, and nothing else
    assert {name for name in HEAVY if name in after_a_cell} <= in_background
    assert "ci_magics.workspace.store" in after_a_cell
    assert list(tmp_path.iterdir()) == []  # no workspace is created


@pytest.mark.parametrize("module", ["ci_magics", "ci_magics.errors", "ci_magics.cli"])
def test_importing_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_loading_prints_nothing(shell: InteractiveShell) -> None:
    assert run(shell, "%load_ext ci_magics") == ""
    assert run(shell, "%reload_ext ci_magics") == ""
    assert run(shell, "%unload_ext ci_magics") == ""


def test_reloading_leaves_one_instance(shell: InteractiveShell) -> None:
    run(shell, "%load_ext ci_magics")
    for _ in range(3):
        run(shell, "%reload_ext ci_magics")
    (instance,) = ours(shell)
    assert shell.find_line_magic("ci_export") is instance.magics["line"]["ci_export"]
    assert shell.find_cell_magic("ci_segment") is instance.magics["cell"]["ci_segment"]
    assert shell.magics_manager.registry["CiMagics"] is instance


def test_loading_twice_has_no_effect(shell: InteractiveShell) -> None:
    run(shell, "%load_ext ci_magics")
    run(shell, "import ci_magics; ci_magics.load_ipython_extension(get_ipython())")
    assert len(ours(shell)) == 1


def test_unloading_undoes_everything(shell: InteractiveShell) -> None:
    run(shell, "%load_ext autoreload")  # first use of the extension manager adds a magic
    before, threads = known(shell), set(threading.enumerate())
    callbacks = {event: list(each) for event, each in shell.events.callbacks.items()}
    assert shell.Completer.custom_matchers == []
    run(shell, "%load_ext ci_magics")
    assert known(shell) != before
    assert len(shell.Completer.custom_matchers) == 1
    assert {each.name for each in set(threading.enumerate()) - threads} == {"ci-magics names"}
    run(shell, "%unload_ext ci_magics")
    assert (known(shell), ours(shell), shell.Completer.custom_matchers) == (before, [], [])
    assert shell.events.callbacks == callbacks
    assert set(threading.enumerate()) == threads
    assert "CiMagics" not in shell.magics_manager.registry
    run(shell, "%load_ext ci_magics")
    assert len(ours(shell)) == 1


def test_unloading_before_loading_does_nothing(shell: InteractiveShell) -> None:
    before = known(shell)
    run(shell, "import ci_magics; ci_magics.unload_ipython_extension(get_ipython())")
    assert known(shell) == before


def test_magic_of_another_extension_with_the_same_name_survives(shell: InteractiveShell) -> None:
    run(shell, "%load_ext ci_magics")
    shell.register_magic_function(lambda _line: "theirs", "line", "ci_export")
    run(shell, "%unload_ext ci_magics")
    assert shell.run_line_magic("ci_export", "") == "theirs"
