"""The segment form: choose a source, build rules with live counts, and save the segment."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, ClassVar

from ci_magics.activation.segments.versions import can_redo, can_undo
from ci_magics.display.numbers import pluralize
from ci_magics.errors import CiError, SegmentError
from ci_magics.notebook.forms.allowances import Allowances
from ci_magics.notebook.forms.code_text import Code
from ci_magics.notebook.forms.fields import button, page, row, show
from ci_magics.notebook.forms.live import MOMENT, Live, Stopped
from ci_magics.notebook.forms.pattern import Form, background, callback, handled
from ci_magics.notebook.forms.rule_builder import SetsEditor
from ci_magics.notebook.forms.rule_condition import EditorContext
from ci_magics.notebook.forms.rule_count import RuleCount
from ci_magics.notebook.forms.rule_text import rule_html
from ci_magics.notebook.forms.segment_fields import INSIGHTS, SEGMENTS, SegmentFields
from ci_magics.notebook.forms.segment_insights import InsightsChoice
from ci_magics.notebook.forms.segment_source import SegmentSource
from ci_magics.notebook.forms.typed_segment import TypedSegment
from ci_magics.operations.segments import Segments
from ci_magics.segmentation.rules.kinds import Kind
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.store import WorkspaceLike


class SegmentForm(Form):
    """Build a segment. Every click has a method of the same effect.

    Parameters
    ----------
    workspace
        Holds the segments; by default the default workspace.
    variables
        The notebook's variables, whose frames can be chosen.
    moment
        Seconds without changes before counting.
    """

    title: ClassVar[str] = "Build a segment"

    def __init__(
        self,
        workspace: WorkspaceLike | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
        moment: float = MOMENT,
    ) -> None:
        super().__init__(workspace)
        self.segment: Segment | None = None
        self._segments = Segments(self.workspace)
        self._fields = SegmentFields(variables or {})
        self._allowances = Allowances()
        self.fields = {**self._fields.fields(), **self._allowances.fields()}
        self._source: SegmentSource | None = None
        self._insights = InsightsChoice(self.workspace, self._fields, self.say)
        self._typed = TypedSegment(self.workspace, self._fields, self._insights, self._allowances, self.say)
        self._counted = RuleCount(self.workspace, self._remark_count)
        self.live = Live(self, self._count, moment)
        self._building = True
        self._refused = False
        self._make_views()
        self._watch()
        self.refresh()

    @property
    def value(self) -> dict[str, Any]:
        """The current choices; ``rule`` is the rule's text."""
        rule = self._rule_if_complete()
        return {**{name: field.value for name, field in self.fields.items()}, "rule": rule.text if rule else ""}

    @value.setter
    def value(self, choices: Mapping[str, Any]) -> None:
        allowed = {name: value for name, value in choices.items() if name in self._allowances.fields()}
        rest = {name: value for name, value in choices.items() if name != "rule" and name not in allowed}
        put = super(SegmentForm, type(self)).value.fset  # type: ignore[attr-defined]  # the property above it
        put(self, rest)
        if "rule" in choices:
            self.set_rule(choices["rule"])
        put(self, allowed)  # last, because any other change clears an override

    def refresh(self) -> None:
        """Reload frames and segments; an unfinished rule stays."""
        rule = self._rule_if_complete() if not self._building else None
        self._fields.offer_sources(
            earlier=bool(self.workspace.segments.names()), instances=self.workspace.insights.names()
        )
        self._source_changed()
        self._offer_versions()
        if rule is not None:
            self.set_rule(rule.text)

    @property
    def rule(self) -> Rule | None:
        """The built rule; None to select all profiles.

        Raises
        ------
        SegmentError
            A condition is not complete.
        """
        node = self.builder.node()
        return None if node is None else Rule(root=node)

    def set_rule(self, text: str) -> None:
        """Show a rule given as text.

        Raises
        ------
        SegmentError
            The text is not a valid rule, or the fields cannot represent it.
        """
        rule = Rule.parse(text, self._fields.variables) if text.strip() else None
        self._building = True
        self.builder.put(rule.root if rule else None)
        self._building = False
        if self.rule != rule:
            raise SegmentError(
                "This rule cannot be shown in fields.",
                "Use it in a cell: %ci_segment NAME FRAME --rule.",
                code="rule_shape",
            )
        self._changed()

    def count(self) -> int:
        """Count the selected profiles immediately, and show the count of each part.

        Raises
        ------
        SegmentError
            The rule is not complete, or does not fit the source.
        """
        self.live.now()
        return self._counted.chosen

    def save(self) -> Segment:
        """Create the segment.

        Raises
        ------
        ArgumentError
            The name or the source is missing.
        SegmentError
            The rule is not complete, or the source cannot be used.
        """
        self.segment = self._typed.save(lambda: self.rule)
        sentence = (
            f"Segment '{self.segment.name}': {pluralize(self.segment.rows, 'profile')}, e-mail in {self.segment.email}."
        )
        self.receipts.add(sentence, self.segment._repr_html_())
        self._offer_versions()
        self.say(sentence, "done")
        return self.segment

    def undo(self) -> Segment:
        """Restore the named segment as it was before it was replaced or deleted; see `Segments.undo`."""
        return self._exchanged(self._segments.undo(self._typed.name(), show=self._show_exchange))

    def redo(self) -> Segment:
        """Restore the version of the named segment that was last undone; see `Segments.redo`."""
        return self._exchanged(self._segments.redo(self._typed.name(), show=self._show_exchange))

    def _exchanged(self, record: Segment) -> Segment:
        self.segment = None  # no longer the kept version
        self._offer_versions()
        return record

    def _remark_count(self, sentence: str) -> None:
        """Show a count unless the status line reports a finished action; the next change allows it again."""
        if self.kind != "done":
            self.remark(sentence)

    def _show_exchange(self, sentence: str) -> None:
        self.receipts.add(sentence)
        self.say(sentence, "done")

    @property
    def code(self) -> Code:
        """The segment as a magic and as a Python call."""
        return self._typed.code(lambda: self.rule)

    def look_up(self) -> list[str]:
        """Query the segments of Customer Insights, and offer them with their member counts."""
        return self._insights.look_up()

    def _make_views(self) -> None:
        self._fresh_builder()
        self.total = self._counted.view
        self.text_view = page("rule-text")
        self.save_button = button("Save segment", "save", self._save_clicked, style="primary")
        self.undo_button = button("Undo last change", "undo", self._undo_clicked, hint="Bring the version before back")
        self.redo_button = button("Redo", "redo", self._redo_clicked, hint="Bring back what was undone")
        self.look_up_button = button("Look up segments", "look-up", self._look_up_clicked)
        self._rule_place = row(name="rule-place")
        self._rule_place.children = (self.builder.widget,)
        fields = self._fields
        self.set_layout(
            fields.name, fields.source, fields.path, fields.encoding, fields.instance, fields.there,
            self.look_up_button, fields.email, fields.key, fields.consent, fields.consent_yes,
            self._rule_place, self.total,
            self.text_view, fields.keep, *self._allowances.fields().values(),
            row(self.save_button, self.undo_button, self.redo_button, self.code_button),
        )  # fmt: skip

    def _fresh_builder(self) -> None:
        context = EditorContext(
            columns=self._source.columns if self._source else [],
            kind_of=lambda column: self._source.kind(column) if self._source else Kind.OTHER,
            choices_of=lambda column: self._source.choices(column) if self._source else [],
            segments=self.workspace.segments.names(),
            changed=self._changed,
            refuse=self._refuse,
        )
        self.builder = SetsEditor(context)

    def _refuse(self, error: SegmentError) -> None:
        """Explain why a typed value was removed; the removal itself must not clear the error."""
        self._refused = True
        self.say(str(error), "error")

    def _watch(self) -> None:
        self._fields.source.observe(lambda _change: self._source_changed(), names="value")
        for each in (self._fields.path, self._fields.encoding):
            each.observe(lambda _change: self._source_changed(), names="value")
        self._fields.consent.observe(lambda _change: self._consent_changed(), names="value")
        for name in ("name", "email", "key", "consent", "consent_yes", "keep", "instance", "from_insights"):
            self.fields[name].observe(lambda _change: self._changed(), names="value")
        self._fields.name.observe(lambda _change: self._offer_versions(), names="value")
        for each in self._allowances.fields().values():
            each.observe(lambda _change: self.forget_code(), names="value")

    def _source_changed(self) -> None:
        """Start over with the columns of another source."""
        self._source = None
        self._building = True
        handled(self, self._open_source)
        self._fields.source_changed(self._source)
        self._fresh_builder()
        self._rule_place.children = (self.builder.widget,)
        there = self._fields.source.value == INSIGHTS
        for each in (self._rule_place, self.total, self.text_view):
            show(each, not there)
        show(self.look_up_button, there)
        self._building = False
        self._changed()

    def _consent_changed(self) -> None:
        """Offer the values of another consent column."""
        if not self._building:
            handled(self, lambda: self._fields.consent_changed(self._source))

    def _open_source(self) -> None:
        self.say("")
        self._source = self._fields.open()

    def _changed(self) -> None:
        """Show the rule as text and recount."""
        if self._building:
            return
        self.forget_code()
        self._allowances.reset()
        if not self._refused:
            self.kind = "info"  # a change clears the last error
        self._refused = False
        self._show_rule()
        if self._source is not None or self._fields.source.value == SEGMENTS:
            self.live.ask()

    def _offer_versions(self) -> None:
        """Show undo and redo if the named segment has such a version."""
        name = self._fields.name.value.strip()
        show(self.undo_button, can_undo(self.workspace, name))
        show(self.redo_button, can_redo(self.workspace, name))

    def _show_rule(self) -> None:
        try:
            rule = self.rule
        except CiError as error:
            self.text_view.value = f"<small>{html.escape(error.sentence)}</small>"
            return
        self.text_view.value = rule_html(self.workspace, self._source, self._fields.key.value or None, rule)

    def _rule_if_complete(self) -> Rule | None:
        try:
            return self.rule
        except CiError:
            return None

    def _count(self, stopped: Stopped) -> None:
        self._counted.show(
            self._source,
            self._fields.key.value or None,
            lambda: self.rule,
            lambda: list(self.builder.editors()),
            stopped,
        )

    @background
    def _look_up_clicked(self) -> None:
        self.say("Asking Customer Insights …")
        self.look_up()

    @background
    def _save_clicked(self) -> None:
        self.say("Making the segment …")
        self.save()

    @callback
    def _undo_clicked(self) -> None:
        self.undo()

    @callback
    def _redo_clicked(self) -> None:
        self.redo()
