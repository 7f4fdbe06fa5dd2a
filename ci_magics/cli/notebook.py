"""``ci-magics notebook``: run a notebook and print the output of its cells."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ci_magics.cli.command import DONE, Commands
from ci_magics.display.output import write


def add(commands: Commands) -> None:
    """Add the command."""
    notebook = commands.add_parser("notebook", help="execute a notebook and print what its cells say")
    notebook.add_argument("file", type=Path)
    notebook.set_defaults(work=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Run a notebook without changing its file."""
    from ci_magics.activation.refreshes.notebook_execution import execute_notebook

    notebook, error = execute_notebook(options.file)
    write(_told(notebook))
    if error is not None:
        raise error
    return DONE


def _told(notebook: Any) -> str:
    """Return each code cell with the plain text of its outputs."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts.append("\n".join(f">>> {line}" for line in cell.source.splitlines()))
            parts += [text for output in cell.outputs if (text := _text(output))]
    return "\n\n".join(parts) + "\n"


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text).rstrip()
    return str(output.get("data", {}).get("text/plain", ""))
