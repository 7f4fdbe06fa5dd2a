"""What all forms share: a status line that is read aloud, callbacks that never lose an error, receipts that last."""

from __future__ import annotations

import functools
import html
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ipywidgets as widgets

from ci_magics.errors import ArgumentError, CiError, nearest_name

_Form = TypeVar("_Form", bound="Form")
_FIELD = widgets.Layout(width="100%", max_width="560px")
_LABEL = {"description_width": "130px"}
_COLORS = {
    "info": "var(--jp-ui-font-color1, #333)",
    "error": "var(--jp-error-color1, #b3261e)",
    "done": "var(--jp-success-color1, #1b6e3c)",
}


class Form(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A form: fields, actions, a status line, and a place for receipts.

    Parameters
    ----------
    title
        Its heading.
    """

    def __init__(self, title: str) -> None:
        self._status = widgets.HTML()
        self._status.add_class("ci-status")
        self._heading = widgets.HTML(f"<h3 style='margin:4px 0 8px'>{html.escape(title)}</h3>")
        self.receipt = widgets.HTML(layout=widgets.Layout(max_width="100%", overflow="auto"))
        self.receipt.add_class("ci-receipt")
        super().__init__(layout=widgets.Layout(max_width="760px", padding="8px 12px"))
        self.add_class("ci-form")
        self.say("")

    def say(self, sentence: str, kind: str = "info") -> None:
        """Show a sentence; a screen reader reads it aloud."""
        style = f"color:{_COLORS[kind]};min-height:1.4em;line-height:1.4;white-space:normal"
        self._status.value = f"<div role='status' aria-live='polite' style=\"{style}\">{html.escape(sentence)}</div>"

    @property
    def sentence(self) -> str:
        """The sentence that is shown, as HTML."""
        return str(self._status.value)


def callback(method: Callable[[_Form], None]) -> Callable[..., None]:
    """Turn a method into an event handler: what goes wrong is shown in the status line, never lost."""

    @functools.wraps(method)
    def handle(form: _Form, *_event: object) -> None:
        try:
            method(form)
        except CiError as error:
            form.say(str(error), "error")
        except Exception as error:  # noqa: BLE001 - an exception in a widget's callback is shown nowhere else
            form.say(f"That failed unexpectedly ({type(error).__name__}). Please report it.", "error")

    return handle


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Run something long beside the kernel, which stays free for other cells."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def dropdown(label: str, options: Any, name: str) -> widgets.Dropdown:
    """Return a labeled list to choose from."""
    field = widgets.Dropdown(description=label, options=options, layout=_FIELD, style=_LABEL)
    field.add_class(f"ci-{name}")
    return field


def offer(field: widgets.Dropdown, choices: Sequence[tuple[str, Any]]) -> None:
    """Give a list new choices; what was chosen stays chosen where it is still there, else the first one is."""
    chosen = field.value
    field.options = list(choices)
    values = [value for _label, value in choices]
    field.value = chosen if chosen in values else next(iter(values), None)


def choose(field: widgets.Dropdown, choice: Any) -> None:
    """Choose from a list.

    Raises
    ------
    ArgumentError
        The list does not have it.
    """
    values = [each[1] if isinstance(each, tuple) else each for each in field.options]
    if choice not in values and not (choice is None and not values):
        raise no_choice(f"{field.description} cannot be", choice, values)
    field.value = choice


def no_choice(beginning: str, wrong: Any, possible: Sequence[Any]) -> ArgumentError:
    """Return the error for something that is not among the choices."""
    known = [each for each in possible if isinstance(each, str) and each]
    nearest = nearest_name(str(wrong), known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return ArgumentError(f"{beginning} '{wrong}'.{hint}", f"Use {', '.join(known) or 'nothing yet'}.", code="no_choice")


def checkbox(label: str, name: str) -> widgets.Checkbox:
    """Return a labeled box to tick."""
    field = widgets.Checkbox(description=label, indent=False, layout=widgets.Layout(width="auto", max_width="100%"))
    field.add_class(f"ci-{name}")
    return field


def button(label: str, name: str, action: Callable[..., None], *, style: str = "", hint: str = "") -> widgets.Button:
    """Return a button that is as wide as its label."""
    control = widgets.Button(
        description=label, button_style=style, tooltip=hint or label, layout=widgets.Layout(width="max-content")
    )
    control.add_class(f"ci-{name}")
    control.on_click(action)
    return control


def progress_bar() -> widgets.FloatProgress:
    """Return a bar that takes the room beside its text."""
    bar = widgets.FloatProgress(max=1.0, layout=widgets.Layout(flex="1 1 auto", width="auto", min_width="260px"))
    bar.add_class("ci-progress")
    return bar
