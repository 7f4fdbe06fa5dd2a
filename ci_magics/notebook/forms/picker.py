"""Choose any number of values with check boxes and a search line."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
from traitlets import Tuple

from ci_magics.notebook.forms.fields import LABEL, Entry, no_choice, show

_MOST = 8


class Picker(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Check boxes for the chosen values and for those that the search finds, up to a limit.

    Parameters
    ----------
    label
        What is chosen.
    name
        The field's name, for its CSS class.
    empty
        The text shown when there is nothing to choose from.
    most
        The number of unchosen values that are shown at once.
    """

    value = Tuple()
    """The chosen values, in the order in which they were chosen."""

    def __init__(self, label: str, name: str, *, empty: str = "There is none yet.", most: int = _MOST) -> None:
        self.description = label
        self._empty = empty
        self._most = most
        self._labels: dict[Any, str] = {}
        self._shown: list[Any] = []
        self._drawing = False
        self._search = Entry(
            description=f"Find in {label.lower()}",
            placeholder="type a part of the name",
            layout=widgets.Layout(width="calc(100% - 4px)", max_width="620px"),
            style=LABEL,
        )
        self._search.observe(lambda _change: self._draw(), names="value")
        self.boxes: list[widgets.Checkbox] = []
        self._note = widgets.HTML()
        self._list = widgets.VBox(layout=widgets.Layout(max_width="100%", margin="0 0 0 4px"))
        head = widgets.HTML(f"<div style='font-weight:600;margin-top:6px'>{html.escape(label)}</div>")
        super().__init__([head, self._search, self._list, self._note], layout=widgets.Layout(max_width="100%"))
        self.add_class(f"ci-{name}")
        self.observe(lambda _change: self._tick(), names="value")
        self._draw()

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """The choices, as pairs of label and value."""
        return tuple((label, value) for value, label in self._labels.items())

    @options.setter
    def options(self, choices: Sequence[tuple[str, Any]]) -> None:
        self._labels = {value: label for label, value in choices}
        self.value = tuple(each for each in self.value if each in self._labels)
        self._draw()

    def choose(self, values: Sequence[Any]) -> None:
        """Choose exactly these values.

        Raises
        ------
        ArgumentError
            A value is not among the choices.
        """
        for value in values:
            if value not in self._labels:
                raise no_choice(f"{self.description} cannot be", value, list(self._labels))
        self.value = tuple(dict.fromkeys(values))
        self._draw()

    def find(self, text: str) -> None:
        """Set the text of the search line."""
        self._search.value = text

    def _draw(self) -> None:
        """Show the chosen values first, then those that the search finds."""
        wanted = self._search.value.casefold()
        found = [each for each, label in self._labels.items() if wanted in label.casefold() and each not in self.value]
        self._shown = [*self.value, *found[: max(self._most, 1)]]
        while len(self.boxes) < len(self._shown):
            self.boxes.append(self._box())
        self._tick()
        for place, box in enumerate(self.boxes):
            show(box, place < len(self._shown))
        self._list.children = tuple(self.boxes)
        many = len(self._labels) > self._most
        show(self._search, many)
        self._note.value = self._said(len(found)) if many or not self._labels else ""

    def _box(self) -> widgets.Checkbox:
        layout = widgets.Layout(width="auto", max_width="100%", margin="0")
        box = widgets.Checkbox(indent=False, layout=layout)
        place = len(self.boxes)
        box.observe(lambda change: self._ticked(place, change["new"]), names="value")
        return box

    def _tick(self) -> None:
        """Update the check boxes in place, without moving them, so that the keyboard focus stays."""
        if set(self.value) - set(self._shown):
            self._draw()
            return
        self._drawing = True
        for box, value in zip(self.boxes, self._shown, strict=False):
            box.description, box.value = self._labels.get(value, str(value)), value in self.value
        self._drawing = False

    def _ticked(self, place: int, chosen: bool) -> None:
        if self._drawing or place >= len(self._shown):
            return
        value = self._shown[place]
        others = tuple(each for each in self.value if each != value)
        self.value = (*others, value) if chosen else others

    def _said(self, found: int) -> str:
        if not self._labels:
            return f"<small>{html.escape(self._empty)}</small>"
        shown = min(found, self._most)
        return f"<small>{shown} of {found} that fit are shown, {len(self.value)} chosen.</small>"
