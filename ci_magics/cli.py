"""The command line: ``ci-magics``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ci_magics import errors
from ci_magics.errors import CiError

DONE, FAILED = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status is 0 when it is done, 1 when it failed, 2 when it was not understood."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.work(options))
    except CiError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci-magics", description="Customer Match audiences from notebooks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    notebook = commands.add_parser("notebook", help="execute a notebook and print what its cells say")
    notebook.add_argument("file", type=Path)
    notebook.set_defaults(work=_notebook)
    emulator = commands.add_parser("emulator", help="run Microsoft's endpoints on this machine")
    emulator.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    emulator.set_defaults(work=_emulator)
    return parser


def _emulator(options: argparse.Namespace) -> int:
    import runpy

    sys.argv = ["ci-magics emulator", "--port", str(options.port)]
    runpy.run_module("ci_magics.emulator", run_name="__main__")
    return DONE


def _notebook(options: argparse.Namespace) -> int:
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


if __name__ == "__main__":
    sys.exit(main())
