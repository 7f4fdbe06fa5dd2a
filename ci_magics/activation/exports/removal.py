"""Remove saved exports, and connections after their exports are removed or detached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ci_magics.activation.connections.connection_operations import sign_out
from ci_magics.activation.exports.saving import connection_of, detach_export
from ci_magics.advice import Do, Opt, advise
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError, ConnectionSetupError, ExportRefusedError, NotFoundError, quoted_list
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace

_WHAT = ("remove", "detach")


def remove_export(workspace: Workspace, names: Sequence[str], *, keep_ledger: bool) -> list[str]:
    """Remove saved exports, and return a message for each erased ledger; see `Exports.remove`."""
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
                f"What was sent to the audience '{audience.name}' ({pluralize(audience.members, 'hash')}) is "
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
    running = holder is not None and holder.is_alive
    open_runs = _unfinished(workspace, export)
    if running or open_runs:
        raise ExportRefusedError(
            f"The export '{export.name}' is running."
            if running
            else f"The run {open_runs[0]} of the export '{export.name}' is not finished.",
            "Wait until it is done." if running else advise("Finish it first: ", Do("runs.resume", open_runs[0]), "."),
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


def remove_connection(
    workspace: Workspace, name: str, exports: str | Mapping[str, str] | None, show: Callable[[str], None]
) -> None:
    """Remove a connection after its exports; see `Connections.remove`."""
    connection = workspace.connections[name]
    require(workspace, Verb.REMOVE_CONNECTION, connection)
    using = workspace.exports.where(connection_id=connection.id)
    choice = _choices(connection, using, exports)
    _require_finished(workspace, connection)
    for export in using:
        if choice[export.name] == "detach":
            detach_export(workspace, [export.name])
            show(f"The export '{export.name}' is kept without a connection; it does not run until it gets another one.")
        else:
            remove_export(workspace, [export.name], keep_ledger=False)
            show(f"The export '{export.name}' was removed.")
    sign_out(workspace, name, show)
    for each in workspace.sign_ins.where(subject_id=connection.id):
        workspace.sign_ins.remove(each.id)
    workspace.connections.remove(connection.id)
    done = [f"{each}: {what}" for each, what in choice.items()]
    workspace.audit.note(
        Verb.REMOVE_CONNECTION,
        name,
        environment=connection.environment,
        account=connection.account_id,
        exports=done,
    )


def _choices(connection: Connection, using: list[Export], wanted: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return ``remove`` or ``detach`` for each export."""
    names = [each.name for each in using]
    if isinstance(wanted, Mapping):
        for name in wanted:
            if name not in names:
                raise NotFoundError(
                    f"The connection '{connection.name}' is not used by an export '{name}'.",
                    f"It is used by: {quoted_list(names) or 'none'}.",
                    code="not_found",
                )
    chosen = {name: wanted.get(name) if isinstance(wanted, Mapping) else wanted for name in names}
    open_names = [name for name, what in chosen.items() if what is None]
    if open_names:
        raise ConnectionSetupError(
            f"The connection '{connection.name}' is used by "
            f"{pluralize(len(open_names), 'export')}: {quoted_list(open_names)}.",
            advise(
                "Choose what happens to them: ",
                Do("connections.remove", connection.name, exports="detach"),
                " (they are kept and do not run until they get another connection), or ",
                Opt("exports", "remove"),
                ".",
            ),
            code="connection_in_use",
        )
    for what in (*chosen.values(), *([wanted] if isinstance(wanted, str) else [])):
        if what not in _WHAT:
            raise ArgumentError(
                f"An export cannot be '{what}' here.", f"Use {' or '.join(_WHAT)}.", code="unknown_choice"
            )
    return {name: str(what) for name, what in chosen.items()}


def _require_finished(workspace: Workspace, connection: Connection) -> None:
    for run in workspace.runs.where(connection_id=connection.id):
        if run.finished_at is None and connection.agreed and connection.terms_accepted:
            raise ConnectionSetupError(
                f"The run {run.name} through the connection '{connection.name}' was not finished.",
                advise(
                    "Finish it first: ",
                    Do("runs.resume", run.name),
                    "; or withdraw the consents, and it is given up.",
                ),
                code="unfinished_run",
            )
