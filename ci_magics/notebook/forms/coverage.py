"""The coverage form: choose segments and see how many profiles can be matched, and why the others cannot."""

from __future__ import annotations

from typing import Any, ClassVar

import ci_magics as ci
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.errors import ArgumentError
from ci_magics.matching.coverage import Coverage
from ci_magics.matching.normalize import NORMALIZATIONS
from ci_magics.notebook.forms.code_text import Code, code_of
from ci_magics.notebook.forms.fields import button, dropdown, nothing_chosen, offer, page, row
from ci_magics.notebook.forms.live import MOMENT, Live, Stopped
from ci_magics.notebook.forms.pattern import Form, background
from ci_magics.notebook.forms.picker import Picker
from ci_magics.workspace.store import WorkspaceLike

_NOWHERE = ("no connection: only count", "")


class CoverageForm(Form):
    """The coverage of one or several segments, recounted after each change.

    Parameters
    ----------
    workspace
        Holds segments and connections; by default the default workspace.
    moment
        Seconds without changes before counting.
    """

    title: ClassVar[str] = "What can be matched"

    def __init__(self, workspace: WorkspaceLike | None = None, *, moment: float = MOMENT) -> None:
        super().__init__(workspace)
        self.coverage: Coverage | None = None
        self.segments = Picker("Segments", "segments", empty="There is no segment yet.")
        self.connection = dropdown("Compare with", [_NOWHERE], "connection")
        self.normalization = dropdown("Normalization", list(NORMALIZATIONS), "normalization")
        self.fields = {"segments": self.segments, "to": self.connection, "normalization": self.normalization}
        self.view = page("coverage")
        self.keep_button = button("Keep as receipt", "keep", self._keep_clicked, hint="Write it below, to stay")
        self._live = Live(self, self._count, moment)
        self.set_layout(
            self.segments, self.connection, self.normalization, row(self.keep_button, self.code_button),
            self.status, self.code_view, self.view,
        )  # fmt: skip
        for field in self.fields.values():
            field.observe(lambda _change: self._changed(), names="value")
        self.refresh()

    def refresh(self) -> None:
        """Reload segments and connections."""
        records = list(self.workspace.segments)
        self.segments.options = [(f"{each.name} ({pluralize(each.rows, 'profile')})", each.name) for each in records]
        offer(self.connection, [_NOWHERE, *((each.name, each.name) for each in self.workspace.connections)])
        self._changed()
        if not records:
            self.say("There is no segment yet. Make one with the form %ci_segment.")

    @property
    def code(self) -> Code:
        """The preview as a magic and as a Python call."""
        names, options = self._arguments()
        return code_of("preview", names, options)

    def preview(self) -> Coverage:
        """Count immediately and show the result."""
        self._live.now()
        if self.coverage is None:
            raise ArgumentError("The choices changed while they were counted.", "Try again.", code="not_chosen")
        return self.coverage

    def keep(self) -> Coverage:
        """Write the coverage as a receipt below the form."""
        coverage = self.preview()
        self.receipts.add(_sentence(coverage), self.view.value)
        self.say("It is written below and stays in the notebook.", "done")
        return coverage

    def _arguments(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        if not self.segments.value:
            raise nothing_chosen("segment", self.segments.options, "Make one with the form %ci_segment.")
        rule = self.normalization.value
        return self.segments.value, {
            "to": self.connection.value or None,
            "normalization": None if rule == "basic" else rule,
        }

    def _changed(self) -> None:
        self.forget_code()
        self.allow()
        if self.segments.value:
            self.say("Counting …")
            self._live.ask()
        else:
            self._live.cancel()
            self.coverage, self.view.value = None, ""
            self.say("Choose a segment: it is counted at once.")

    def allow(self) -> None:
        """Enable the buttons that can be used now."""
        self.keep_button.disabled = self.code_button.disabled = not self.segments.value

    def _count(self, stopped: Stopped) -> None:
        names, options = self._arguments()
        given = {name: value for name, value in options.items() if value is not None}
        coverage = ci.preview(*names, **given, workspace=self.workspace)
        if stopped():
            return
        self.coverage = coverage
        self.view.value = coverage._repr_mimebundle_()["text/html"]
        self.say(_sentence(coverage))

    @background
    def _keep_clicked(self) -> None:
        self.keep()


def _sentence(coverage: Coverage) -> str:
    parts = [
        f"{each.name}: {format_count(each.sendable)} of {format_count(each.rows)} can be sent"
        for each in coverage.segments
    ]
    return f"{'; '.join(parts)} ({coverage.normalization})."
