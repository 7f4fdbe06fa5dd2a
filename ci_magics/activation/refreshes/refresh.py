"""Run one refresh: segments first, in the order of their dependencies, then the exports that are due."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from ci_magics.activation.exports.due import Due, due_exports, system_due_at
from ci_magics.activation.exports.heartbeats import REFRESH_LOCK
from ci_magics.activation.exports.saved_runs import BY_SYSTEM, Show, run_one
from ci_magics.activation.exports.saving import connection_of
from ci_magics.activation.notifications.state_changes import notify_of_refresh
from ci_magics.activation.refreshes.notebook_execution import execute_notebook
from ci_magics.activation.segments.dependents import in_order, stale_since
from ci_magics.activation.segments.refreshes import Allowed, SegmentRefresh, refresh_segments
from ci_magics.advice import worded
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.displayable import plain
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultTable
from ci_magics.errors import AccessError, ExportRefusedError, ExportStoppedError
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.naming import several
from ci_magics.workspace.access import Verb, is_shared_with, require, role_of
from ci_magics.workspace.export_models import Export, Refresh
from ci_magics.workspace.locks import Holder
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.statuses import CANCELED, COMPLETED, FAILED, QUEUED, RUNNING, SKIPPED, WITH_ERRORS, undated
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

BY_COMMAND, BY_SCHEDULER = "command", "schedule"


@dataclass(frozen=True)
class RefreshLine:
    """The result of a refresh for one segment or export.

    Parameters
    ----------
    what
        ``segment`` or ``export``.
    name, status, reason
        Its name, its status, and why it did not complete.
    count
        Number of profiles of a segment, or of accepted hashes of an export.
    """

    what: str
    name: str
    status: str
    count: int
    reason: str


def _worded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return stored results with their reasons in the language of the current reader."""
    return [each | {"reason": worded(each["reason"])} for each in results]


@dataclass(frozen=True, repr=False)
class RefreshReport(ResultTable[RefreshLine]):
    """What a refresh did.

    Parameters
    ----------
    record
        Stored record of the refresh.
    """

    record: Refresh

    _columns = (
        Column("What", "what"),
        Column("Name", "name"),
        Column("Status", "status"),
        Column("Profiles or hashes", "count"),
        Column("Why", "reason"),
    )
    _if_empty = ""

    @property
    def status(self) -> str:
        """``Completed``, ``Completed with errors``, or ``Failed``."""
        return self.record.status

    @property
    def reason(self) -> str:
        """Why the refresh as a whole failed, such as an error in a cell of its notebook."""
        return worded(self.record.reason)

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Result for each segment."""
        return _worded(self.record.segments)

    @property
    def exports(self) -> list[dict[str, Any]]:
        """Result for each export."""
        return _worded(self.record.exports)

    @property
    def not_completed(self) -> list[str]:
        """Names of the stale segments and of the exports that did not complete."""
        segments = [each["segment"] for each in self.segments if each["stale"]]
        return segments + [each["export"] for each in self.exports if each["status"] not in (COMPLETED, WITH_ERRORS)]

    def document(self) -> dict[str, Any]:
        """Return all stored data of the refresh."""
        lists = {"segments": self.segments, "exports": self.exports}
        return vars(self.record) | {"reason": self.reason, **lists}

    def to_dict(self) -> dict[str, Any]:
        """Return the results, without the user and the time."""
        each = self.record
        return {
            "status": each.status,
            "reason": self.reason,
            "segments": plain(self.segments),
            "exports": plain([export | {"reason": undated(worded(export["reason"]))} for export in each.exports]),
        }

    @property
    def _title(self) -> str:
        each = self.record
        notebook = f" of {each.notebook}" if each.notebook else ""
        reason = f": {self.reason}" if self.reason else ""
        nothing = "" if each.segments or each.exports or each.reason else "; nothing was due"
        return f"Refresh{notebook} {each.started_at:%Y-%m-%d %H:%M} UTC: {each.status}{reason}{nothing}"

    @property
    def _rows(self) -> list[RefreshLine]:
        segments = [
            RefreshLine("segment", each["segment"], each["status"], each["profiles"], worded(each["reason"]))
            for each in self.segments
        ]
        return segments + [
            RefreshLine("export", each["export"], each["status"], each.get("accepted", 0), worded(each["reason"]))
            for each in self.exports
        ]


@dataclass(frozen=True)
class _Task:
    """What a refresh has to do.

    Parameters
    ----------
    segments
        Segments to evaluate, each after the segments that it depends on.
    exports
        Exports that are due.
    due_at
        Scheduled time of the system refresh, if that is due.
    """

    segments: Sequence[SegmentRecord]
    exports: Sequence[Due]
    due_at: datetime | None


@operation(Verb.REFRESH_ALL, example="--due-only")
def refresh(
    *,
    due_only: Annotated[bool, Option("only what the schedules say is due now, and the segments that it needs")] = False,
    notebook: Annotated[
        str | Path | None,
        Option("execute this notebook first; if it fails, nothing is exported", kind="file", value="FILE"),
    ] = None,
    allow_empty: Annotated[
        str | Sequence[str], Option("segment that may lose all of its profiles", kind="segment", value="SEGMENT")
    ] = (),
    allow_shrink: Annotated[
        str | Sequence[str],
        Option("segment that may lose more than half of its profiles", kind="segment", value="SEGMENT"),
    ] = (),
    show: Show = announce,
    workspace: WorkspaceLike | None = None,
    clock: Clock | None = None,
) -> RefreshReport:
    """Evaluate dynamic segments, then run the exports that follow the system refresh and any others that are due.

    Parameters
    ----------
    due_only
        Do only what is due now, with the segments that it needs. The scheduler uses this.
    notebook
        Notebook to execute first. If it fails, nothing is exported.
    allow_empty, allow_shrink
        Names of segments that may become empty, or lose more than half of their profiles. Any other such segment stays
        unchanged.
    show
        Called with each message for the user, such as a sign-in code.
    workspace
        Workspace to use; None opens the default one.
    clock
        Source of the current time; None means the system clock.

    Raises
    ------
    AccessError
        The current user may not refresh the workspace.
    NotFoundError
        A segment in `allow_empty` or `allow_shrink` does not exist.
    ExportRefusedError
        Another refresh is running.
    """
    workspace = store_of(workspace)
    clock = clock or SystemClock()
    require(workspace, Verb.REFRESH_ALL)
    allowed = Allowed(_known(workspace, allow_empty), _known(workspace, allow_shrink))
    if due_only and notebook is None and not anything_due(workspace, clock.now()):
        return RefreshReport(replace(_new(workspace, BY_SCHEDULER, None, clock.now()), status=COMPLETED))
    with _refresh_lock(workspace) as send_heartbeat:
        now = clock.now()
        record = _new(workspace, BY_SCHEDULER if due_only else BY_COMMAND, notebook, now)
        workspace.refreshes.put(record)
        try:
            if notebook is not None:
                _, error = execute_notebook(Path(notebook))
                if error is not None:
                    return _end(workspace, replace(record, reason=error.stored()), FAILED, show, clock)
            return _carry_out(
                workspace, record, _task(workspace, now, due_only=due_only), allowed, send_heartbeat, show, clock
            )
        except (KeyboardInterrupt, ExportStoppedError):
            _end(workspace, record, CANCELED, show, clock)
            raise
        except BaseException as error:
            _end(workspace, replace(record, reason=f"It broke off ({type(error).__name__})."), FAILED, show, clock)
            raise


def _known(workspace: Workspace, names: str | Sequence[str]) -> frozenset[str]:
    """Return the names as a set; all segments must exist."""
    return frozenset(workspace.segments[each].name for each in several(names))


def anything_due(workspace: Workspace, now: datetime) -> bool:
    """Return whether a refresh would do anything.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC.
    """
    return system_due_at(workspace, now) is not None or bool(due_exports(workspace, now))


def _task(workspace: Workspace, now: datetime, *, due_only: bool) -> _Task:
    due = due_exports(workspace, now)
    system_at = system_due_at(workspace, now)
    if not due_only:
        there = {each.export.id for each in due}
        due += [Due(each, None, BY_SYSTEM) for each in _following(workspace) if each.id not in there]
    if due_only and system_at is None:
        names = {name for each in due for name in _needed(workspace, each.export)}
    else:
        names = {each.name for each in workspace.segments}
    return _Task(in_order(workspace, names), due, system_at)


def _following(workspace: Workspace) -> list[Export]:
    """Return the exports that follow the system refresh, scheduled or manual."""
    return [
        each for each in workspace.exports if each.active and each.schedule is None and each.connection_id is not None
    ]


def _needed(workspace: Workspace, export: Export) -> set[str]:
    """Return the segments that an export sends or excludes, and the suppression segment."""
    return {*export.segments, *export.excluded, *(each.name for each in workspace.segments.where(suppresses=True))}


def _carry_out(
    workspace: Workspace,
    record: Refresh,
    task: _Task,
    allowed: Allowed,
    send_heartbeat: Callable[[], None],
    show: Show,
    clock: Clock,
) -> RefreshReport:
    record = replace(record, due_at=task.due_at)
    segments = refresh_segments(workspace, task.segments, send_heartbeat, allowed)
    record = replace(record, segments=[_plain(each) for each in segments])
    workspace.refreshes.put(record)
    stale = {each.segment for each in segments if each.stale}
    as_of = stale_since(workspace, {each.segment for each in segments if each.status != COMPLETED})
    exports = []
    for due in task.exports:
        exports.append(_exported(workspace, due, stale, as_of, show, clock))
        send_heartbeat()
    record = replace(record, exports=exports)
    return _end(workspace, record, _status(segments, exports), show, clock)


def _exported(
    workspace: Workspace, due: Due, stale: set[str], as_of: Mapping[str, datetime], show: Show, clock: Clock
) -> dict[str, object]:
    """Run one export and return its part of the report."""
    export = due.export
    _give_up_overtaken(workspace, due, clock.now())
    entry = run_one(
        workspace,
        export,
        due.trigger,
        due.due_at,
        show=show,
        clock=clock,
        skip=_skip(workspace, export, stale),
        as_of=as_of,
    )
    if entry is None:
        return {"export": export.name, "status": SKIPPED, "reason": "It is running elsewhere.", "run": ""}
    counts = {"accepted": entry.accepted, "rejected": entry.rejected}
    return {"export": export.name, "status": entry.status, "reason": entry.reason, "run": entry.name, **counts}


def _skip(workspace: Workspace, export: Export, stale: set[str]) -> str:
    """Return why an export cannot run now; empty if it can."""
    waits_for = sorted(stale & _needed(workspace, export))
    if waits_for:
        return f"The segment '{waits_for[0]}' was not refreshed."
    return _not_allowed(workspace, export)


def _not_allowed(workspace: Workspace, export: Export) -> str:
    """Return why the user who saved the export, or the scheduler's user, may no longer run it; empty if both may."""
    try:
        connection = connection_of(workspace, export)
    except AccessError:
        return (
            f"The connection '{export.connection_name}' is not shared with {workspace.user}, the user of the "
            "scheduler. An administrator can share it."
        )
    owner = export.saved_by
    role = role_of(workspace, owner)
    if not role.includes(Verb.RUN_EXPORT.minimum_role):
        return f"{owner}, who saved the export, is only a {role} now. A contributor can save it again."
    if connection is not None and not is_shared_with(connection, owner, role):
        return f"The connection '{connection.name}' is no longer shared with {owner}, who saved the export."
    return ""


def _give_up_overtaken(workspace: Workspace, due: Due, now: datetime) -> None:
    """Close runs that wait for a retry of an earlier scheduled time: the run for this time replaces them."""
    for entry in workspace.export_runs.where(export_id=due.export.id, status=QUEUED):
        if entry.due_at != due.due_at:
            reason = f"The next run came before it was tried again. {entry.reason}"
            workspace.export_runs.put(replace(entry, status=FAILED, reason=reason, retry_at=None, finished_at=now))


def _status(segments: Sequence[SegmentRefresh], exports: Sequence[dict[str, object]]) -> str:
    statuses = {each["status"] for each in exports}
    if any(each.stale for each in segments) or statuses - {COMPLETED, WITH_ERRORS}:
        return FAILED if not statuses & {COMPLETED, WITH_ERRORS} else WITH_ERRORS
    return WITH_ERRORS if WITH_ERRORS in statuses else COMPLETED


def _new(workspace: Workspace, trigger: str, notebook: str | Path | None, now: datetime) -> Refresh:
    return Refresh(
        id=str(uuid.uuid4()),
        trigger=trigger,
        due_at=None,
        notebook=Path(notebook).name if notebook is not None else "",
        status=RUNNING,
        reason="",
        segments=[],
        exports=[],
        started_by=workspace.user,
        started_at=now,
    )


def _end(workspace: Workspace, record: Refresh, status: str, show: Show, clock: Clock) -> RefreshReport:
    ended = replace(record, status=status, finished_at=clock.now())
    workspace.refreshes.put(ended)
    if status != CANCELED:
        notify_of_refresh(workspace, ended, show)
    workspace.audit.note(
        Verb.REFRESH_ALL,
        ended.name,
        status=status,
        notebook=ended.notebook,
        segments=len(ended.segments),
        exports=len(ended.exports),
    )
    return RefreshReport(ended)


def _plain(result: SegmentRefresh) -> dict[str, object]:
    return asdict(result)


@contextmanager
def _refresh_lock(workspace: Workspace) -> Iterator[Callable[[], None]]:
    """Hold the refresh lock of the workspace while the block runs; yields a function that renews it."""

    def busy(holder: Holder) -> ExportRefusedError:
        return ExportRefusedError(
            f"Another refresh is running, started by {holder.holder} on {holder.host}.",
            "Wait until it is done.",
            code="refresh_running",
        )

    with workspace.locks.holding() as held:
        held.require(REFRESH_LOCK, busy)
        yield held.send_heartbeat
