"""``ci-magics notebook``: run a notebook and print the output of its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ci_magics.cli.command import DONE, TerminalCommand
from ci_magics.display.output import write
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Command, Positional

_LINE = Command(
    "ci-magics notebook",
    "Execute a notebook and print the output of its cells.",
    "ci-magics notebook weekly.ipynb",
    (Positional("FILE", "the notebook; its file does not change", kind="file"),),
)


def _execute(_verb: str, arguments: Arguments) -> int:
    """Run a notebook without changing its file."""
    if not arguments.words:
        raise ArgumentError("notebook needs FILE: the notebook.", "See --help.", code="word_missing")
    from ci_magics.activation.refreshes.notebook_execution import execute_notebook

    notebook, error = execute_notebook(Path(arguments.words[0].text))
    write(_print_result(notebook))
    if error is not None:
        raise error
    return DONE


def _print_result(notebook: Any) -> str:
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


COMMAND = TerminalCommand("notebook", lambda: _LINE.summary, lambda: _LINE, _execute)
