"""Labeled fields and buttons: stock widgets that a keyboard reaches and a screen reader names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
from traitlets import TraitError, validate

from ci_magics.errors import ArgumentError, nearest_name

#: What a field shows when somebody types an address.
NOT_KEPT = "An e-mail address is not kept in a form."
_ADDRESS = re.compile(r"\S@\S")
LABEL = {"description_width": "130px"}
#: How many choices an error names.
_MOST_SHOWN = 20
_WIDE = {"width": "calc(100% - 4px)", "max_width": "620px"}


class _Discreet:
    """A field that gives back an address at once: what it holds may be saved with the notebook."""

    #: Told of it, where somebody listens.
    complain: Callable[[], None] | None = None

    @validate("value")
    def _names_nobody(self, proposal: Any) -> Any:
        if _ADDRESS.search(str(proposal["value"])) is None:
            return proposal["value"]
        self.placeholder = NOT_KEPT
        comm = getattr(self, "comm", None)
        if comm is not None:  # the page does not hear of it otherwise: for it, nothing has changed here
            comm.send({"method": "update", "state": {"value": ""}, "buffer_paths": []})
        if self.complain is not None:
            self.complain()
        return ""


class Entry(_Discreet, widgets.Text):  # type: ignore[misc]  # ipywidgets has no types
    """A line to type in."""


class Suggesting(_Discreet, widgets.Combobox):  # type: ignore[misc]  # ipywidgets has no types
    """A line to type in that suggests what there is."""


def dropdown(label: str, options: Any, name: str) -> widgets.Dropdown:
    """Return a labeled list to choose from."""
    return _named(widgets.Dropdown(description=label, options=options, layout=_wide(), style=LABEL), name)


def entry(label: str, name: str, *, hint: str = "") -> widgets.Text:
    """Return a labeled line to type in."""
    return _named(Entry(description=label, placeholder=hint, layout=_wide(), style=LABEL), name)


def suggesting(label: str, name: str, *, hint: str = "") -> widgets.Combobox:
    """Return a labeled line to type in that suggests what there is."""
    return _named(Suggesting(description=label, placeholder=hint, layout=_wide(), style=LABEL), name)


def checkbox(label: str, name: str) -> widgets.Checkbox:
    """Return a labeled box to tick."""
    layout = widgets.Layout(width="auto", max_width="100%")
    return _named(widgets.Checkbox(description=label, indent=False, layout=layout), name)


def button(label: str, name: str, action: Callable[..., None], *, style: str = "", hint: str = "") -> widgets.Button:
    """Return a button that is as wide as its label."""
    layout = widgets.Layout(width="max-content", max_width="100%")
    control = _named(widgets.Button(description=label, button_style=style, tooltip=hint or label, layout=layout), name)
    control.on_click(action)
    return control


def progress_bar() -> widgets.FloatProgress:
    """Return a bar that takes the room beside its text."""
    layout = widgets.Layout(flex="1 1 auto", width="auto", min_width="200px")
    return _named(widgets.FloatProgress(max=1.0, layout=layout), "progress")


def page(name: str) -> widgets.HTML:
    """Return a place for HTML; the caller escapes what comes from elsewhere."""
    return _named(widgets.HTML(layout=widgets.Layout(max_width="100%", overflow="auto", margin="2px 0")), name)


def row(*children: widgets.Widget, name: str = "row") -> widgets.Box:
    """Return fields beside each other, on several lines where there is little room."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center", max_width="100%")
    return _named(widgets.Box(children, layout=layout), name)


def column(*children: widgets.Widget, name: str = "column") -> widgets.VBox:
    """Return fields below each other."""
    return _named(widgets.VBox(children, layout=widgets.Layout(max_width="100%")), name)


def show(widget: widgets.Widget, visible: bool) -> None:
    """Show or hide something, for a keyboard and a screen reader too."""
    widget.layout.display = None if visible else "none"


def offer(field: Any, choices: Sequence[tuple[str, Any]]) -> None:
    """Give a list new choices; what was chosen stays chosen where it is still there, else the first one is."""
    chosen = field.value
    values = [value for _label, value in choices]
    if tuple(field.options) == tuple(choices):
        return
    field.options = tuple(choices)
    field.value = chosen if chosen in values else next(iter(values), None)


def put(field: Any, value: Any) -> None:
    """Give a field a value.

    Raises
    ------
    ArgumentError
        The field cannot have it.
    """
    if hasattr(field, "choose"):
        field.choose(value)
        return
    if isinstance(field, widgets.Dropdown):
        values = [each[1] if isinstance(each, tuple) else each for each in field.options]
        if value not in values and not (value is None and not values):
            raise no_choice(f"{field.description} cannot be", value, values)
    try:
        field.value = value
    except TraitError:
        raise ArgumentError(
            f"{field.description} cannot be a value of the type {type(value).__name__}.",
            "Give it as form.value shows it.",
            code="no_choice",
        ) from None


def no_choice(beginning: str, wrong: Any, possible: Sequence[Any]) -> ArgumentError:
    """Return the error for something that is not among the choices."""
    known = [each for each in possible if isinstance(each, str) and each]
    nearest = nearest_name(str(wrong), known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    more = f" and {len(known) - _MOST_SHOWN} more" if len(known) > _MOST_SHOWN else ""
    advice = f"Use one of: {', '.join(known[:_MOST_SHOWN])}{more}." if known else "There is nothing to choose from yet."
    return ArgumentError(f"{beginning} '{wrong}'.{hint}", advice, code="no_choice")


def nothing_chosen(what: str, choices: Sequence[Any], make: str) -> ArgumentError:
    """Return the error for a field in which nothing is chosen, perhaps because there is nothing to choose.

    Parameters
    ----------
    what
        What is chosen in it, such as ``segment``.
    choices
        What can be chosen.
    make
        How to make the first one.
    """
    if not choices:
        return ArgumentError(f"There is no {what} to choose yet.", make, code="not_chosen")
    article = "an" if what[0] in "aeiou" else "a"
    return ArgumentError(f"No {what} is chosen.", f"Choose {article} {what} in the form.", code="not_chosen")


def _wide() -> widgets.Layout:
    return widgets.Layout(**_WIDE)


def _named(widget: Any, name: str) -> Any:
    """Give a widget a class by which a test or a style sheet finds it."""
    widget.add_class(f"ci-{name}")
    return widget
