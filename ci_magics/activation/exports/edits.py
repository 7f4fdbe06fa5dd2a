"""Change a saved export: its segments, connection, options, or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ci_magics.activation.exports.export import options_of
from ci_magics.activation.exports.names import require_free
from ci_magics.activation.exports.pipeline import chosen_segments
from ci_magics.activation.exports.saving import ExportDocument, change_export, connection_of, document_of
from ci_magics.activation.plans.export_options import ExportKeywords, option_name, with_defaults
from ci_magics.activation.plans.preview import find_connection
from ci_magics.naming import several
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


def edit_export(
    workspace: Workspace,
    name: str,
    choices: ExportKeywords,
    *,
    segments: Sequence[Segment | str],
    to: Connection | str | None,
    rename: str | None,
    without: Sequence[str],
) -> Export:
    """Change the given parts of a saved export; see `Exports.edit`."""
    export = workspace.exports[name]
    require(workspace, Verb.EDIT_EXPORT, connection_of(workspace, export))
    connection = find_connection(workspace, to) if to is not None else None
    if connection is not None:
        require(workspace, Verb.EDIT_EXPORT, connection)
    if rename is not None and rename != name:
        require_free(workspace.exports, rename)
    reset = [option_name(each) for each in several(without)]

    def edited(found: Export) -> Export:
        document = document_of(found)
        order = options_of(workspace, choices, with_defaults(document.order, reset))
        used_email = choices.get("email") or (None if "email" in reset else document.email)
        stored = chosen_segments(workspace, several(segments) or document.segments, used_email, order)
        wanted = ExportDocument(segments=tuple(each.record.name for each in stored), email=used_email, order=order)
        changed = replace(found, name=rename or found.name, document=wanted.model_dump(mode="json"))
        if connection is not None:
            changed = replace(changed, connection_id=connection.id, connection_name=connection.name)
        return changed

    return change_export(workspace, export, edited, Verb.EDIT_EXPORT, edited=name)
