"""Labeled fields and buttons: stock widgets with keyboard and screen-reader support."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from traitlets import TraitError, validate

from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.grammar.operation import Parameter

#: The hint in a field after it rejects an e-mail address.
NOT_KEPT = "An e-mail address is not kept in a form."
_ADDRESS = re.compile(r"\S@\S")
LABEL = {"description_width": "130px"}
#: The most choices that an error lists.
_MOST_SHOWN = 20
_WIDE = {"width": "calc(100% - 4px)", "max_width": "620px"}


class _Discreet:
    """A field that rejects e-mail addresses immediately, because its value may be saved with the notebook."""

    #: Called after a rejection, if set.
    complain: Callable[[], None] | None = None

    @validate("value")
    def _reject_address(self, proposal: Any) -> Any:
        if _ADDRESS.search(str(proposal["value"])) is None:
            return proposal["value"]
        self.placeholder = NOT_KEPT
        comm = getattr(self, "comm", None)
        if comm is not None:  # notify the page: the value did not change in the kernel, so no update is sent
            comm.send({"method": "update", "state": {"value": ""}, "buffer_paths": []})
        if self.complain is not None:
            self.complain()
        return ""


class Entry(_Discreet, widgets.Text):  # type: ignore[misc]  # ipywidgets has no types
    """A text field."""


class Suggesting(_Discreet, widgets.Combobox):  # type: ignore[misc]  # ipywidgets has no types
    """A text field with suggestions."""


def dropdown(label: str, options: Any, name: str) -> widgets.Dropdown:
    """Return a labeled list to choose from.

    Parameters
    ----------
    label
        The visible label.
    options
        Values, or pairs of label and value.
    name
        The field's name, for its CSS class.
    """
    return _named(widgets.Dropdown(description=label, options=options, layout=_wide(), style=LABEL), name)


def entry(label: str, name: str, *, hint: str = "") -> widgets.Text:
    """Return a labeled text field.

    Parameters
    ----------
    label
        The visible label.
    name
        The field's name, for its CSS class.
    hint
        The placeholder of an empty field.
    """
    return _named(Entry(description=label, placeholder=hint, layout=_wide(), style=LABEL), name)


def suggesting(label: str, name: str, *, hint: str = "") -> widgets.Combobox:
    """Return a labeled text field with suggestions.

    Parameters
    ----------
    label
        The visible label.
    name
        The field's name, for its CSS class.
    hint
        The placeholder of an empty field.
    """
    return _named(Suggesting(description=label, placeholder=hint, layout=_wide(), style=LABEL), name)


def checkbox(label: str, name: str) -> widgets.Checkbox:
    """Return a labeled check box.

    Parameters
    ----------
    label
        The visible label.
    name
        The field's name, for its CSS class.
    """
    layout = widgets.Layout(width="auto", max_width="100%")
    return _named(widgets.Checkbox(description=label, indent=False, layout=layout), name)


def field_of(parameter: Parameter, name: str) -> Any:
    """Return the field of an operation's parameter: a list of its choices, a check box, or a text field.

    Parameters
    ----------
    parameter
        The parameter; its declaration has the label, the choices and the hint.
    name
        The field's name, for its CSS class.
    """
    if parameter.choices:
        labels = parameter.option.choices if isinstance(parameter.option.choices, Mapping) else {}
        field = dropdown(parameter.label, [(labels.get(each, each), each) for each in parameter.choices], name)
        if parameter.default in parameter.choices:
            field.value = parameter.default
        return field
    if parameter.type == "switch":
        return checkbox(parameter.label, name)
    make = suggesting if parameter.option.kind in ("audience", "encoding") else entry
    return make(parameter.label, name, hint=parameter.option.hint)


def button(label: str, name: str, action: Callable[..., None], *, style: str = "", hint: str = "") -> widgets.Button:
    """Return a button that is as wide as its label.

    Parameters
    ----------
    label
        The visible label.
    name
        The button's name, for its CSS class.
    action
        Called with the button when pressed.
    style
        The stock style, such as ``primary``; empty for the default.
    hint
        The tooltip; by default the label.
    """
    layout = widgets.Layout(width="max-content", max_width="100%")
    control = _named(widgets.Button(description=label, button_style=style, tooltip=hint or label, layout=layout), name)
    control.on_click(action)
    return control


def progress_bar() -> widgets.FloatProgress:
    """Return a progress bar that fills the space beside its text."""
    layout = widgets.Layout(flex="1 1 auto", width="auto", min_width="200px")
    return _named(widgets.FloatProgress(max=1.0, layout=layout), "progress")


def page(name: str) -> widgets.HTML:
    """Return a widget for HTML. The caller must escape foreign text."""
    return _named(widgets.HTML(layout=widgets.Layout(max_width="100%", overflow="auto", margin="2px 0")), name)


def row(*children: widgets.Widget, name: str = "row") -> widgets.Box:
    """Lay out fields side by side, wrapped where space is narrow.

    Parameters
    ----------
    *children
        The fields.
    name
        The row's name, for its CSS class.
    """
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center", max_width="100%")
    return _named(widgets.Box(children, layout=layout), name)


def column(*children: widgets.Widget, name: str = "column") -> widgets.VBox:
    """Lay out fields below each other.

    Parameters
    ----------
    *children
        The fields.
    name
        The column's name, for its CSS class.
    """
    return _named(widgets.VBox(children, layout=widgets.Layout(max_width="100%")), name)


def show(widget: widgets.Widget, visible: bool) -> None:
    """Show or hide a widget, for keyboards and screen readers too.

    Parameters
    ----------
    widget
        The widget.
    visible
        Whether it is shown.
    """
    widget.layout.display = None if visible else "none"


def offer(field: Any, choices: Sequence[tuple[str, Any]]) -> None:
    """Replace the choices of a list. The current choice stays if it is still offered; else the first one is chosen.

    Parameters
    ----------
    field
        A dropdown or a field with the same traits.
    choices
        Pairs of label and value.
    """
    chosen = field.value
    values = [value for _label, value in choices]
    if tuple(field.options) == tuple(choices):
        return
    field.options = tuple(choices)
    field.value = chosen if chosen in values else next(iter(values), None)


def put(field: Any, value: Any) -> None:
    """Set the value of a field.

    Parameters
    ----------
    field
        The field.
    value
        The new value, as the form's ``value`` returns it.

    Raises
    ------
    ArgumentError
        The field does not accept the value.
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
    """Return the error for a value that is not among the choices.

    Parameters
    ----------
    beginning
        The start of the sentence, before the quoted value.
    wrong
        The given value.
    possible
        The choices; texts among them are listed and used for a suggestion.
    """
    known = [each for each in possible if isinstance(each, str) and each]
    nearest = nearest_name(str(wrong), known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    more = f" and {len(known) - _MOST_SHOWN} more" if len(known) > _MOST_SHOWN else ""
    advice = f"Use one of: {', '.join(known[:_MOST_SHOWN])}{more}." if known else "There is nothing to choose from yet."
    return ArgumentError(f"{beginning} '{wrong}'.{hint}", advice, code="no_choice")


def nothing_chosen(what: str, choices: Sequence[Any], make: str) -> ArgumentError:
    """Return the error for a field without a choice, whether or not it offers any.

    Parameters
    ----------
    what
        What the field chooses, such as ``segment``.
    choices
        What can be chosen.
    make
        How to create the first one.
    """
    if not choices:
        return ArgumentError(f"There is no {what} to choose yet.", make, code="not_chosen")
    article = "an" if what[0] in "aeiou" else "a"
    return ArgumentError(f"No {what} is chosen.", f"Choose {article} {what} in the form.", code="not_chosen")


def _wide() -> widgets.Layout:
    return widgets.Layout(**_WIDE)


def _named(widget: Any, name: str) -> Any:
    """Add a CSS class that tests and style sheets use to find the widget."""
    widget.add_class(f"ci-{name}")
    return widget
