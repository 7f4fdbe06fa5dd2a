"""The browser part of a form: announces the status line and keeps key presses away from JupyterLab.

The stock widgets insert a new element for each text, which no screen reader announces, and let single letters reach
JupyterLab's command mode. If the page cannot load this module (a server without anywidget, a closed network), the stock
status line is shown as a fallback.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Unicode

#: Show only one of the two status lines: the stock one if this module cannot load.
STYLE = (
    ".ci-form:has(.ci-in-page [role=status]) .ci-status {display: none}"
    ".ci-in-page:not(:has([role=status])) {display: none}"
)


class InPage(anywidget.AnyWidget):
    """The status line of a form, and its key handling."""

    _esm = Path(__file__).with_suffix(".js")

    text = Unicode().tag(sync=True)
    """What the line says."""
    color = Unicode("inherit").tag(sync=True)
    """Of the text, as CSS writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("ci-in-page")

    def say(self, text: str, color: str) -> None:
        """Change the text and its color in one update.

        Parameters
        ----------
        text
            The new text.
        color
            A CSS color.
        """
        with self.hold_sync():
            self.color, self.text = color, text
