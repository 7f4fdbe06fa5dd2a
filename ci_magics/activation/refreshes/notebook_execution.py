"""Execute a notebook as a job: without prompts, and without changing the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ci_magics import errors
from ci_magics.errors import CiError


def execute_notebook(file: Path) -> tuple[Any, CiError | None]:
    """Execute a notebook in its own folder.

    Returns
    -------
    tuple
        The notebook with the outputs of its cells, and the error that stopped it, or None.

    Raises
    ------
    CiError
        The notebook does not exist or is not readable, or Jupyter is not installed.
    """
    if not file.is_file():
        raise CiError(f"There is no notebook {file.name}.", "Check the path.", code="no_notebook")
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, DeadKernelError
    except ImportError:
        raise CiError(
            "Executing a notebook needs Jupyter.", "Install it: pip install 'ci-magics[lab]'.", code="no_jupyter"
        ) from None
    try:
        notebook = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    except OSError as error:
        raise CiError(
            f"The notebook {file.name} cannot be read ({type(error).__name__}).",
            "Check that you may read it.",
            code="no_notebook",
        ) from None
    except (ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError):
        raise CiError(
            f"{file.name} is not a complete notebook.", "Open it in JupyterLab, or check the path.", code="no_notebook"
        ) from None
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": file.parent}})
    try:
        client.execute()
    except CellExecutionError as error:
        sentence = f"A cell of {file.name} failed: {_said(error)}"
        return notebook, CiError(sentence, "Open it in JupyterLab.", code="cell_failed")
    except DeadKernelError:
        return notebook, CiError(f"The kernel of {file.name} died.", "Open it in JupyterLab.", code="kernel_died")
    return notebook, None


def _said(error: Any) -> str:
    """Return the message of one of our errors, or only the name of any other: its message can quote customer data."""
    return str(error.evalue) if hasattr(errors, error.ename) else f"{error.ename}."
