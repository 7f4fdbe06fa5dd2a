"""The export form: choose segments, review and confirm the plan, push, and keep the receipt."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Any, ClassVar

from ci_magics.activation.plan import Plan
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import resume_run
from ci_magics.clock import SystemClock
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError, CiError
from ci_magics.notebook.forms.code_text import Code
from ci_magics.notebook.forms.export_choices import ALL_PROFILES, ExportChoices
from ci_magics.notebook.forms.fields import button, entry, page, row
from ci_magics.notebook.forms.pattern import Form, background, reveal
from ci_magics.notebook.forms.progress_row import ProgressRow
from ci_magics.notebook.forms.run_result import (
    rejected_html,
    result_html,
    result_kind,
    result_progress,
    result_sentence,
)
from ci_magics.notebook.forms.shown_plan import ShownPlan
from ci_magics.notebook.forms.unfinished_runs import UnfinishedRuns
from ci_magics.workspace.access import NOTHING_SHARED
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.store import WorkspaceLike

_CHOOSE = "Choose a connection and segments, then show the plan. Nothing is sent before you push."


class ExportForm(Form):
    """Export segments. Every click has a method of the same effect.

    Parameters
    ----------
    workspace
        Holds segments and connections; by default the default workspace.
    monotonic
        A monotonic clock in seconds, used to estimate how long a push takes.
    """

    title: ClassVar[str] = "Export segments to Microsoft Advertising"

    def __init__(
        self, workspace: WorkspaceLike | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(workspace)
        self.run: Run | None = None
        self._version = 0
        self._saved: str | None = None
        self._clock = SystemClock()
        self.progress = ProgressRow(self._end_waits, monotonic)
        self.choices = ExportChoices(self.workspace)
        self.fields = self.choices.fields()
        self._make_views()
        self._make_actions()
        self._watch()
        self.refresh()

    def refresh(self) -> None:
        """Reload segments, connections and interrupted runs."""
        self.choices.refresh()
        self.unfinished_runs.refresh()
        if not self.workspace.segments.names():
            self.say("There is no segment yet. Make one with the form %ci_segment.")
        elif not self.workspace.connections.names() and len(self.workspace.all_connections):
            self.say(NOTHING_SHARED)
        elif not self.workspace.connections.names():
            self.say("There is no connection yet. Make one with the form %ci_connect.")
        else:
            self.say(_CHOOSE)
        self._choices_changed()

    @property
    def code(self) -> Code:
        """The export as a magic and as a Python call."""
        self.choices.require()
        return self.choices.code(save=self._saved)

    def plan(self) -> Plan:
        """Create the plan and show it; sends nothing.

        Raises
        ------
        ArgumentError
            Segments or the connection are not chosen yet, or the choices changed meanwhile.
        """
        self._shown.forget()
        self.choices.require()
        version = self._version
        plan = self.choices.plan(self.say)
        if version != self._version:
            raise ArgumentError(
                "The choices changed while the plan was made.", "Show the plan again.", code="plan_outdated"
            )
        if self._shown.put(plan):
            self.say("This is the plan. Confirm it, then push.")
        else:
            self.say(f"Blocked. Nothing would be sent: {plan.verdict.reason}", "error")
        return plan

    def push(self) -> Run:
        """Carry out the shown plan.

        Raises
        ------
        ArgumentError
            No plan is shown.
        """
        plan = self._shown.plan
        if plan is None:
            raise ArgumentError(
                "No plan is shown.",
                "Show the plan, then push it; each plan is pushed once, and a changed choice needs a new one.",
                code="no_plan",
            )
        return self._carry_out(lambda: plan.apply(progress=self.progress.report))

    def resume(self, run: str | None = None) -> Run:
        """Finish an interrupted run: by default the chosen one.

        Raises
        ------
        ArgumentError
            There is no unfinished run.
        """
        wanted = run or self.unfinished_runs.chosen()
        self._clock = SystemClock()
        return self._carry_out(
            lambda: resume_run(self.workspace, wanted, progress=self.progress.report, show=self.say, clock=self._clock)
        )

    def save(self, name: str | None = None) -> Export:
        """Save the choices as an export; sends nothing.

        Parameters
        ----------
        name
            The export's name; by default the typed one.

        Raises
        ------
        ArgumentError
            The name, segments or connection are missing.
        """
        self.choices.require()
        wanted = (name or self.save_as.value).strip()
        if not wanted:
            raise ArgumentError("The export has no name yet.", "Type one in the field Save as.", code="no_name")
        saved = self.choices.save(wanted, self.say)
        self._saved = wanted
        sentence = f"Saved as '{wanted}'. Run and schedule it with %ci_exports."
        self.receipts.add(sentence)
        self.say(sentence, "done")
        return saved

    def named(self) -> dict[str, Any]:
        """Return what replaces each option in a sentence; see `in_words_of_form`."""
        if not self.fields:  # during __init__
            return {}
        return {
            **self.fields,
            "to": self.choices.connection,
            "ignore_consent": f"'{ALL_PROFILES}' in the field '{self.choices.consent.description}'",
        }

    def stop(self) -> None:
        """Stop a running push; it can be resumed."""
        self.progress.stop()

    def look_up_audiences(self) -> list[str]:
        """Query the account's Customer Match lists and offer them."""
        names = self.choices.look_up_audiences(self.say)
        found = (
            f"{pluralize(len(names), 'list')}: type or choose one."
            if names
            else "The account has no Customer Match list yet."
        )
        self.say(found)
        return names

    def _make_views(self) -> None:
        self.destination = page("destination")
        self.result = page("result")
        self._shown = ShownPlan(self._push_clicked, self.worded)
        self.plan_view, self.confirm, self.push_button = self._shown.view, self._shown.confirm, self._shown.push_button
        self.save_as = entry("Save as", "save-as", hint="a name under which it can be run again and scheduled")
        self.unfinished_runs = UnfinishedRuns(self.workspace, self._resume_clicked)
        self.unfinished, self.resume_row = self.unfinished_runs.choice, self.unfinished_runs.row
        self.resume_button = self.unfinished_runs.resume_button

    def _make_actions(self) -> None:
        self.more_button = button("More choices", "more-choices", lambda _event: None, hint="Audience, guards")
        self.look_up_button = button("Look up the account's lists", "look-up", self._look_up_clicked)
        self.choices.more.children = (self.look_up_button, *self.choices.more.children)
        self.save_button = button("Save for later", "save-export", self._save_clicked, hint="Sends nothing")
        self.choices.more.children = (*self.choices.more.children, row(self.save_as, self.save_button))
        reveal(self.more_button, self.choices.more, "More choices", "Fewer choices")
        self.plan_button = button("Show the plan", "show-plan", self._plan_clicked, hint="Sends nothing yet")
        choices = self.choices
        self.set_layout(
            self.destination, self.resume_row, choices.connection, choices.segments, choices.email, choices.consent,
            choices.mode, self.more_button, choices.more, row(self.plan_button, self.code_button), self.plan_view,
            self.confirm, self.push_button, self.progress.box, self.result,
        )  # fmt: skip

    def _watch(self) -> None:
        self.choices.segments.observe(lambda _change: self.choices.segments_changed(), names="value")
        for field in self.fields.values():
            field.observe(lambda _change: self._choices_changed(), names="value")

    def _choices_changed(self) -> None:
        """Discard a plan that no longer matches the choices."""
        self._version += 1
        self._saved = None
        self._shown.forget()
        self.allow()
        self.forget_code()
        connection = self.workspace.connections.get(self.choices.connection.value or "")
        self.destination.value = f"<b>{html.escape(connection.destination)}</b>" if connection else ""

    def allow(self) -> None:
        """Enable the buttons that can be used now."""
        ready = bool(self.choices.segments.value and self.choices.connection.value)
        self.plan_button.disabled = self.code_button.disabled = not ready
        self.look_up_button.disabled = not self.choices.connection.value
        self._shown.allow()

    def _carry_out(self, work: Callable[[], Run]) -> Run:
        self.progress.begin()
        self.result.value = ""
        try:
            run = work()
        except CiError as error:
            self.progress.end()
            self.receipts.add(str(error))
            raise
        finally:
            self._shown.forget()
            self.unfinished_runs.refresh()
        self.run = run
        self.progress.end(result_progress(run))
        self.result.value = rejected_html(run)
        self.receipts.add(result_sentence(run), result_html(run))
        self.say(result_sentence(run), result_kind(run))
        return run

    def _end_waits(self) -> None:
        self._clock.stop()
        if self._shown.plan is not None:
            self._shown.plan.stop()

    @background
    def _plan_clicked(self) -> None:
        self.say("Making the plan …")
        self.plan()

    @background
    def _save_clicked(self) -> None:
        self.save()

    @background
    def _look_up_clicked(self) -> None:
        self.say("Asking Microsoft Advertising …")
        self.look_up_audiences()

    @background
    def _push_clicked(self) -> None:
        self.say("Pushing …")
        self.push()

    @background
    def _resume_clicked(self) -> None:
        self.say("Resuming …")
        self.resume()
