"""What became of saved exports: their runs, found by status and time, and each of them in detail."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ci_magics.activation.exports.document import as_magic
from ci_magics.activation.exports.listing import ExportLine, list_exports
from ci_magics.activation.exports.saved_runs import with_members
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import load_run
from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table
from ci_magics.errors import ArgumentError, nearest_name, not_found
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import ExportRun
from ci_magics.workspace.statuses import CANCELED, COMPLETED, FAILED, QUEUED, RUNNING, SKIPPED, WITH_ERRORS, undated
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd

STATUSES = (QUEUED, RUNNING, COMPLETED, WITH_ERRORS, SKIPPED, FAILED, CANCELED)
SHOWN = 20
_HEADS = ("Run", "Export", "Started (UTC)", "By", "Status", "Accepted", "Rejected", "Members")


@dataclass(frozen=True)
class HistoryLine:
    """One run of a saved export; counts are hashes, as far as they are known while it is not finished."""

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


@dataclass(frozen=True)
class ExportHistory(Displayable):
    """Runs of saved exports, the last one first."""

    runs: tuple[HistoryLine, ...]

    @property
    def not_completed(self) -> tuple[HistoryLine, ...]:
        """Those that did not come to their end: failed, skipped, canceled, or to be tried again."""
        return tuple(each for each in self.runs if each.status not in (COMPLETED, WITH_ERRORS))

    def __iter__(self) -> Iterator[HistoryLine]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each run."""
        import pandas as pd

        return pd.DataFrame([vars(each) for each in self.runs], columns=list(HistoryLine.__dataclass_fields__))

    def to_dict(self) -> dict[str, Any]:
        """Return the result of each run, newest first, without dates."""
        return {"runs": [plain(replace(each, reason=undated(each.reason))) for each in self.runs]}

    def __repr__(self) -> str:
        return text_table(_HEADS, self._rows()) if self.runs else "No run yet."

    def _repr_html_(self) -> str:
        return table(_HEADS, self._rows()) if self.runs else "<div>No run yet.</div>"

    def _rows(self) -> list[tuple[str | int, ...]]:
        return [
            (
                each.run,
                each.export,
                f"{each.started_at:%Y-%m-%d %H:%M}",
                each.started_by if each.trigger == "manual" else each.trigger,
                f"{each.status}: {each.reason}" if each.reason else each.status,
                each.accepted,
                each.rejected,
                each.members,
            )
            for each in self.runs
        ]


@dataclass(frozen=True)
class ExportDetails(Displayable):
    """A saved export: how it is configured, and how its last runs went.

    Parameters
    ----------
    line
        What the list says of it.
    code
        The line of a notebook that saves the same.
    saved_by, saved_at
        Who changed it last, and when.
    history
        Its last runs.
    notes
        What keeps all schedules from doing their job.
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


def show_export(name: str, *, last: int = SHOWN, workspace: Workspace | None = None) -> ExportDetails:
    """Return how an export is configured and how its last runs went.

    Raises
    ------
    NotFoundError
        There is no such export.
    """
    workspace = workspace or open_workspace()
    export = workspace.exports[name]
    listed = list_exports(name, workspace=workspace)
    line = next(iter(listed))
    history = export_history(name, last=last, workspace=workspace)
    return ExportDetails(line, as_magic(export), export.saved_by, export.saved_at, history, _bare(listed.notes))


def _bare(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(each.removeprefix("! ") for each in notes)


def export_history(
    *names: str,
    status: str | None = None,
    since: datetime | None = None,
    last: int = SHOWN,
    workspace: Workspace | None = None,
) -> ExportHistory:
    """Return the last runs of saved exports, those of exports that were removed too.

    Parameters
    ----------
    names
        Of which exports; of all when none is named.
    status
        Only those with this status.
    since
        Only those that began since then.
    last
        How many at most.

    Raises
    ------
    ArgumentError
        There is no such status.
    NotFoundError
        There never was an export of a name.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.LIST_EXPORTS)
    if status is not None:
        status = _known_status(status)
    entries = list(workspace.export_runs)
    ids = _ids(workspace, entries, names)
    lines = [history_line(workspace, each) for each in reversed(entries) if not names or each.export_id in ids]
    found = [each for each in lines if status in (None, each.status) and (since is None or each.started_at >= since)]
    return ExportHistory(tuple(found[:last]))


def export_run_details(run: str, *, workspace: Workspace | None = None) -> Run | HistoryLine:
    """Return the result of one run of a saved export, audience by audience; only its line where nothing was sent.

    Parameters
    ----------
    run
        Its id, or the beginning of it.

    Raises
    ------
    NotFoundError
        There is none, or several begin so.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.LIST_EXPORTS)
    wanted = run.strip().lower()
    found = [each for each in workspace.export_runs if wanted and each.id.startswith(wanted)]
    if len(found) != 1:
        raise not_found("run of an export", run, workspace.export_runs.names(), "%ci_exports show lists them.")
    records = workspace.runs.where(id=found[0].id)
    return load_run(workspace, records[0]) if records else history_line(workspace, found[0])


def _ids(workspace: Workspace, entries: list[ExportRun], names: tuple[str, ...]) -> set[str]:
    """Return the ids of exports by their names: of those that exist now, else of those that did."""
    ids: set[str] = set()
    for name in names:
        export = workspace.exports.get(name)
        mine = {export.id} if export else {each.export_id for each in entries if each.export_name == name}
        if not mine:
            workspace.exports[name]  # says that there is none
        ids |= mine
    return ids


def history_line(workspace: Workspace, entry: ExportRun) -> HistoryLine:
    """Return what the history says of a run."""
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
        reason=entry.reason,
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
