"""Run history of saved exports: find runs by status and time, and show the details of a run."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ci_magics.activation.exports.listing import ExportLine, list_exports
from ci_magics.activation.exports.saved_runs import with_members
from ci_magics.activation.exports.saving import as_code
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import load_run
from ci_magics.advice import NAME, Do, advise, worded
from ci_magics.clock import SystemClock
from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.result_table import Column, ResultList, as_minute, frame_only
from ci_magics.errors import ArgumentError, nearest_name, not_found
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import ExportRun
from ci_magics.workspace.statuses import CANCELED, COMPLETED, FAILED, QUEUED, RUNNING, SKIPPED, WITH_ERRORS, undated
from ci_magics.workspace.store import Workspace

STATUSES = (QUEUED, RUNNING, COMPLETED, WITH_ERRORS, SKIPPED, FAILED, CANCELED)
SHOWN = 20


@dataclass(frozen=True)
class HistoryLine:
    """One run of a saved export. Counts are hashes; until the run finishes, they cover what is known so far."""

    run: str
    export: str
    started_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    trigger: str
    started_by: str
    status: str
    reason: str
    accepted: int
    rejected: int
    members: int
    unknown: int = 0


@dataclass(frozen=True, repr=False)
class ExportHistory(ResultList[HistoryLine]):
    """Runs of saved exports, newest first."""

    runs: tuple[HistoryLine, ...]

    _columns = (
        Column("Run", "run"),
        Column("Export", "export"),
        Column("Started (UTC)", "started_at", as_minute),
        *frame_only("finished_at", "due_at", "trigger", "started_by", "status", "reason"),
        Column("By", lambda each: each.started_by if each.trigger == "manual" else each.trigger),
        Column("Status", lambda each: f"{each.status}: {each.reason}" if each.reason else each.status),
        Column("Accepted", "accepted"),
        Column("Rejected", "rejected"),
        Column("Members", "members"),
        *frame_only("unknown"),
    )
    _if_empty = "No run yet."

    @property
    def _rows(self) -> tuple[HistoryLine, ...]:
        return self.runs

    @property
    def not_completed(self) -> tuple[HistoryLine, ...]:
        """Runs that are failed, skipped, canceled, running, or waiting for a retry."""
        return tuple(each for each in self.runs if each.status not in (COMPLETED, WITH_ERRORS))

    def to_dict(self) -> dict[str, Any]:
        """Return the result of each run, newest first, without dates."""
        return {"runs": [plain(replace(each, reason=undated(each.reason))) for each in self.runs]}


@dataclass(frozen=True)
class ExportDetails(Displayable):
    """A saved export: its configuration and its last runs.

    Parameters
    ----------
    line
        Its line in the list of exports.
    code
        Notebook line that saves the same export.
    saved_by, saved_at
        Who changed it last, and when.
    history
        Its last runs.
    notes
        What prevents all schedules from running.
    """

    line: ExportLine
    code: str
    saved_by: str
    saved_at: datetime
    history: ExportHistory = field(repr=False)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([*self._lines(), repr(self.history)])

    def _repr_html_(self) -> str:
        lines = "".join(f"<div>{html.escape(each)}</div>" for each in self._lines())
        return f"{lines}{self.history._repr_html_()}"

    def _lines(self) -> list[str]:
        each = self.line
        reason = f" ({each.reason})" if each.reason else ""
        return [
            f"Export '{each.name}': {', '.join(each.segments)} to {each.connection}",
            f"  {self.code}",
            f"  status: {each.status}{reason}; schedule: {each.schedule}; next run: {each.next_run_text}",
            f"  saved by {self.saved_by}, {self.saved_at:%Y-%m-%d %H:%M} UTC; you may {each.permissions} it",
            *(f"  ! {warning}" for warning in (*each.warnings, *self.notes)),
        ]


def show_export(workspace: Workspace, name: str, last: int) -> ExportDetails:
    """Return the configuration and the last runs of an export."""
    export = workspace.exports[name]
    listed = list_exports(workspace, [name], SystemClock())
    line = next(iter(listed))
    history = export_history(workspace, [name], status=None, since=None, last=last)
    return ExportDetails(line, str(as_code(export)), export.saved_by, export.saved_at, history, _bare(listed.notes))


def _bare(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(each.removeprefix("! ") for each in notes)


def export_history(
    workspace: Workspace, names: Sequence[str], *, status: str | None, since: datetime | None, last: int
) -> ExportHistory:
    """Return the last runs of saved exports; see `Exports.history`."""
    require(workspace, Verb.LIST_EXPORTS)
    if status is not None:
        status = _known_status(status)
    entries = list(workspace.export_runs)
    ids = _ids(workspace, entries, names)
    lines = [history_line(workspace, each) for each in reversed(entries) if not names or each.export_id in ids]
    found = [each for each in lines if status in (None, each.status) and (since is None or each.started_at >= since)]
    return ExportHistory(tuple(found[:last]))


def export_run_details(workspace: Workspace, run: str) -> Run | HistoryLine:
    """Return one run of a saved export; see `Exports.run_details`."""
    require(workspace, Verb.LIST_EXPORTS)
    wanted = run.strip().lower()
    found = [each for each in workspace.export_runs if wanted and each.id.startswith(wanted)]
    if len(found) != 1:
        raise not_found(
            "run of an export", run, workspace.export_runs.names(), advise(Do("exports.show", NAME), " lists them.")
        )
    records = workspace.runs.where(id=found[0].id)
    return load_run(workspace, records[0]) if records else history_line(workspace, found[0])


def _ids(workspace: Workspace, entries: list[ExportRun], names: Sequence[str]) -> set[str]:
    """Return the ids of exports by name. An existing export takes precedence over removed ones of the same name."""
    ids: set[str] = set()
    for name in names:
        export = workspace.exports.get(name)
        mine = {export.id} if export else {each.export_id for each in entries if each.export_name == name}
        if not mine:
            workspace.exports[name]  # raises NotFoundError
        ids |= mine
    return ids


def history_line(workspace: Workspace, entry: ExportRun) -> HistoryLine:
    """Return the history line of a run.

    Parameters
    ----------
    workspace
        Workspace to use.
    entry
        Stored run.
    """
    entry = with_members(workspace, entry)
    return HistoryLine(
        run=entry.name,
        export=entry.export_name,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        due_at=entry.due_at,
        trigger=entry.trigger,
        started_by=entry.started_by,
        status=entry.status,
        reason=worded(entry.reason),
        accepted=entry.accepted,
        rejected=entry.rejected,
        members=entry.members,
        unknown=entry.unknown,
    )


def _known_status(status: str) -> str:
    by_folded = {each.casefold(): each for each in STATUSES}
    if status.strip().casefold() in by_folded:
        return by_folded[status.strip().casefold()]
    nearest = nearest_name(status, STATUSES)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"There is no status '{status}'.{hint}", f"Use {', '.join(STATUSES)}.", code="unknown_status")
