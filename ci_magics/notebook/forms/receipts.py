"""Receipts: a record of a form's actions, as plain output that stays in the notebook without form or kernel."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ci_magics.clock import present
from ci_magics.discretion import without_people

_MOST = 20
_BOX = "border-left:3px solid var(--jp-border-color1,#999);padding:2px 0 2px 10px;margin:6px 0"


class Receipts:
    """The receipts of one form, newest first.

    Parameters
    ----------
    title
        The form's title.
    now
        Returns the current time, in UTC.
    """

    def __init__(self, title: str, now: Callable[[], datetime] = present) -> None:
        self._title = title
        self._now = now
        self._pieces: list[tuple[str, str]] = []
        self._handle: Any = None

    def add(self, sentence: str, details: str = "") -> None:
        """Add a receipt.

        Parameters
        ----------
        sentence
            What was done, as text.
        details
            More details, as safe HTML.
        """
        line = without_people(f"{self._now():%Y-%m-%d %H:%M} UTC: {sentence}")
        details = without_people(details)
        self._pieces.insert(0, (line, f"<div style='{_BOX}'><div>{html.escape(line)}</div>{details}</div>"))
        del self._pieces[_MOST:]
        if self._handle is not None:
            self._handle.update(self)

    def show(self) -> None:
        """Show the receipts below the cell; later ones appear there too."""
        from IPython.display import display

        self._handle = display(self, display_id=True)  # type: ignore[no-untyped-call]  # IPython's

    def __len__(self) -> int:
        return len(self._pieces)

    def _repr_html_(self) -> str:
        pieces = "".join(piece for _line, piece in self._pieces)
        return f"<div><small>{html.escape(self._hint())}</small>{pieces}</div>"

    def __repr__(self) -> str:
        return "\n".join([self._hint(), *(line for line, _piece in self._pieces)])

    def _hint(self) -> str:
        return f"Receipts of the form '{self._title}': what it does is written here and stays in the notebook."
