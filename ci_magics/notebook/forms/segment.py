"""The segment form: choose a source, say by rules who is in, see at once how many that are, and save it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, ClassVar

import ci_magics as ci
from ci_magics.activation.algebra import profiles_of_segments, segment_of_segments
from ci_magics.activation.customer_insights.segment import InsightsSegment
from ci_magics.activation.customer_insights.source import Insights
from ci_magics.activation.ruling import circumstances
from ci_magics.errors import ArgumentError, CiError, SegmentError
from ci_magics.notebook.forms.code_text import Code, Name, magic_line, python_call
from ci_magics.notebook.forms.fields import button, offer, page, row, show
from ci_magics.notebook.forms.live import MOMENT, Live, Stopped
from ci_magics.notebook.forms.pattern import Form, background, handled
from ci_magics.notebook.forms.rule_builder import SetsEditor
from ci_magics.notebook.forms.rule_condition import Surroundings
from ci_magics.notebook.forms.segment_fields import FILES, INSIGHTS, SEGMENTS, SegmentFields
from ci_magics.notebook.forms.segment_source import SegmentSource
from ci_magics.segmentation.rule_types import Kind
from ci_magics.segmentation.rules import Rule
from ci_magics.segmentation.segment import Segment
from ci_magics.showing.numbers import counted
from ci_magics.workspace.store import Workspace

_PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 6px;color:inherit;background:transparent"


class SegmentForm(Form):
    """Build a segment: everything that a person clicks here can be called as a method.

    Parameters
    ----------
    workspace
        Where segments are kept; the default one unless given.
    variables
        The variables of the notebook, whose frames can be chosen.
    moment
        Seconds to wait for further changes before counting.
    """

    title: ClassVar[str] = "Build a segment"

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
        moment: float = MOMENT,
    ) -> None:
        super().__init__(workspace)
        self.segment: Segment | None = None
        self._fields = SegmentFields(variables or {})
        self.fields = self._fields.fields()
        self._source: SegmentSource | None = None
        self.live = Live(self, self._count, moment)
        self._building = True
        self._refused = False
        self._chosen = 0
        self._make_views()
        self._watch()
        self.refresh()

    @property
    def value(self) -> dict[str, Any]:
        """The choices made; ``rule`` is the rule's text."""
        rule = self._rule_if_complete()
        return {**{name: field.value for name, field in self.fields.items()}, "rule": rule.text if rule else ""}

    @value.setter
    def value(self, choices: Mapping[str, Any]) -> None:
        rest = {name: value for name, value in choices.items() if name != "rule"}
        super(SegmentForm, type(self)).value.fset(self, rest)  # type: ignore[attr-defined]  # the property above it
        if "rule" in choices:
            self.set_rule(choices["rule"])

    def refresh(self) -> None:
        """Look again which frames and segments there are; a rule that was begun stays."""
        rule = self._rule_if_complete() if not self._building else None
        self._fields.offer_sources(
            earlier=bool(self.workspace.segments.names()), instances=self.workspace.insights.names()
        )
        self._source_changed()
        if rule is not None:
            self.set_rule(rule.text)

    @property
    def rule(self) -> Rule | None:
        """The rule as it is built, None where everybody is in.

        Raises
        ------
        SegmentError
            A condition is not complete.
        """
        node = self.builder.node()
        return None if node is None else Rule(root=node)

    def set_rule(self, text: str) -> None:
        """Show a rule that is given as text.

        Raises
        ------
        SegmentError
            The text is no rule, or one that cannot be shown in fields.
        """
        rule = Rule.parse(text) if text.strip() else None
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
        """Count at once how many profiles the rule chooses, and show it beside each part.

        Raises
        ------
        SegmentError
            The rule is not complete, or does not fit the source.
        """
        self.live.now()
        return self._chosen

    def save(self) -> Segment:
        """Make the segment.

        Raises
        ------
        ArgumentError
            The name or the source is missing.
        SegmentError
            The rule is not complete, or the source cannot be used.
        """
        name = self._name()
        rule = self.rule
        arguments = self._fields.arguments()
        self.segment = ci.segment(name, self._frame(), rule=rule, **arguments, workspace=self.workspace, show=self.say)
        said = f"Segment '{name}': {counted(self.segment.rows)} profiles, e-mail in {self.segment.email}."
        self.receipts.add(said, self.segment._repr_html_())
        self.say(said, "done")
        return self.segment

    @property
    def code(self) -> Code:
        """The same segment as a magic and as a Python call."""
        name, rule, arguments = self._name(), self.rule, self._fields.arguments()
        source = self._fields.source.value
        if source == INSIGHTS:
            return self._insights_code(name)
        given = {**arguments, "rule": rule.text if rule else None}
        frame = self._frame()
        before = f"files = {frame!r}\n" if source == FILES else ""
        word = [] if source == SEGMENTS else [Name("files" if source == FILES else source)]
        return Code(
            before + magic_line("%ci_segment", [name, *word], given),
            before + python_call("ci.segment", [name, *word], given),
        )

    def look_up(self) -> list[str]:
        """Ask Customer Insights for its segments, and offer them with their numbers of members."""
        found = list(self._instance().segments())
        offer(self._fields.there, [(_insights_label(each), each.name) for each in found])
        self.say(f"{len(found)} segments: choose one.")
        return [each.name for each in found]

    def _instance(self) -> Insights:
        if self._fields.instance.value is None:
            raise ArgumentError(
                "No instance of Customer Insights is known.",
                "Open one: %ci_connect --insights NAME.",
                code="no_instance",
            )
        return ci.insights(self._fields.instance.value, workspace=self.workspace, show=self.say)

    def _insights_code(self, name: str) -> Code:
        instance, there = self._fields.instance.value, self._there()
        return Code(
            magic_line("%ci_segment", [name], {"from_insights": there, "instance": instance}),
            f"ci.segment({name!r}, ci.insights({instance!r}).segment({there!r}))",
        )

    def _there(self) -> str:
        if not self._fields.there.value:
            raise ArgumentError(
                "No segment there is chosen.", "Look the segments up, then choose one.", code="no_source"
            )
        return str(self._fields.there.value)

    def _make_views(self) -> None:
        self._fresh_builder()
        self.total = page("total")
        self.text_view = page("rule-text")
        self.save_button = button("Save segment", "save", self._save_clicked, style="primary")
        self.look_up_button = button("Look up segments", "look-up", self._look_up_clicked)
        self._rule_place = row(name="rule-place")
        self._rule_place.children = (self.builder.widget,)
        fields = self._fields
        self.lay_out(
            fields.name, fields.source, fields.path, fields.instance, fields.there,
            self.look_up_button, fields.email, fields.key, self._rule_place, self.total,
            self.text_view, fields.keep, row(self.save_button, self.code_button),
        )  # fmt: skip

    def _fresh_builder(self) -> None:
        around = Surroundings(
            columns=self._source.columns if self._source else [],
            kind_of=lambda column: self._source.kind(column) if self._source else Kind.OTHER,
            choices_of=lambda column: self._source.choices(column) if self._source else [],
            segments=self.workspace.segments.names(),
            changed=self._changed,
            refuse=self._refuse,
        )
        self.builder = SetsEditor(around)

    def _refuse(self, error: SegmentError) -> None:
        """Say why something typed was taken away; the change that this is does not answer it."""
        self._refused = True
        self.say(str(error), "error")

    def _watch(self) -> None:
        self._fields.source.observe(lambda _change: self._source_changed(), names="value")
        self._fields.path.observe(lambda _change: self._source_changed(), names="value")
        for name in ("name", "email", "key", "keep", "instance", "from_insights"):
            self.fields[name].observe(lambda _change: self._changed(), names="value")

    def _source_changed(self) -> None:
        """Start anew with the columns of another source."""
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

    def _open_source(self) -> None:
        self.say("")
        self._source = self._fields.open()

    def _changed(self) -> None:
        """Show the rule as text, and count again."""
        if self._building:
            return
        self.forget_code()
        if not self._refused:
            self.kind = "info"  # a change answers what was wrong before
        self._refused = False
        self._show_rule()
        if self._source is not None or self._fields.source.value == SEGMENTS:
            self.live.ask()

    def _show_rule(self) -> None:
        try:
            rule = self.rule
        except CiError as error:
            self.text_view.value = f"<small>{html.escape(error.sentence)}</small>"
            return
        if rule is None:
            self.text_view.value = "<small>No condition: everybody is in.</small>"
            return
        shown = f"<div>Rule</div><pre style='{_PRE}'>{html.escape(rule.text)}</pre>"
        self.text_view.value = shown + self._sql(rule)

    def _sql(self, rule: Rule) -> str:
        if self._source is None:
            return ""
        try:
            given = circumstances(self.workspace, self._source.frame, None, rule, self._fields.key.value or None)
            used = [*rule.columns, *([given.key] if given.key else [])]
            sql = rule.to_sql(self._source.counter.schema(used), today=given.today, key=given.key)
        except CiError as error:
            return f"<small>{html.escape(error.sentence)}</small>"
        values = "\n".join(f"-- ${place} = {value!r}" for place, value in enumerate(sql.parameters, start=1))
        text = html.escape(f"{sql.query}\n{values}")
        return f"<details><summary>SQL</summary><pre style='{_PRE}'>{text}</pre></details>"

    def _rule_if_complete(self) -> Rule | None:
        try:
            return self.rule
        except CiError:
            return None

    def _name(self) -> str:
        if not self._fields.name.value.strip():
            raise ArgumentError("The segment has no name yet.", "Type one in the field Name.", code="no_name")
        return str(self._fields.name.value.strip())

    def _frame(self) -> Any:
        if self._fields.source.value == INSIGHTS:
            return self._instance().segment(self._there())
        frame = self._fields.frame()
        if frame is None and self._fields.source.value != SEGMENTS:
            raise ArgumentError("There is no source yet.", "Choose a frame, or name files.", code="no_source")
        return frame

    def _count(self, stopped: Stopped) -> None:
        """Count the whole, then each part, until nobody wants to know any more."""
        self._chosen = 0
        try:
            rule = self.rule
        except CiError as error:
            self.total.value = f"<small>Not counted yet: {html.escape(error.sentence)}</small>"
            return
        self.total.value = "<small>Counting …</small>"
        try:
            self._chosen, whole = self._count_of(rule), self._count_of(None)
        except CiError as error:
            self.total.value = f"<small>Not counted: {html.escape(str(error))}</small>"
            return
        if stopped():
            return
        of = f" of {counted(whole)}" if rule is not None and self._source is not None else ""
        self.total.value = f"<b>{counted(self._chosen)}{of} profiles</b>"
        for editor in list(self.builder.editors()):
            if stopped():
                return
            editor.count.value = self._said(editor)
        self.remark(f"{counted(self._chosen)}{of} profiles are in.")

    def _said(self, editor: Any) -> str:
        node = editor.node()
        return "" if node is None else f"{counted(self._count_of(Rule(root=node)))} profiles"

    def _count_of(self, rule: Rule | None) -> int:
        key = self._fields.key.value or None
        if self._source is None:
            if rule is None:
                return sum(each.rows for each in self.workspace.segments)
            _made, schema = segment_of_segments(self.workspace, "count", rule)
            return sum(batch.num_rows for batch in profiles_of_segments(self.workspace, rule, schema))
        if rule is None:
            return self._source.counter.total(key)
        return self._source.counter.count(rule, circumstances(self.workspace, self._source.frame, None, rule, key))

    @background
    def _look_up_clicked(self) -> None:
        self.say("Asking Customer Insights …")
        self.look_up()

    @background
    def _save_clicked(self) -> None:
        self.say("Making the segment …")
        self.save()


def _insights_label(segment: InsightsSegment) -> str:
    return segment.name if segment.members is None else f"{segment.name} ({counted(segment.members)} members)"
