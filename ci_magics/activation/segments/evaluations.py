"""When segments were last evaluated. A run reports this for segments that are not up to date."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ci_magics.activation.segments.dependents import ancestors
from ci_magics.workspace.store import Workspace


def evaluations(workspace: Workspace) -> dict[str, datetime]:
    """Return the time of the last evaluation of each segment, by name, whether or not it changed the segment."""
    counted = {each.segment_name: each.counted_at for each in workspace.counts.last_of_each("segment_name")}
    return {each.name: max(each.created_at, counted.get(each.name, each.created_at)) for each in workspace.segments}


def stale_since(workspace: Workspace, not_refreshed: Collection[str]) -> dict[str, datetime]:
    """Return since when segments are stale: those that a refresh did not update, and those that depend on them.

    Parameters
    ----------
    workspace
        Workspace with the segments.
    not_refreshed
        Names of the segments that the refresh did not evaluate.

    Returns
    -------
    dict
        For each such segment, by name: the earliest last evaluation among its stale dependencies and itself.
    """
    evaluated = evaluations(workspace)
    known = {each.name: each for each in workspace.segments}
    stale: dict[str, datetime] = {}
    for name in known:
        old = [each.name for each in ancestors(known, {name}) if each.name in not_refreshed]
        if old:
            stale[name] = min(evaluated[each] for each in old)
    return stale
