"""Change a saved export: its segments, its connection, its choices, its name."""

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
from ci_magics.activation.segments.segment import stored_segment
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace

#: What `ci_magics.export` takes of the way in which something is sent.
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
    """Change what is given of a saved export; the rest stays as it is.

    Parameters
    ----------
    name
        Which export.
    segments
        Its segments, in place of those it had.
    to
        Another connection; a detached export gets one again.
    email
        The column with the addresses, to make sure.
    rename
        Another name.
    without
        Choices that become again what they are unless told, such as ``allow_empty``.
    choices
        As `ci_magics.export` takes them: ``mode``, ``normalization``, ``exclude``, ``allow_shrink`` and so on.

    Raises
    ------
    NotFoundError
        There is no such export, segment or connection.
    ArgumentError
        A choice is not possible.
    """
    workspace = workspace or open_workspace()
    export = workspace.exports[name]
    require(workspace, Verb.EDIT_EXPORT, connection_of(workspace, export))
    connection = find_connection(workspace, to) if to is not None else None
    if connection is not None:
        require(workspace, Verb.EDIT_EXPORT, connection)
    if rename is not None and rename != name:
        require_free(workspace, rename)
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
    """Return how something is sent after some choices changed, each of them checked."""
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
