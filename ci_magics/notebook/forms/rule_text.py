"""Show the built rule below the segment form's fields, as text and as SQL."""

from __future__ import annotations

import html

from ci_magics.activation.segments.rule_context import context_for
from ci_magics.errors import CiError
from ci_magics.notebook.forms.segment_source import SegmentSource
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.workspace.store import Workspace

_PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 6px;color:inherit;background:transparent"


def rule_html(workspace: Workspace, source: SegmentSource | None, key: str | None, rule: Rule | None) -> str:
    """Return a rule as text, and as SQL if there is a source that knows the columns.

    Parameters
    ----------
    workspace
        Holds the earlier segments.
    source
        The rows that the rule selects from; None for earlier segments alone.
    key
        The key column, if one is chosen.
    rule
        The rule; None to select all profiles.
    """
    if rule is None:
        return "<small>No condition: everybody is in.</small>"
    shown = f"<div>Rule</div><pre style='{_PRE}'>{html.escape(rule.text)}</pre>"
    return shown + (_sql(workspace, source, key, rule) if source is not None else "")


def _sql(workspace: Workspace, source: SegmentSource, key: str | None, rule: Rule) -> str:
    try:
        given = context_for(workspace, source.frame, None, rule, key)
        used = [*rule.columns, *([given.key] if given.key else [])]
        sql = rule.to_sql(source.counter.schema(used), today=given.today, key=given.key)
    except CiError as error:
        return f"<small>{html.escape(error.sentence)}</small>"
    values = "\n".join(f"-- ${place} = {value!r}" for place, value in enumerate(sql.parameters, start=1))
    text = html.escape(f"{sql.query}\n{values}")
    return f"<details><summary>SQL</summary><pre style='{_PRE}'>{text}</pre></details>"
