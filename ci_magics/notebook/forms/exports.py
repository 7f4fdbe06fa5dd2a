"""The exports panel: list, run and schedule saved exports and see their history. It refreshes itself during runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar, TypeVar

from ci_magics.activation.exports.history import ExportHistory
from ci_magics.activation.exports.listing import ExportLine
from ci_magics.activation.run import Run
from ci_magics.clock import SystemClock
from ci_magics.display.numbers import inflect, pluralize
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.code_text import Code, code_of
from ci_magics.notebook.forms.exports_schedule import ScheduleFields
from ci_magics.notebook.forms.exports_view import ExportsView
from ci_magics.notebook.forms.fields import (
    button,
    checkbox,
    column,
    dropdown,
    entry,
    nothing_chosen,
    offer,
    page,
    row,
)
from ci_magics.notebook.forms.pattern import Form, background, callback, handled, reveal
from ci_magics.notebook.forms.progress_row import ProgressRow
from ci_magics.notebook.forms.run_result import result_html, result_kind, result_progress, result_sentence
from ci_magics.operations.exports import Exports
from ci_magics.workspace.statuses import QUEUED, RUNNING
from ci_magics.workspace.store import WorkspaceLike

_EVERY = 1.0
_Result = TypeVar("_Result")


class ExportsForm(Form):
    """The saved exports. Every click has a method of the same effect.

    Parameters
    ----------
    workspace
        Holds the exports; by default the default workspace.
    every
        Seconds between refreshes during a run.
    """

    title: ClassVar[str] = "Saved exports"

    def __init__(self, workspace: WorkspaceLike | None = None, *, every: float = _EVERY) -> None:
        super().__init__(workspace)
        self._every = every
        self._lines: list[ExportLine] = []
        self._notes: tuple[str, ...] = ()
        self._watching = threading.Lock()
        self._closed = threading.Event()
        self._clock = SystemClock()
        self._exports = Exports(self.workspace)
        self._code = Code("%ci_exports --list", "ci.exports")
        self.progress = ProgressRow(lambda: self._clock.stop())
        self.view = ExportsView(self._narrow)
        self.schedule = ScheduleFields()
        self.export = dropdown("Export", [], "export")
        self.new_name = entry("New name", "new-name", hint="for a copy")
        self.fields = {**self.view.fields(), "export": self.export, **self.schedule.fields(), "new_name": self.new_name}
        self.details = page("details")
        self._make_actions()
        self.export.observe(lambda _change: self._chosen_changed(), names="value")
        self.refresh()

    def refresh(self) -> None:
        """Reload the exports; if one is running, keep reloading in the background."""
        listed = self._exports.overview()
        self._lines, self._notes = list(listed), listed.notes
        offer(self.export, [(each.name, each.name) for each in self._lines])
        self._narrow()
        if not self._lines:
            self.say("No export is saved yet. Save one with the form %ci_export.")
        elif any(each.status in (RUNNING, QUEUED) for each in self._lines):
            self.in_background(self._watch)

    @property
    def code(self) -> Code:
        """The last action as a magic and as a Python call."""
        return self._code

    def run_chosen(self) -> Run:
        """Run the chosen export now."""
        name = self._name()
        self._code = code_of("exports.run", [name], {})
        self._clock = SystemClock()
        run = self._with_progress(
            lambda: self._exports.run(name, progress=self.progress.report, show=self.say, clock=self._clock)
        )
        self.progress.end(result_progress(run))
        self.receipts.add(f"{name}: {result_sentence(run)}", result_html(run))
        self.say(f"{name}: {result_sentence(run)}", result_kind(run))
        return run

    def run_all(self) -> ExportHistory:
        """Run all exports whose schedule is on, one after the other."""
        self._code = Code("%ci_exports run-all", "ci.exports.run_all()")
        self._clock = SystemClock()
        done = self._with_progress(
            lambda: self._exports.run_all(progress=self.progress.report, show=self.say, clock=self._clock)
        )
        self.progress.end()
        left = len(done.not_completed)
        sentence = (
            f"{pluralize(len(done), 'export')} ran, {left} did not complete."
            if left
            else f"{pluralize(len(done), 'export')} ran."
        )
        self.receipts.add(sentence, done._repr_html_())
        self.say(sentence, "error" if left else "done")
        return done

    def show_details(self) -> None:
        """Show the configuration and the history of the chosen export."""
        name = self._name()
        self._code = code_of("exports.show", [name], {})
        history = self._exports.history(name)
        self.details.value = self._exports.show(name)._repr_html_() + history._repr_html_()
        self.say(f"{name}: {pluralize(len(history), 'run')}.")

    def set_schedule(self) -> None:
        """Set the typed schedule for the chosen export."""
        name, given = self._name(), self.schedule.arguments()
        warnings: list[str] = []
        self._exports.schedule(name, **given, show=warnings.append)
        self._code = code_of("exports.schedule", [name], given)
        self._done(" ".join([f"{name} runs {self._line(name).schedule}.", *warnings]))

    def duplicate(self) -> None:
        """Save a copy of the chosen export under another name."""
        name, new = self._name(), self.new_name.value.strip()
        if not new:
            raise ArgumentError("The copy has no name yet.", "Type one in the field New name.", code="no_name")
        self._exports.duplicate(name, new)
        self._code = code_of("exports.duplicate", [name, new], {})
        self._done(f"{name} was copied as {new}.")

    def detach(self) -> None:
        """Detach the chosen export from its connection: it stays but does not run."""
        name = self._name()
        self._exports.detach(name)
        self._code = code_of("exports.detach", [name], {})
        self._done(f"{name} no longer has a connection and does not run.")

    def remove(self) -> None:
        """Remove the chosen export, and forget what was sent.

        Raises
        ------
        ArgumentError
            The removal is not confirmed.
        """
        name = self._name()
        if not self.confirm.value:
            raise ArgumentError(
                "Removing is not confirmed.", f"Tick '{self.confirm.description}'.", code="not_confirmed"
            )
        forgotten = self._exports.remove(name)
        self._code = code_of("exports.remove", [name], {})
        self.confirm.value = False
        self._done(" ".join([f"{name} was removed.", *forgotten]))

    def close(self) -> None:
        """Close the form and stop refreshing."""
        self._closed.set()
        super().close()

    def _make_actions(self) -> None:
        self.confirm = checkbox("Yes, remove it and forget what was sent", "confirm-remove")
        self.run_button = button("Run", "run", self._run_clicked, style="primary")
        self.run_all_button = button("Run all", "run-all", self._run_all_clicked, hint="Those whose schedule is on")
        self.details_button = button("Details and history", "show-details", self._details_clicked)
        self.refresh_button = button("Refresh", "refresh", self._refresh_clicked)
        self.more_button = button("Schedule, copy, remove", "more-choices", lambda _event: None)
        more = column(
            self.schedule.box,
            button("Set schedule", "set-schedule", self._schedule_clicked),
            self.new_name,
            row(
                button("Duplicate", "duplicate", self._duplicate_clicked),
                button("Detach from connection", "detach", self._detach_clicked),
            ),
            self.confirm,
            button("Remove", "remove-export", self._remove_clicked, style="danger"),
            name="more",
        )
        reveal(self.more_button, more, "Schedule, copy, remove …", "Hide schedule, copy, remove")
        self.set_layout(
            self.view.box, self.export,
            row(self.run_button, self.run_all_button, self.details_button, self.refresh_button, self.code_button),
            self.more_button, more, self.progress.box, self.status, self.code_view, self.details,
        )  # fmt: skip

    def allow(self) -> None:
        """Enable the buttons that can be used now."""
        for each in (self.run_button, self.run_all_button, self.details_button):
            each.disabled = not self._lines

    def _narrow(self) -> None:
        """Show the exports that match the search."""
        shown = self.view.show(self._lines, self._notes)
        self.allow()
        if self._lines:
            self.remark(f"{len(shown)} of {pluralize(len(self._lines), 'export')} {inflect(len(shown), 'is')} shown.")

    def _chosen_changed(self) -> None:
        self.details.value = ""
        self.forget_code()

    def _with_progress(self, work: Callable[[], _Result]) -> _Result:
        """Run something and refresh the list meanwhile."""
        self.progress.begin()
        self.in_background(self._watch)
        try:
            return work()
        except BaseException:
            self.progress.end()
            raise
        finally:
            handled(self, self._reload)

    def _watch(self) -> None:
        """Reload the list until nothing runs; a single thread does this for the form."""
        if not self._watching.acquire(blocking=False):
            return
        try:
            while not self._closed.wait(self._every):
                self._reload()
                if not self.is_busy and not any(each.status in (RUNNING, QUEUED) for each in self._lines):
                    return
        finally:
            self._watching.release()

    def _reload(self) -> None:
        listed = self._exports.overview()
        if (list(listed), listed.notes) != (self._lines, self._notes):
            self._lines, self._notes = list(listed), listed.notes
            self.view.show(self._lines, self._notes)

    def _done(self, sentence: str) -> None:
        self.refresh()
        self.receipts.add(sentence)
        self.say(sentence, "done")

    def _line(self, name: str) -> ExportLine:
        return next(iter(self._exports.overview(name)))

    def _name(self) -> str:
        if self.export.value is None:
            raise nothing_chosen("saved export", self.export.options, "Save one with the form %ci_export.")
        return str(self.export.value)

    @background
    def _run_clicked(self) -> None:
        self.say("Running …")
        self.run_chosen()

    @background
    def _run_all_clicked(self) -> None:
        self.say("Running …")
        self.run_all()

    @callback
    def _details_clicked(self) -> None:
        self.show_details()

    @callback
    def _refresh_clicked(self) -> None:
        self.refresh()

    @callback
    def _schedule_clicked(self) -> None:
        self.set_schedule()

    @callback
    def _duplicate_clicked(self) -> None:
        self.duplicate()

    @callback
    def _detach_clicked(self) -> None:
        self.detach()

    @callback
    def _remove_clicked(self) -> None:
        self.remove()
