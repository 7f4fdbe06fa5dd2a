"""Plan, send, or save an export of segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ci_magics.activation.exports.dry_run import examine, unreadable
from ci_magics.activation.exports.pipeline import chosen_segments, send_export
from ci_magics.activation.exports.saving import save_export
from ci_magics.activation.plan import Plan
from ci_magics.activation.plans.export_options import ExportOptions, with_changes
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.progress import Reporter
from ci_magics.activation.run import Run
from ci_magics.activation.segments.consent_decision import remember_choice
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_segment
from ci_magics.advice import NAME, Do, Opt, advise
from ci_magics.errors import ArgumentError, WorkspaceError, quoted_list
from ci_magics.naming import several
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, nothing_shared, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]
Segments = Sequence[Segment | str]


def plan_export(
    workspace: Workspace, segments: Segments, to: Connection | str | None, given: Mapping[str, Any], show: Show
) -> Plan:
    """Return the plan of an export; see `ci_magics.plan`."""
    connection, order = _where(workspace, to), options_of(workspace, given)
    try:
        stored = chosen_segments(workspace, segments, given.get("email"), order)
    except WorkspaceError as error:  # the profiles are purged or damaged
        names = [each if isinstance(each, str) else each.name for each in segments]
        return unreadable(workspace, find_connection(workspace, connection), names, order, show, error)
    found = find_connection(workspace, connection)
    require(workspace, Verb.PLAN_EXPORT, found)
    return examine(workspace, found, stored, order, show)


def export_segments(
    workspace: Workspace,
    segments: Segments,
    to: Connection | str | None,
    given: Mapping[str, Any],
    *,
    progress: Reporter,
    show: Show,
) -> Run:
    """Send segments, each to the audience of the same name; see `ci_magics.export`."""
    connection, stored, order = _chosen(workspace, segments, to, given)
    return send_export(workspace, connection, stored, order, progress=progress, show=show)


def save_segments(
    workspace: Workspace,
    name: str,
    segments: Segments,
    to: Connection | str | None,
    given: Mapping[str, Any],
    show: Show,
) -> Export:
    """Save how to export segments, and send nothing; see `Exports.save`."""
    connection, stored, order = _chosen(workspace, segments, to, given)
    return save_export(workspace, name, connection, stored, given.get("email"), order, show)


def options_of(workspace: Workspace, given: Mapping[str, Any], before: ExportOptions | None = None) -> ExportOptions:
    """Return options with the given ones changed.

    Parameters
    ----------
    workspace
        Workspace with the segments to exclude.
    given
        Values of `ExportKeywords`.
    before
        The options to change; None for the defaults.

    Raises
    ------
    ArgumentError
        An option is not valid.
    """
    if "exclude" in given:
        given = {
            **given,
            "exclude": [stored_segment(workspace, each).record.name for each in several(given["exclude"])],
        }
    return with_changes(before or ExportOptions(), given)


def _chosen(
    workspace: Workspace, segments: Segments, to: Connection | str | None, given: Mapping[str, Any]
) -> tuple[Connection, list[StoredSegment], ExportOptions]:
    wanted, order = _where(workspace, to), options_of(workspace, given)
    stored = chosen_segments(workspace, segments, given.get("email"), order)
    connection = find_connection(workspace, wanted)
    for each in stored:
        remember_choice(workspace, each, order.consent_options)
    return connection, stored, order


def _where(workspace: Workspace, to: Connection | str | None) -> Connection | str:
    """Require a connection."""
    if to is not None:
        return to
    names = quoted_list(workspace.connections.names())
    if not names and len(workspace.all_connections):
        raise nothing_shared()
    make = advise("There is none yet. Make one: ", Do("connect", NAME), ".")
    advice = advise("Name one with ", Opt("to"), f": {names}.") if names else make
    raise ArgumentError("The export needs a connection.", advice, code="no_to")
