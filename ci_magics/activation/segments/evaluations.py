"""When segments were evaluated last: what a run says it sends them as of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ci_magics.activation.segments.dependents import ancestors
from ci_magics.workspace.store import Workspace


def evaluations(workspace: Workspace) -> dict[str, datetime]:
    """Return when each segment was evaluated last, by name, whether that changed it or not."""
    counted = {each.segment_name: each.counted_at for each in workspace.counts.last_of_each("segment_name")}
    return {each.name: max(each.created_at, counted.get(each.name, each.created_at)) for each in workspace.segments}


def stale_since(workspace: Workspace, not_refreshed: Collection[str]) -> dict[str, datetime]:
    """Return as of when segments are that a refresh left as they were, or that are made of such segments.

    Parameters
    ----------
    workspace
        Where the segments are.
    not_refreshed
        The names of the segments that the refresh did not evaluate.

    Returns
    -------
    dict
        By the name of each such segment, when the oldest of those it is made of was evaluated.
    """
    evaluated = evaluations(workspace)
    known = {each.name: each for each in workspace.segments}
    stale: dict[str, datetime] = {}
    for name in known:
        old = [each.name for each in ancestors(known, {name}) if each.name in not_refreshed]
        if old:
            stale[name] = min(evaluated[each] for each in old)
    return stale
