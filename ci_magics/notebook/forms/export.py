"""The export form: choose, look at the plan, confirm, push, and keep the receipt."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.progress import Progress
from ci_magics.activation.run import Run
from ci_magics.errors import ArgumentError, CiError
from ci_magics.matching.normalize import NORMALIZATIONS
from ci_magics.notebook.display import progress_text
from ci_magics.notebook.forms.pattern import (
    Form,
    button,
    callback,
    checkbox,
    choose,
    dropdown,
    in_background,
    no_choice,
    offer,
    progress_bar,
)
from ci_magics.segmentation.columns import in_quotes, quoted
from ci_magics.showing.numbers import counted
from ci_magics.workspace.access import NOTHING_SHARED
from ci_magics.workspace.store import Workspace

_FIELDS = ("segment", "connection", "normalization", "consent")
_EVERYBODY = ""
_CHOOSE = "Choose segment and connection, then show the plan. Nothing is sent before you push."


class ExportForm(Form):
    """Export one segment: everything that a person clicks here can be called as a method.

    Parameters
    ----------
    workspace
        Where segments and connections are; the default one unless given.
    monotonic
        Seconds that only grow, to say how long a push will take.
    """

    def __init__(self, workspace: Workspace | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__("Export a segment to Microsoft Advertising")
        self._workspace = workspace or ci.open_workspace()
        self._plan: Plan | None = None
        self._run: Run | None = None
        self._thread: threading.Thread | None = None
        self._monotonic = monotonic
        self._began = monotonic()
        self._make_fields()
        self._make_actions()
        self._lay_out()
        self.refresh()

    @property
    def value(self) -> dict[str, Any]:
        """The choices made, as text and switches; can be set."""
        return {name: getattr(self, name).value for name in _FIELDS}

    @value.setter
    def value(self, choices: dict[str, Any]) -> None:
        for name in choices:
            if name not in _FIELDS:
                raise no_choice("The form has no field", name, _FIELDS)
        for name in _FIELDS:  # in this order: the segment decides which consents there are
            if name in choices:
                choose(getattr(self, name), choices[name])

    def refresh(self) -> None:
        """Read segments and connections again."""
        segments = list(self._workspace.segments)
        connections = list(self._workspace.connections)
        offer(self.segment, [(f"{each.name} ({counted(each.rows)} profiles)", each.name) for each in segments])
        offer(self.connection, [(f"{each.name}: {each.environment}", each.name) for each in connections])
        if not segments:
            self.say('There is no segment yet. Make one in a cell: %ci_segment "Big spenders" customers')
        elif not connections and len(self._workspace.all_connections):
            self.say(NOTHING_SHARED)
        elif not connections:
            self.say('There is no connection yet. Make one in a cell: %ci_connect "Contoso EU" --url ADDRESS --agree')
        else:
            self.say(_CHOOSE)
        self._offer_consents()
        self._choices_changed()

    def plan(self) -> Plan:
        """Make the plan and show it; nothing is sent.

        Raises
        ------
        ArgumentError
            Segment or connection is not chosen yet.
        """
        self._forget_plan()
        if not (self.segment.value and self.connection.value):
            raise ArgumentError("Choose a segment and a connection first.", "Make them in a cell.", code="not_chosen")
        plan = ci.export(
            self.segment.value,
            to=self.connection.value,
            dry_run=True,
            normalization=self.normalization.value,
            consent=self.consent.value or None,
            ignore_consent=self.consent.value == _EVERYBODY,
            workspace=self._workspace,
            show=self.say,
        )
        if not isinstance(plan, Plan):
            raise CiError("The plan could not be made.", "Try %ci_export with --dry-run.")
        self._plan = plan
        self.plan_view.value = plan._repr_html_()
        self.confirm.disabled = False
        self.say("This is the plan. Confirm it, then push.")
        return plan

    def push(self) -> Run:
        """Carry out the plan that was shown.

        Raises
        ------
        ArgumentError
            There is no plan yet.
        """
        if self._plan is None:
            raise ArgumentError("There is no plan yet.", "Show the plan first.", code="no_plan")
        self._began = self._monotonic()
        self._run = self._plan.apply(progress=self.show_progress)
        self._finish(self._run)
        return self._run

    @property
    def code(self) -> str:
        """The same export as a magic and as a Python call."""
        chosen = self.value
        rule, column = chosen["normalization"], chosen["consent"]
        option, argument = "", ""
        if self.consent.options:
            option = f" --consent {quoted(column)}" if column else " --ignore-consent"
            argument = f", consent={column!r}" if column else ", ignore_consent=True"
        names = (in_quotes(chosen["segment"] or ""), in_quotes(chosen["connection"] or ""))
        magic = f"%ci_export {names[0]} --to {names[1]} --normalization {rule}{option}"
        call = f"ci.export({chosen['segment']!r}, to={chosen['connection']!r}, normalization={rule!r}{argument})"
        return f"{magic}\n# the same in Python:\n{call}"

    def wait(self) -> None:
        """Wait until a push that was started by the button is done."""
        if self._thread is not None:
            self._thread.join()

    def _make_fields(self) -> None:
        self.segment = dropdown("Segment", [], "segment")
        self.connection = dropdown("Connection", [], "connection")
        self.normalization = dropdown("Normalization", list(NORMALIZATIONS), "normalization")
        self.consent = dropdown("Consent", [], "consent")
        self.destination = widgets.HTML()
        self.destination.add_class("ci-destination")
        self.plan_view = widgets.HTML(layout=widgets.Layout(max_width="100%", overflow="auto"))
        self.plan_view.add_class("ci-plan")
        self.confirm = checkbox("I have read the plan", "confirm")
        self.bar = progress_bar()
        self.bar_text = widgets.Label()
        self.bar_text.add_class("ci-progress-text")
        self.code_view = widgets.HTML()
        self.code_view.add_class("ci-code-view")
        self.segment.observe(lambda _change: self._offer_consents(), names="value")
        for name in _FIELDS:
            getattr(self, name).observe(lambda _change: self._choices_changed(), names="value")
        self.confirm.observe(lambda _change: self._allow_push(), names="value")

    def _make_actions(self) -> None:
        self.plan_button = button("Show the plan", "show-plan", self._plan_clicked, hint="Send nothing yet")
        self.push_button = button("Push", "push", self._push_clicked, style="primary", hint="Send what the plan says")
        self.code_button = button("Copy as code", "copy", self._copy_clicked, hint="The same as a magic and in Python")
        self.progress = widgets.HBox([self.bar, self.bar_text])
        self.progress.layout.visibility = "hidden"

    def _lay_out(self) -> None:
        actions = widgets.HBox([self.plan_button, self.push_button, self.code_button])
        self.children = (
            self._heading,
            self.destination,
            self.segment,
            self.connection,
            self.normalization,
            self.consent,
            self.plan_view,
            self.confirm,
            actions,
            self.progress,
            self._status,
            self.code_view,
            self.receipt,
        )

    def _choices_changed(self) -> None:
        """Forget a plan that does not fit the choices any more."""
        self._forget_plan()
        self.code_view.value = ""
        self.plan_button.disabled = not (self.segment.value and self.connection.value)
        self.code_button.disabled = self.plan_button.disabled
        self._show_destination()

    def _forget_plan(self) -> None:
        """Take a plan back: what a person confirms is the plan that is shown, no other."""
        self._plan = None
        self.plan_view.value = ""
        self.confirm.value, self.confirm.disabled = False, True
        self._allow_push()

    def _show_destination(self) -> None:
        chosen = self._workspace.connections.get(self.connection.value) if self.connection.value else None
        self.destination.value = f"<b>{html.escape(chosen.destination)}</b>" if chosen else ""

    def _offer_consents(self) -> None:
        """Offer the consent columns that the segment's condition does not use; the safe choice comes first."""
        record = self._workspace.segments.get(self.segment.value) if self.segment.value else None
        columns = record.unused_consent if record else ()
        choices = [(f"Only profiles with {column}", column) for column in columns]
        offer(self.consent, [*choices, ("All profiles: consent is settled elsewhere", _EVERYBODY)] if columns else [])
        self.consent.layout.display = "" if columns else "none"

    def _allow_push(self) -> None:
        self.push_button.disabled = self._plan is None or not self.confirm.value

    def show_progress(self, progress: Progress) -> None:
        """Show how far a push is, and about how long it will take."""
        self.progress.layout.visibility = "visible"
        self.bar.value = progress.share
        self.bar_text.value = progress_text(progress, self._monotonic() - self._began)

    def _finish(self, run: Run) -> None:
        self._plan = None
        self.confirm.value, self.confirm.disabled = False, True
        self.show_progress(Progress(run.status, run.accepted, run.accepted + run.rejected + run.unknown))
        self.receipt.value = run._repr_html_()
        self.say(f"{run.status}: {counted(run.accepted)} accepted, {counted(run.rejected)} rejected.", "done")

    @callback
    def _plan_clicked(self) -> None:
        self.say("Making the plan …")
        self.plan()

    @callback
    def _push_clicked(self) -> None:
        self.push_button.disabled = self.plan_button.disabled = True
        self.say("Pushing …")
        self._thread = in_background(self._push_in_background)

    @callback
    def _push_in_background(self) -> None:
        try:
            self.push()
        finally:
            self.plan_button.disabled = False

    @callback
    def _copy_clicked(self) -> None:
        """Show the code, selected as a whole by one click; a page may not write to the clipboard unasked."""
        style = "user-select:all;padding:8px;border:1px solid var(--jp-border-color2, #ccc);white-space:pre-wrap"
        self.code_view.value = f"<pre style='{style}'>{html.escape(self.code)}</pre>"
        self.say("Click the code to select it, then copy it into a cell.")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Show the form, and where there is no kernel what it last did."""
        bundle = super()._repr_mimebundle_(**options)
        static = f"<div>Export form. Run the cell to use it.</div>{self.receipt.value}"
        if isinstance(bundle, tuple):
            return ({**bundle[0], "text/html": static}, *bundle[1:])
        return {**(bundle or {}), "text/html": static}
