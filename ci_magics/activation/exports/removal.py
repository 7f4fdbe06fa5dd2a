"""Remove saved exports, and the hashes that are stored only for them."""

from __future__ import annotations

from collections.abc import Iterator

from ci_magics.activation.exports.saving import connection_of
from ci_magics.display.numbers import counted_in_words
from ci_magics.errors import ExportRefusedError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import AudienceRecord
from ci_magics.workspace.store import Workspace, open_workspace


def remove_export(*names: str, keep_ledger: bool = False, workspace: Workspace | None = None) -> list[str]:
    """Remove saved exports. Their audiences keep their members; the run history stays.

    Also erases the ledgers of audiences that no other export fills, because the hashes in them are personal data. To
    mirror such an audience later, fill it once with ``--mode replace``.

    Parameters
    ----------
    names
        Exports to remove.
    keep_ledger
        Keep the ledgers, so that you can keep updating the audiences without a saved export.
    workspace
        Workspace to use; None opens the default one.

    Returns
    -------
    list of str
        One message for each erased ledger.

    Raises
    ------
    NotFoundError
        One of the exports does not exist.
    ExportRefusedError
        One of the exports is running, or has an unfinished run.
    """
    workspace = workspace or open_workspace()
    exports = [workspace.exports[name] for name in names]
    for export in exports:
        require(workspace, Verb.REMOVE_EXPORT, connection_of(workspace, export))
        _require_still(workspace, export)
    forgotten = []
    for export in exports:
        audiences = [] if keep_ledger else list(_filled_only_by(workspace, export))
        workspace.exports.remove(export.id)
        for notice in workspace.notices.where(export_id=export.id):
            workspace.notices.remove(notice.id)
        for audience in audiences:
            workspace.ledgers.remove(audience.id)
            workspace.audiences.remove(audience.id)
            forgotten.append(
                f"What was sent to the audience '{audience.name}' ({counted_in_words(audience.members, 'hash')}) is "
                "forgotten; the audience keeps them."
            )
        workspace.audit.note(
            Verb.REMOVE_EXPORT,
            export.name,
            connection=export.connection_name,
            segments=export.segments,
            ledgers_erased=[each.audience_id for each in audiences],
        )
    return forgotten


def _require_still(workspace: Workspace, export: Export) -> None:
    holder = workspace.locks.holder(f"export:{export.id}")
    running = holder is not None and holder.lives
    open_runs = _unfinished(workspace, export)
    if running or open_runs:
        raise ExportRefusedError(
            f"The export '{export.name}' is running."
            if running
            else f"The run {open_runs[0]} of the export '{export.name}' is not finished.",
            "Wait until it is done." if running else f"Finish it first: %ci_export --resume {open_runs[0]}.",
            code="export_running",
        )


def _unfinished(workspace: Workspace, export: Export) -> list[str]:
    """Return the runs that could still be finished. Without both consents, no run can."""
    connection = connection_of(workspace, export)
    if connection is None or not (connection.agreed and connection.terms_accepted):
        return []
    mine = {each.id for each in workspace.runs.where(connection_id=connection.id)}
    pushes = [push for name in export.segments for push in workspace.pushes.where(segment_name=name, finished=False)]
    return sorted({push.run_id[:8] for push in pushes if push.run_id in mine})


def _filled_only_by(workspace: Workspace, export: Export) -> Iterator[AudienceRecord]:
    """Yield the audiences that only this export fills."""
    connection = connection_of(workspace, export)
    if connection is None:
        return
    order = export.document["order"]
    others = [each for each in workspace.exports if each.id != export.id and each.connection_id == connection.id]
    for name in export.segments:
        if any(name in each.segments for each in others):
            continue
        yield from workspace.audiences.where(
            environment=connection.environment,
            account_id=order["account_id"] or connection.account_id,
            segment_name=name,
        )
