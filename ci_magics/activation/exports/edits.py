"""Change a saved export: its segments, connection, options, or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ci_magics.activation.exports.document import ExportDocument, document_of
from ci_magics.activation.exports.names import require_free
from ci_magics.activation.exports.pipeline import chosen_segments
from ci_magics.activation.exports.saving import change_export, connection_of
from ci_magics.activation.plans.export_options import ExportOptions, make_order
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace

#: The parameters of `ci_magics.export` that say how to send.
CHOICES = frozenset(ExportOptions.model_fields) | {"url"}


def edit_export(
    name: str,
    *,
    segments: Sequence[Segment | str] = (),
    to: Connection | str | None = None,
    email: str | None = None,
    rename: str | None = None,
    without: Sequence[str] = (),
    workspace: Workspace | None = None,
    **choices: Any,
) -> Export:
    """Change the given parts of a saved export; the rest stays the same.

    Parameters
    ----------
    name
        Export to change.
    segments
        Segments that replace the current ones. Empty keeps them.
    to
        New connection. It also reattaches a detached export.
    email
        Expected address column, as a safety check.
    rename
        New name.
    without
        Options to reset to their defaults, such as ``allow_empty``.
    workspace
        Workspace to use; None opens the default one.
    choices
        Options of `ci_magics.export`: ``mode``, ``normalization``, ``exclude``, ``allow_shrink``, and so on.

    Raises
    ------
    NotFoundError
        The export, a segment, or the connection does not exist.
    ArgumentError
        An option is not valid.
    """
    workspace = workspace or open_workspace()
    export = workspace.exports[name]
    require(workspace, Verb.EDIT_EXPORT, connection_of(workspace, export))
    connection = find_connection(workspace, to) if to is not None else None
    if connection is not None:
        require(workspace, Verb.EDIT_EXPORT, connection)
    if rename is not None and rename != name:
        require_free(workspace.exports, rename)
    reset = [_choice(each) for each in without]

    def edited(found: Export) -> Export:
        document = document_of(found)
        order = _edited(workspace, document.order, reset, choices)
        used_email = email or (None if "email" in reset else document.email)
        stored = chosen_segments(workspace, tuple(segments) or document.segments, used_email, order)
        wanted = ExportDocument(segments=tuple(each.record.name for each in stored), email=used_email, order=order)
        changed = replace(found, name=rename or found.name, document=wanted.model_dump(mode="json"))
        if connection is not None:
            changed = replace(changed, connection_id=connection.id, connection_name=connection.name)
        return changed

    return change_export(workspace, export, edited, Verb.EDIT_EXPORT, edited=name)


def _edited(workspace: Workspace, order: ExportOptions, reset: Sequence[str], choices: dict[str, Any]) -> ExportOptions:
    """Return the export options with the changes applied; validates each option."""
    given = {_choice(each): value for each, value in choices.items()}
    fresh = ExportOptions()
    kept = {each: getattr(fresh if each in reset else order, each) for each in ExportOptions.model_fields}
    if "exclude" in given:
        given["exclude"] = [stored_segment(workspace, each).record.name for each in given["exclude"]]
    if given.get("url"):
        kept |= {"customer_id": None, "account_id": None}
    return make_order(**{"url": None, **kept, "scope": kept["scope"].lower(), **given})


def _choice(name: str) -> str:
    known = CHOICES | {"email"}
    plain = name.lstrip("-").replace("-", "_")
    if plain in known:
        return plain
    nearest = nearest_name(plain, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(
        f"An export has no choice '{name}'.{hint}", f"Use one of: {', '.join(sorted(known))}.", code="unknown_choice"
    )
