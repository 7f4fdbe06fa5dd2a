"""Edit one condition of a rule in fields: a column, an operator, and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from ci_magics.errors import SegmentError
from ci_magics.notebook.forms.fields import button, offer, row, show
from ci_magics.notebook.forms.picker import Picker
from ci_magics.notebook.forms.rule_entries import ListEntry, ValueEntry, labels_of, month_picker, unfinished
from ci_magics.segmentation.rules.kinds import MOMENTS, NUMBERS, Kind
from ci_magics.segmentation.rules.tree import (
    CALENDAR,
    FRAGMENTS,
    NULL_TESTS,
    ORDERING,
    TEXTUAL,
    Condition,
    Member,
    Operator,
)
from ci_magics.segmentation.rules.writer import WORDING

_SMALL = {"description_width": "initial"}


@dataclass(frozen=True)
class EditorContext:
    """What the editors of a rule's parts share.

    Parameters
    ----------
    columns
        The columns that conditions can use.
    kind_of
        Returns what a column holds.
    choices_of
        Returns the values of a column with few distinct values.
    segments
        The earlier segments.
    changed
        Called after each change by the user.
    refuse
        Called with an error about a typed value.
    """

    columns: Sequence[str]
    kind_of: Callable[[str], Kind]
    choices_of: Callable[[str], list[Any]]
    segments: Sequence[str]
    changed: Callable[[], None]
    refuse: Callable[[SegmentError], None]


class ConditionEditor:
    """The fields of one condition.

    Parameters
    ----------
    context
        The columns, segments and callbacks.
    remove
        Called to remove the condition.
    """

    def __init__(self, context: EditorContext, remove: Callable[[Any], None]) -> None:
        self._around = context
        self.entries: list[ValueEntry] = []
        self.picker: Picker | None = None
        self._loading = False
        self._given: tuple[Any, ...] = ()
        self.column = widgets.Dropdown(
            description="Column", options=list(context.columns), layout=_layout("200px"), style=_SMALL
        )
        self.operator = widgets.Dropdown(description="is", layout=_layout("150px"), style=_SMALL)
        self.ignore_case = widgets.Checkbox(
            description="ignoring case", indent=False, layout=widgets.Layout(width="auto")
        )
        self.count = _count_label()
        self._values = row(name="values")
        self._values.layout.flex = "2 1 240px"
        remove_button = button("Remove", "remove", lambda _event: remove(self), hint="Remove this condition")
        self.widget = row(
            self.column, self.operator, self._values, self.ignore_case, self.count, remove_button, name="condition"
        )
        self.column.observe(lambda _change: self._column_changed(), names="value")
        self.operator.observe(lambda _change: self._operator_changed(), names="value")
        self.ignore_case.observe(lambda _change: self._changed(), names="value")
        self._column_changed()

    def put(self, condition: Condition) -> None:
        """Show a condition."""
        self._loading = True
        if condition.column not in self.column.options:
            self.column.options = [*self.column.options, condition.column]
        self.column.value = condition.column
        self._offer_operators(condition.operator)
        self.operator.value = condition.operator
        self._draw_values()
        self._put_values(condition.values)
        self.ignore_case.value = condition.ignore_case
        self._loading = False

    def node(self) -> Condition:
        """Return the condition.

        Raises
        ------
        SegmentError
            It is not complete, or a value has the wrong type.
        """
        if self.column.value is None:
            raise unfinished("A condition has no column yet.")
        operator = self.operator.value
        if self.picker is not None:
            values = self._picked()
        elif operator is Operator.ANY_OF:
            values = tuple(self.entries[0].value())
        else:
            values = tuple(each.value() for each in self.entries)
        if operator in (Operator.ANY_OF, Operator.MONTH) and not values:
            raise unfinished(f"The condition on {self.column.value} has no value yet.")
        ignoring = self.ignore_case.value and operator in TEXTUAL and self._kind is Kind.TEXT
        return Condition(column=self.column.value, operator=operator, values=values, ignore_case=ignoring)

    @property
    def _kind(self) -> Kind:
        return self._around.kind_of(self.column.value) if self.column.value else Kind.OTHER

    def _column_changed(self) -> None:
        if self._loading:
            return
        self._offer_operators()
        self._draw_values()
        self._changed()

    def _operator_changed(self) -> None:
        if self._loading:
            return
        self._draw_values()
        self._changed()

    def _changed(self) -> None:
        if not self._loading:
            self.count.value = ""
            self._around.changed()

    def _offer_operators(self, also: Operator | None = None) -> None:
        fitting = [each for each in Operator if _fits(each, self._kind) or each is also]
        loading, self._loading = self._loading, True
        offer(self.operator, [(WORDING[each], each) for each in fitting])
        self._loading = loading

    def _draw_values(self) -> None:
        """Show the fields that the operator needs."""
        operator, kind = self.operator.value, self._kind
        self.entries, self.picker, self._given = [], None, ()
        choices = self._around.choices_of(self.column.value) if self.column.value and _uses_values(operator) else []
        if operator is Operator.MONTH:
            self.picker = month_picker()
        elif operator is Operator.ANY_OF and choices:
            self.picker = Picker("Values", "choices", most=6)
            self.picker.options = [(str(each), each) for each in choices]
        elif operator is Operator.ANY_OF:
            self.entries = [ListEntry("values, with commas", kind, (), self._around.refuse)]
        elif operator is Operator.WITHIN_LAST:
            self.entries = [ValueEntry("days", Kind.WHOLE, (), self._around.refuse)]
        else:
            self.entries = [
                ValueEntry(label, kind, choices, self._around.refuse) for label in labels_of(operator) if operator
            ]
        shown = [self.picker] if self.picker is not None else [each.widget for each in self.entries]
        for each in shown:
            each.observe(lambda _change: self._changed(), names="value")
        self._values.children = tuple(shown)
        show(self._values, bool(shown))
        show(self.ignore_case, operator in TEXTUAL and kind is Kind.TEXT)

    def _picked(self) -> tuple[Any, ...]:
        """Return the picked values; a given list with duplicates stays unchanged until the user picks other values."""
        chosen = tuple(self.picker.value) if self.picker is not None else ()
        return self._given if tuple(dict.fromkeys(self._given)) == chosen else chosen

    def _put_values(self, values: Sequence[Any]) -> None:
        if self.picker is not None:
            known = {value for _label, value in self.picker.options}
            added = [(str(each), each) for each in values if each not in known]
            self.picker.options = [*self.picker.options, *added]
            self.picker.choose(tuple(values))
            self._given = tuple(values)
        elif self.operator.value is Operator.ANY_OF:
            self.entries[0].put(values)
        else:
            for entry, value in zip(self.entries, values, strict=True):
                entry.put(value)


class MemberEditor:
    """The field of one earlier segment.

    Parameters
    ----------
    context
        The columns, segments and callbacks.
    remove
        Called to remove the membership.
    """

    def __init__(self, context: EditorContext, remove: Callable[[Any], None]) -> None:
        self.segment = widgets.Dropdown(
            description="Is in segment", options=list(context.segments), layout=_layout("280px"), style=_SMALL
        )
        self.count = _count_label()
        remove_button = button("Remove", "remove", lambda _event: remove(self), hint="Remove this segment")
        self.widget = row(self.segment, self.count, remove_button, name="member")
        self.segment.observe(lambda _change: context.changed(), names="value")

    def put(self, member: Member) -> None:
        """Show a membership."""
        if member.segment not in self.segment.options:
            self.segment.options = [*self.segment.options, member.segment]
        self.segment.value = member.segment

    def node(self) -> Member:
        """Return the membership.

        Raises
        ------
        SegmentError
            No segment is chosen.
        """
        if not self.segment.value:
            raise unfinished("There is no earlier segment to choose.")
        return Member(segment=self.segment.value)


def _fits(operator: Operator, kind: Kind) -> bool:
    if operator in NULL_TESTS:
        return True
    if kind in (Kind.OTHER, Kind.EMPTY):
        return False
    if operator in FRAGMENTS:
        return kind is Kind.TEXT
    if operator in ORDERING:
        return kind in NUMBERS | MOMENTS
    return operator not in CALENDAR or kind in MOMENTS


def _uses_values(operator: Operator | None) -> bool:
    return operator in (Operator.EQUALS, Operator.DIFFERS, Operator.ANY_OF)


def _layout(width: str) -> widgets.Layout:
    return widgets.Layout(width="auto", flex=f"1 1 {width}", max_width="100%", min_width="120px")


def _count_label() -> widgets.Label:
    label = widgets.Label(layout=widgets.Layout(min_width="90px"))
    label.add_class("ci-count")
    return label
