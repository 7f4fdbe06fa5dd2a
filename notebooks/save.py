"""Execute the notebooks and save them with their outputs: ``python notebooks/save.py [FILE...]``.

Each runs in its own workspace against the emulator that it starts. The outputs do not show when it ran: every time that
``sanitize.cfg`` matches becomes `MOMENT`, and so does each day that is neither written in a cell nor one of the sample's.
So saving twice gives the same outputs, and a test fails on any other time.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
MOMENT = "2026-12-01 09:00"
#: The sample's customers bought before this day, whenever the sample is generated.
SAMPLE_ENDS = date(2026, 11, 1)

_CHANGING = configparser.ConfigParser(interpolation=None)
_CHANGING.read(FOLDER / "sanitize.cfg", "utf-8")
_MOMENTS, _DAYS = (re.compile(_CHANGING[name]["regex"]) for name in ("moments", "days"))


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
    written = set(_DAYS.findall("\n".join(cell.source for cell in notebook.cells)))
    for place, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{place:02d}")
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # a form shows its HTML
        if cell.cell_type == "code":
            cell.outputs = _at_moment(cell.outputs, written)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


def _at_moment(shown: Any, written: set[str]) -> Any:
    """Replace the times in an output by `MOMENT`; days that are written in cells stay."""
    if isinstance(shown, dict):
        return type(shown)({name: _at_moment(each, written) for name, each in shown.items()})
    if isinstance(shown, list):
        return [_at_moment(each, written) for each in shown]
    if not isinstance(shown, str):
        return shown
    text = _MOMENTS.sub(lambda found: f"{MOMENT}{found[1] or ''}", shown)
    return _DAYS.sub(lambda found: found[0] if _is_kept(found[0], written) else MOMENT[:10], text)


def _is_kept(day: str, written: set[str]) -> bool:
    return day in written or date.fromisoformat(day) < SAMPLE_ENDS


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
