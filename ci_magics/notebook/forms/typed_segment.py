"""The segment described by the segment form: create it, and write it as code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.notebook.forms.allowances import Allowances
from ci_magics.notebook.forms.code_text import Code, Name, code_of
from ci_magics.notebook.forms.segment_fields import FILES, INSIGHTS, SEGMENTS, SegmentFields
from ci_magics.notebook.forms.segment_insights import InsightsChoice
from ci_magics.quoting import python_literal
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.store import Workspace


class TypedSegment:
    """The segment that the fields describe.

    Parameters
    ----------
    workspace
        Holds the segments.
    fields
        The form's fields.
    insights
        The chosen Customer Insights segment.
    allowances
        The guard overrides.
    show
        Receives sentences to show.
    """

    def __init__(
        self,
        workspace: Workspace,
        fields: SegmentFields,
        insights: InsightsChoice,
        allowances: Allowances,
        show: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._fields = fields
        self._insights = insights
        self._allowances = allowances
        self._show = show

    def save(self, rule: Callable[[], Rule | None]) -> Segment:
        """Create the segment; an error names the first missing field, from top to bottom.

        Parameters
        ----------
        rule
            Returns the rule; raises an error if it is not complete.

        Raises
        ------
        ArgumentError
            The name or the source is missing.
        SegmentError
            The source or the rule cannot be used, or a guard stopped it; the form then offers the override.
        """
        name, chosen, arguments = self.name(), rule(), self._arguments()
        try:
            return ci.segment(name, self._frame(), rule=chosen, **arguments, workspace=self._workspace, show=self._show)
        except SegmentError as error:
            raise self._allowances.offer_override(error) from None

    def code(self, rule: Callable[[], Rule | None]) -> Code:
        """Return the segment as a magic and as a Python call; see `save`."""
        name, chosen, arguments = self.name(), rule(), self._arguments()
        source = self._fields.source.value
        if source == INSIGHTS:
            return self._insights.code(name)
        given = {**arguments, "rule": chosen.text if chosen else None}
        frame = self._frame()
        before = f"files = {python_literal(frame)}\n" if source == FILES else ""
        word = [] if source == SEGMENTS else [Name("files" if source == FILES else source)]
        code = code_of("segment", [name, *word], given)
        return Code(before + code.magic, before + code.python)

    def name(self) -> str:
        """Return the typed name.

        Raises
        ------
        ArgumentError
            The name is missing.
        """
        if not self._fields.name.value.strip():
            raise ArgumentError("The segment has no name yet.", "Type one in the field Name.", code="no_name")
        return str(self._fields.name.value.strip())

    def _arguments(self) -> dict[str, Any]:
        return {**self._fields.arguments(), **self._allowances.arguments()}

    def _frame(self) -> Any:
        if self._fields.source.value == INSIGHTS:
            return self._insights.segment()
        frame = self._fields.frame()
        source = self._fields.source.value
        if frame is None and source == FILES:
            raise ArgumentError("No file is named yet.", "Type its path in the field Files.", code="no_source")
        if frame is None and source != SEGMENTS:
            raise ArgumentError(
                f"The notebook no longer has a frame {source}.",
                "Choose another source, or create it again.",
                code="no_source",
            )
        return frame
