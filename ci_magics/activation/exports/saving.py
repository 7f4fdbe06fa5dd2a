"""Save exports and change saved exports. Nothing here sends data."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.exports.names import name_taken, require_free, require_name
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.advice import CONNECTION, Do
from ci_magics.clock import present
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.matching.covered_segments import LARGEST_ORIGINAL
from ci_magics.workspace.access import Verb, not_shared, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


class ExportDocument(BaseModel):
    """What a saved export sends each time it runs.

    Parameters
    ----------
    segments
        Segment names. Each segment goes to the audience of the same name.
    email
        Expected address column, as a safety check. None accepts the column that each segment was made with.
    options
        How to send: mode, normalization, overridden guards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[str, ...]
    email: str | None = None
    order: ExportOptions = ExportOptions()


def document_of(export: Export) -> ExportDocument:
    """Return the configuration of a saved export."""
    return ExportDocument.model_validate(export.document)


def as_code(export: Export) -> Do:
    """Return the operation that saves the same export."""
    document = document_of(export)
    options: dict[str, Any] = {"to": export.connection_name or CONNECTION}
    if document.email:
        options["email"] = document.email
    options |= {name: _option(value) for name, value in document.order.model_dump(exclude_defaults=True).items()}
    if "scope" in options:
        options["scope"] = str(options["scope"]).lower()
    return Do("exports.save", export.name, *document.segments, **options)


def _option(value: Any) -> Any:
    return tuple(map(str, value)) if isinstance(value, tuple | list) else value


def save_export(
    workspace: Workspace,
    name: str,
    connection: Connection,
    stored: Sequence[StoredSegment],
    email: str | None,
    options: ExportOptions,
    show: Callable[[str], None],
) -> Export:
    """Save how to export segments. Replaces an export of the same name and keeps its schedule.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Name of the export.
    connection
        Connection to export to.
    stored
        Segments to export.
    email
        Expected address column, as a safety check; None accepts any.
    options
        Export options.
    show
        Called when an export of the same name is replaced, and when a segment is too large for Customer Insights.

    Raises
    ------
    AccessError
        The current user may not save exports to this connection.
    ArgumentError
        The name is not valid.
    """
    require(workspace, Verb.SAVE_EXPORT, connection)
    require_name(name)
    document = ExportDocument(segments=tuple(each.record.name for each in stored), email=email, order=options)
    earlier = workspace.exports.get(name)
    if earlier is not None:
        require(workspace, Verb.EDIT_EXPORT, connection_of(workspace, earlier))

    def saved(found: Export | None) -> Export:
        wanted = replace(
            found or _new(workspace, name),
            connection_id=connection.id,
            connection_name=connection.name,
            document=document.model_dump(mode="json"),
        )
        return wanted if wanted == found else _signed(workspace, wanted)

    before, export = workspace.exports.put_by_name(name, saved)
    if export == before:
        return export
    _warn_of_size(stored, show)
    if before is not None:
        show(f"The export '{name}' was replaced; its schedule stays.")
    _note(workspace, export, Verb.SAVE_EXPORT, replaced=before is not None)
    return export


def change_export(
    workspace: Workspace, export: Export, changed: Callable[[Export], Export], verb: Verb, **facts: bool | str
) -> Export:
    """Change the stored version of an export, even if other users changed it in the meantime.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        Export to change.
    changed
        Maps the stored export to the new one. If both are equal, nothing is written.
    verb
        Operation to record in the audit log.
    facts
        Details to record in the audit log.

    Raises
    ------
    NotFoundError
        The export was removed in the meantime.
    """

    def saved(found: Export) -> Export:
        wanted = changed(found)
        return found if wanted == found else _signed(workspace, wanted)

    kept = next(iter(workspace.exports.change(saved, id=export.id)), None)
    if kept is None:
        return workspace.exports[export.name]  # raises NotFoundError
    if kept != export:
        _note(workspace, kept, verb, **facts)
    return kept


def _signed(workspace: Workspace, export: Export) -> Export:
    """Return an export marked as saved by the current user now."""
    return replace(export, saved_by=workspace.user, saved_at=present())


def _note(workspace: Workspace, export: Export, verb: Verb, **facts: bool | str) -> None:
    workspace.audit.note(verb, export.name, connection=export.connection_name, segments=export.segments, **facts)


def duplicate_export(workspace: Workspace, name: str, new: str) -> Export:
    """Copy an export, including its schedule, under another name."""
    export = workspace.exports[name]
    require(workspace, Verb.DUPLICATE_EXPORT, connection_of(workspace, export))
    require_free(workspace.exports, new)
    now = present()
    copy = replace(export, id=str(uuid.uuid4()), name=new, created_by=workspace.user, created_at=now, scheduled_at=now)

    def saved(found: Export | None) -> Export:
        if found is not None:
            raise name_taken(new)
        return _signed(workspace, copy)

    _before, kept = workspace.exports.put_by_name(new, saved)
    _note(workspace, kept, Verb.DUPLICATE_EXPORT, duplicated=name)
    return kept


def detach_export(workspace: Workspace, names: Sequence[str]) -> list[Export]:
    """Remove the connection from exports; see `Exports.detach`."""
    exports = [workspace.exports[name] for name in names]
    for export in exports:
        require(workspace, Verb.DETACH_EXPORT, connection_of(workspace, export))
    return [
        change_export(workspace, export, Export.detached, Verb.DETACH_EXPORT, detached_from=export.connection_name)
        for export in exports
    ]


def connection_of(workspace: Workspace, export: Export) -> Connection | None:
    """Return the connection of an export, or None if it is detached or its connection was removed.

    Parameters
    ----------
    workspace
        Workspace to use.
    export
        The export.

    Raises
    ------
    AccessError
        The database does not show the connection to the current user.
    """
    if export.connection_id is None:
        return None
    found = workspace.all_connections.where(id=export.connection_id)
    if not found and export.connection_id in workspace.all_connections.hidden():
        raise not_shared(export.connection_name)
    return next(iter(found), None)


def _new(workspace: Workspace, name: str) -> Export:
    now = present()
    return Export(
        id=str(uuid.uuid4()),
        name=name,
        connection_id=None,
        connection_name="",
        document={},
        schedule=None,
        active=True,
        scheduled_at=now,
        created_by=workspace.user,
        created_at=now,
        saved_by=workspace.user,
        saved_at=now,
    )


def _warn_of_size(stored: Sequence[StoredSegment], show: Callable[[str], None]) -> None:
    for each in stored:
        if each.record.rows > LARGEST_ORIGINAL:
            show(
                f"The segment '{each.record.name}' has {pluralize(each.record.rows, 'profile')}: "
                f"fine here, but Customer "
                f"Insights itself exports at most {format_count(LARGEST_ORIGINAL)}."
            )
