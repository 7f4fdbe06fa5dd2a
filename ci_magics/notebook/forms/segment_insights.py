"""A segment of Customer Insights as the source of the segment form."""

from __future__ import annotations

from collections.abc import Callable

import ci_magics as ci
from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.activation.segments.customer_insights.source import Insights
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.code_text import Code, magic_line
from ci_magics.notebook.forms.fields import offer
from ci_magics.notebook.forms.segment_fields import SegmentFields
from ci_magics.quoting import python_literal
from ci_magics.workspace.store import Workspace


class InsightsChoice:
    """The chosen Customer Insights segment.

    Parameters
    ----------
    workspace
        Holds the known instances.
    fields
        The form's fields.
    show
        Receives sentences to show.
    """

    def __init__(self, workspace: Workspace, fields: SegmentFields, show: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._fields = fields
        self._show = show

    def look_up(self) -> list[str]:
        """Query the segments of Customer Insights, and offer them with their member counts."""
        found = list(self._instance().segments())
        offer(self._fields.there, [(_label(each), each.name) for each in found])
        self._show(f"{pluralize(len(found), 'segment')}: choose one.")
        return [each.name for each in found]

    def segment(self) -> InsightsSegment:
        """Return the chosen segment.

        Raises
        ------
        ArgumentError
            No instance is known, or no segment is chosen.
        """
        return self._instance().segment(self._name())

    def code(self, name: str) -> Code:
        """Return the segment as a magic and as a Python call."""
        instance, there = self._fields.instance.value, self._name()
        return Code(
            magic_line("%ci_segment", [name], {"from_insights": there, "instance": instance}),
            f"ci.segment({python_literal(name)}, "
            f"ci.insights({python_literal(instance)}).segment({python_literal(there)}))",
        )

    def _instance(self) -> Insights:
        if self._fields.instance.value is None:
            raise ArgumentError(
                "No instance of Customer Insights is known.",
                "Open one: %ci_insights NAME.",
                code="no_instance",
            )
        return ci.insights(self._fields.instance.value, workspace=self._workspace, show=self._show)

    def _name(self) -> str:
        if not self._fields.there.value:
            raise ArgumentError(
                "No segment of Customer Insights is chosen.",
                "Press 'Look up segments', then choose one.",
                code="no_source",
            )
        return str(self._fields.there.value)


def _label(segment: InsightsSegment) -> str:
    return segment.name if segment.members is None else f"{segment.name} ({pluralize(segment.members, 'member')})"
