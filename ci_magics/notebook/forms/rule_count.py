"""Count the profiles that a rule and each of its parts select, for the segment form."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from ci_magics.activation.segments.algebra import profiles_of_segments, segment_of_segments
from ci_magics.activation.segments.rule_context import context_for
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.errors import CiError
from ci_magics.notebook.forms.fields import page
from ci_magics.notebook.forms.live import Stopped
from ci_magics.notebook.forms.segment_source import SegmentSource
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.workspace.store import Workspace


class RuleCount:
    """The live count of selected profiles.

    Parameters
    ----------
    workspace
        Holds the earlier segments.
    remark
        Called with a sentence after the whole rule and its parts are counted.
    """

    def __init__(self, workspace: Workspace, remark: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._remark = remark
        self.chosen = 0
        self.view = page("total")

    def show(
        self,
        source: SegmentSource | None,
        key: str | None,
        rule: Callable[[], Rule | None],
        editors: Callable[[], Iterable[Any]],
        stopped: Stopped,
    ) -> None:
        """Count the whole rule, then each part, until ``stopped``.

        Parameters
        ----------
        source
            The rows that the rule selects from; None for earlier segments alone.
        key
            The key column, if one is chosen.
        rule
            Returns the rule; raises an error if it is not complete.
        editors
            Returns the editors of the rule's parts, each with a label for its count.
        stopped
            Returns True once the count is no longer needed.
        """
        self.chosen = 0
        try:
            requested = rule()
        except CiError as error:
            self.view.value = f"<small>Not counted yet: {html.escape(error.sentence)}</small>"
            return
        self.view.value = "<small>Counting …</small>"
        try:
            self.chosen, total = self._of(source, key, requested), self._of(source, key, None)
        except CiError as error:
            self.view.value = f"<small>Not counted: {html.escape(str(error))}</small>"
            return
        if stopped():
            return
        part = f"{format_count(self.chosen)} of " if requested is not None and source is not None else ""
        text = part + pluralize(total if part else self.chosen, "profile")
        self.view.value = f"<b>{text}</b>"
        for editor in editors():
            if stopped():
                return
            node = editor.node()
            editor.count.value = "" if node is None else pluralize(self._of(source, key, Rule(root=node)), "profile")
        self._remark(f"{text} {inflect(self.chosen, 'is')} in.")

    def _of(self, source: SegmentSource | None, key: str | None, rule: Rule | None) -> int:
        if source is None:
            return self._of_segments(rule)
        if rule is None:
            return source.counter.total(key)
        return source.counter.count(rule, context_for(self._workspace, source.frame, None, rule, key))

    def _of_segments(self, rule: Rule | None) -> int:
        if rule is None:
            return sum(each.rows for each in self._workspace.segments)
        _made, schema = segment_of_segments(self._workspace, "count", rule)
        return sum(batch.num_rows for batch in profiles_of_segments(self._workspace, rule, schema, set()))
