"""The part of a form that lives in the page: its status line is announced, and its keys are its own.

The stock widgets put a new element into the page for each text, which no screen reader announces, and leave single
letters to JupyterLab's command mode. Where a page cannot load this (a server without anywidget, a network that is
closed), the stock line that stands beside it is seen instead.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Unicode

#: Of the two lines, the one that the page can show.
STYLE = (
    ".ci-form:has(.ci-in-page [role=status]) .ci-status {display: none}"
    ".ci-in-page:not(:has([role=status])) {display: none}"
)


class InPage(anywidget.AnyWidget):
    """The status line of a form, and its keys."""

    _esm = Path(__file__).with_suffix(".js")

    text = Unicode().tag(sync=True)
    """What the line says."""
    color = Unicode("inherit").tag(sync=True)
    """Of the text, as CSS writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("ci-in-page")

    def say(self, text: str, color: str) -> None:
        """Change the text and its color at once."""
        with self.hold_sync():
            self.color, self.text = color, text
