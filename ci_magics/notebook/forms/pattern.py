"""The base of all forms: an announced status line, callbacks that show every error, and receipts."""

from __future__ import annotations

import functools
import html
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import ipywidgets as widgets

from ci_magics.discretion import kept, without_people
from ci_magics.errors import CiError
from ci_magics.notebook.forms.code_text import Code, code_html
from ci_magics.notebook.forms.fields import NOT_KEPT, Entry, Suggesting, button, no_choice, page, put, show
from ci_magics.notebook.forms.in_form import in_words_of_form
from ci_magics.notebook.forms.in_page import STYLE, InPage
from ci_magics.notebook.forms.receipts import Receipts
from ci_magics.workspace.store import WorkspaceLike, store_of

_Form = TypeVar("_Form", bound="Form")
_COLORS = {
    "info": "var(--jp-ui-font-color1, inherit)",
    "error": "var(--jp-error-color0, #b3261e)",
    "done": "var(--jp-success-color0, #1b6e3c)",
}
#: Use the line spacing of notebook text, not that of fields.
_STYLE = f"<style>.ci-form .widget-html-content {{line-height: 1.4}} {STYLE}</style>"
_MARKS = {"info": "", "error": "✗ ", "done": "✓ "}


class Form(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A form: fields, actions, a status line, and receipts.

    Parameters
    ----------
    workspace
        Holds segments, connections and exports; by default the default workspace.
    """

    title: ClassVar[str] = ""

    def __init__(self, workspace: WorkspaceLike | None = None) -> None:
        self.workspace = store_of(workspace)
        self.receipts = Receipts(self.title)
        self.fields: dict[str, Any] = {}
        self.is_busy = False
        self._threads: list[threading.Thread] = []
        self.status = page("status")
        self.in_page = InPage()
        self._heading = widgets.HTML(f"{_STYLE}<h3 style='margin:4px 0 8px'>{html.escape(self.title)}</h3>")
        self.code_view = page("code-view")
        self.code_button = button("Copy as code", "copy", self._code_clicked, hint="The same as a magic and in Python")
        super().__init__(layout=widgets.Layout(max_width="960px", padding="8px 12px"))
        self.add_class("ci-form")
        self.say("")

    @property
    def value(self) -> dict[str, Any]:
        """The current choices as texts, lists of texts and switches. Assign a mapping to change them."""
        return {name: field.value for name, field in self.fields.items()}

    @value.setter
    def value(self, choices: Mapping[str, Any]) -> None:
        for name in choices:
            if name not in self.fields:
                raise no_choice("The form has no field", name, list(self.fields))
        for name, field in self.fields.items():  # in order, because earlier fields affect the choices of later ones
            if name in choices:
                put(field, choices[name])

    @property
    @abstractmethod
    def code(self) -> Code:
        """The same action as a magic and as a Python call."""

    @abstractmethod
    def refresh(self) -> None:
        """Reload what the form offers."""

    def allow(self) -> None:
        """Enable the buttons that can be used now."""

    def say(self, sentence: str, kind: str = "info") -> None:
        """Show a sentence in the status line, which screen readers announce.

        Parameters
        ----------
        sentence
            The text; addresses in it are masked, and options become fields.
        kind
            ``info``, ``error`` or ``done``: the color and the mark.
        """
        self.kind = kind
        sentence = self.worded(without_people(sentence))
        style = f"color:{_COLORS[kind]};min-height:1.4em;line-height:1.4;white-space:normal;overflow-wrap:anywhere"
        text = html.escape(_MARKS[kind] + sentence)
        self.status.value = f"<div role='status' aria-live='polite' style=\"{style}\">{text}</div>"
        self.in_page.say(_MARKS[kind] + sentence, _COLORS[kind])

    def worded(self, sentence: str) -> str:
        """Replace the options of a magic in a sentence by the form's fields."""
        return in_words_of_form(sentence, self.named())

    def named(self) -> Mapping[str, Any]:
        """Return what replaces each option, a field or words; see `in_words_of_form`."""
        return self.fields

    def remark(self, sentence: str) -> None:
        """Show a sentence unless the status line shows an error."""
        if self.kind != "error":
            self.say(sentence)

    @property
    def sentence(self) -> str:
        """The shown sentence, as HTML."""
        return str(self.status.value)

    def set_layout(self, *body: widgets.Widget) -> None:
        """Put fields and actions below the heading. Status line and code come last unless ``body`` contains them."""
        last = [each for each in (self.status, self.code_view) if each not in body]
        children = [self._heading, *body, *last]
        for each in children:
            self._listen(each)
        children.insert(children.index(self.status) + 1, self.in_page)
        self.children = tuple(children)

    def _listen(self, widget: widgets.Widget) -> None:
        """Report rejected addresses in the status line."""
        if isinstance(widget, Entry | Suggesting):
            widget.complain = lambda: self.say(f"{NOT_KEPT} Give it to the function or magic in a cell.", "error")
        for each in getattr(widget, "children", ()):
            self._listen(each)

    def in_background(self, work: Callable[[], None]) -> None:
        """Run long work in a thread, so that the kernel stays free for other cells."""
        self._threads = [each for each in self._threads if each.is_alive()]
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all background work is done."""
        while waiting := [each for each in self._threads if each.is_alive()]:
            waiting[0].join()

    def forget_code(self) -> None:
        """Hide the shown code, which no longer matches the choices."""
        self.code_view.value = ""

    def show_code(self) -> None:
        """Show the code, ready to copy."""
        self.code_view.value = code_html(self.code)
        self.say("Copy one of the two into a cell.")

    @property
    def summary(self) -> str:
        """The state of the form as static HTML, which needs neither a kernel nor trust."""
        chosen = {name: _plainly(value) for name, value in kept(self.value).items()}
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html.escape(name.replace('_', ' '))}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in chosen.items()
            if text
        )
        return f"<div><b>{html.escape(self.title)}</b>: run the cell to use the form.</div><table>{rows}</table>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Show the form; without a kernel, show the choices and the receipts."""
        bundle = super()._repr_mimebundle_(**options)
        static = {"text/html": self.summary + self.receipts._repr_html_(), "text/plain": repr(self)}
        if isinstance(bundle, tuple):
            return ({**bundle[0], **static}, *bundle[1:])
        return {**(bundle or {}), **static}

    def _ipython_display_(self) -> None:
        """Show the form, and its receipts below it."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        data["text/html"] = self.summary  # the receipts have their own output below
        display(data, metadata=next(iter(metadata), None), raw=True)  # type: ignore[no-untyped-call]  # IPython's
        self.receipts.show()

    def __repr__(self) -> str:
        chosen = [f"{name}={value!r}" for name, value in kept(self.value).items() if value]
        return f"{type(self).__name__}({', '.join(chosen)})"

    def _code_clicked(self, *_event: object) -> None:
        handled(self, self.show_code)


def callback(method: Callable[[_Form], None]) -> Callable[..., None]:
    """Turn a method into an event handler that shows errors in the status line."""

    @functools.wraps(method)
    def handle(form: _Form, *_event: object) -> None:
        handled(form, lambda: method(form))

    return handle


def background(method: Callable[[_Form], None]) -> Callable[..., None]:
    """Turn a method into an event handler that runs in a thread, one at a time; see `callback`."""

    @functools.wraps(method)
    def handle(form: _Form, *_event: object) -> None:
        if form.is_busy:  # ignore further clicks while it runs
            return
        _set_busy(form, True)

        def work() -> None:
            try:
                handled(form, lambda: method(form))
            finally:
                _set_busy(form, False)

        form.in_background(work)

    return handle


def _set_busy(form: Form, busy: bool) -> None:
    form.is_busy = busy
    form.allow()


def handled(form: Form, work: Callable[[], None]) -> None:
    """Call a function and show its errors in the status line.

    Parameters
    ----------
    form
        The form with the status line.
    work
        The function.
    """
    try:
        work()
    except CiError as error:
        form.say(str(error), "error")
    except Exception as error:  # noqa: BLE001 - an exception in a widget's callback is shown nowhere else
        form.say(f"That failed unexpectedly ({type(error).__name__}). Please report it.", "error")


def reveal(toggle: widgets.Button, part: widgets.Widget, more: str, less: str) -> None:
    """Make a button show and hide a part of a form.

    Parameters
    ----------
    toggle
        The button.
    part
        The part, hidden at first.
    more
        The button's label while the part is hidden.
    less
        The button's label while the part is shown.
    """

    def turn(*_event: object) -> None:
        hidden = part.layout.display == "none"
        show(part, hidden)
        toggle.description = less if hidden else more

    show(part, False)
    toggle.description = more
    toggle.on_click(turn)


def _plainly(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return {True: "yes", False: "", None: ""}.get(value, str(value)) if not isinstance(value, str) else value
