"""Execute the notebooks and save them with their outputs: ``python notebooks/save.py [FILE...]``.

Each runs in a workspace of its own against the emulator that it starts. Nothing is kept of when it ran.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def main(paths: list[Path]) -> None:
    """Execute and save notebooks."""
    for path in paths or sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as private:
            os.environ |= {"CI_MAGICS_WORKSPACE": f"{private}/workspace", "IPYTHONDIR": f"{private}/ipython"}
            os.environ.pop("CI_MAGICS_EMULATOR", None)
            _save(path.resolve())


def _save(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    for place, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{place:02d}")
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # a form shows its HTML
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
