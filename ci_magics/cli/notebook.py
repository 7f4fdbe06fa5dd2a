"""``ci-magics notebook``: execute a notebook and print what its cells say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ci_magics import errors
from ci_magics.cli.command import DONE, Commands
from ci_magics.errors import CiError


def add(commands: Commands) -> None:
    """Add the command."""
    notebook = commands.add_parser("notebook", help="execute a notebook and print what its cells say")
    notebook.add_argument("file", type=Path)
    notebook.set_defaults(work=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Execute a notebook; the file itself is not changed."""
    if not options.file.is_file():
        raise CiError(f"There is no notebook {options.file.name}.", "Check the path.", code="no_notebook")
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError:
        raise CiError(
            "Executing a notebook needs Jupyter.", "Install it: pip install 'ci-magics[lab]'.", code="no_jupyter"
        ) from None
    try:
        notebook = nbformat.read(options.file, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    except (OSError, ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError):
        raise CiError(f"{options.file.name} is not a notebook.", "Check the path.", code="no_notebook") from None
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": options.file.parent}})
    try:
        client.execute()
    except CellExecutionError as error:
        sys.stdout.write(_told(notebook))
        raise CiError(
            f"A cell of {options.file.name} failed: {_said(error)}", "Open it in JupyterLab.", code="cell_failed"
        ) from None
    sys.stdout.write(_told(notebook))
    return DONE


def _said(error: Any) -> str:
    """Return what an error says when it is one of ours; the words of others may quote a value of the data."""
    return str(error.evalue) if hasattr(errors, error.ename) else f"{error.ename}."


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
