"""Detect the front end of the notebook and what it supports. See docs/front-ends.md for the tested front ends."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ci_magics.activation.connections.sign_in import can_ask
from ci_magics.activation.examination import GOOD, LOOK, Finding

#: Environment variables that identify a front end; the first match wins.
_MARKS = {
    "Google Colab": ("COLAB_RELEASE_TAG", "COLAB_GPU"),
    "Databricks": ("DATABRICKS_RUNTIME_VERSION",),
    "Microsoft Fabric": ("TRIDENT_RUNTIME_VERSION", "FABRIC_RUNTIME_VERSION"),
    "Kaggle": ("KAGGLE_KERNEL_RUN_TYPE",),
    "VS Code": ("VSCODE_PID", "VSCODE_CWD"),
    "JupyterHub": ("JUPYTERHUB_USER",),
}


@dataclass(frozen=True)
class FrontEnd:
    """The front end of the notebook.

    Parameters
    ----------
    name
        The best guess.
    widgets
        Whether forms can be shown: there is a kernel, and ipywidgets is installed in it.
    asks
        Whether a user is present to answer.
    """

    name: str
    widgets: bool
    asks: bool


def front_end(environment: Mapping[str, str] = os.environ) -> FrontEnd:
    """Return the current front end."""
    kernel = in_kernel()
    here = next((name for name, marks in _MARKS.items() if any(mark in environment for mark in marks)), None)
    name = (here or "Jupyter") if kernel else "a terminal"
    return FrontEnd(name, kernel and importlib.util.find_spec("ipywidgets") is not None, can_ask())


def in_kernel() -> bool:
    """Return whether this runs in a kernel, whose front end shows HTML, rather than in a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def examined(place: FrontEnd) -> list[Finding]:
    """Return the findings of ``%ci_doctor`` about a front end."""
    if place.widgets:
        forms = Finding("front end", GOOD, f"{place.name}: forms by ipywidgets, pictures without trust.")
    else:
        forms = Finding(
            "front end", LOOK, f"{place.name}: no forms here.", "Every form is a magic and a function too; see --help."
        )
    if place.asks:
        return [forms, Finding("questions", GOOD, "You can be asked to sign in.")]
    remedy = "Set CI_MAGICS_CLIENT_ID, CI_MAGICS_REFRESH_TOKEN and CI_MAGICS_DEVELOPER_TOKEN for unattended runs."
    return [forms, Finding("questions", LOOK, "You cannot be asked to sign in here.", remedy)]
