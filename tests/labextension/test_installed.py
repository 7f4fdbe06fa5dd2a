"""The installed extension: in the wheel, in this environment, and in Jupyter's list."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest

import ci_magics

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "ci_magics" / "labextension"
DATA = f"ci_magics-{ci_magics.__version__}.data/data"
SHARED = f"{DATA}/share/jupyter/labextensions/ci-magics/"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def jupyter(*words: str) -> str:
    """Return what Jupyter prints to either stream."""
    done = subprocess.run([sys.executable, "-m", "jupyter", *words], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_wheel_contains_the_extension(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if name.startswith(SHARED)]
    found = {name.removeprefix(SHARED): wheel.read(name) for name in names}
    assert found == files(SOURCE)
    assert "static/remoteEntry.js" in found


def test_wheel_enables_the_server_extension(wheel: zipfile.ZipFile) -> None:
    configuration = json.loads(wheel.read(f"{DATA}/etc/jupyter/jupyter_server_config.d/ci_magics.json"))
    assert configuration == {"ServerApp": {"jpserver_extensions": {"ci_magics.server_extension": True}}}


def test_installed_files_equal_the_source() -> None:
    installed = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "labextensions" / "ci-magics"
    assert files(installed) == files(SOURCE), "pip install -e . again: it copies them"


@pytest.mark.slow
def test_jupyter_lists_both_extensions_as_enabled() -> None:
    line = next(line for line in jupyter("labextension", "list").splitlines() if "ci-magics" in line)
    assert f"v{ci_magics.__version__}" in line
    assert "enabled" in line
    assert "OK" in line
    lines = jupyter("server", "extension", "list").splitlines()
    assert any("ci_magics.server_extension" in line and "enabled" in line for line in lines)
    assert any("ci_magics.server_extension" in line and "OK" in line for line in lines)


def test_version_equals_that_of_the_package() -> None:
    assert json.loads((SOURCE / "package.json").read_text("utf-8"))["version"] == ci_magics.__version__


def test_template_is_an_unexecuted_notebook() -> None:
    template = nbformat.read(SOURCE / "static" / "customer_match.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(template)
    code = [cell for cell in template.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None and cell.outputs == [] for cell in code)
    written = "\n".join(cell.source for cell in code)
    for magic in ("ci_connect", "ci_segment", "ci_preview", "ci_export", "ci_status"):
        assert f"%{magic} " in written


@pytest.mark.slow
@pytest.mark.usefixtures("emulator", "workspace")
def test_template_runs_from_top_to_bottom() -> None:
    template = SOURCE / "static" / "customer_match.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "ci_magics.cli", "notebook", template], capture_output=True, text=True, check=True
    )
    assert "Export Completed" in done.stdout
