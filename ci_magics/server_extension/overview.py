"""The content of the side panel: exports and runs, as far as the current user may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ci_magics.activation.exports.listing import ExportLine, list_exports
from ci_magics.activation.run import AudienceResult
from ci_magics.activation.runs.journal import Journal
from ci_magics.clock import SystemClock
from ci_magics.version import __version__
from ci_magics.workspace.access import NOTHING_SHARED, Verb, may, role_of
from ci_magics.workspace.export_models import NO_CONNECTION
from ci_magics.workspace.models import Connection, RunRecord
from ci_magics.workspace.statuses import RUNNING
from ci_magics.workspace.store import Workspace

_SHOWN_RUNS = 20


@dataclass(frozen=True)
class ExportView:
    """A saved export.

    Parameters
    ----------
    last_run, next_run
        In UTC, ISO 8601; None if there is none.
    overdue
        Whether the run at ``next_run`` is late.
    schedule
        In words.
    may_run
        Whether the current user may run it.
    warnings
        Problems that keep its schedule from working, one sentence each.
    """

    name: str
    connection: str
    segments: tuple[str, ...]
    status: str
    reason: str
    last_run: str | None
    next_run: str | None
    overdue: bool
    schedule: str
    may_run: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class AudienceView:
    """The result of a run for one audience. Counts are hashes."""

    segment: str
    audience: str
    status: str
    added: int
    removed: int
    unchanged: int
    rejected: int
    unknown: int
    unsent: int
    message: str


@dataclass(frozen=True)
class RunView:
    """A run.

    Parameters
    ----------
    destination
        Where the data went, as far as the current user may know.
    started_at, finished_at
        In UTC, ISO 8601; ``finished_at`` is None while work remains.
    accepted, rejected, unknown
        Numbers of hashes, over all audiences of the run.
    done, planned
        Numbers of hashes answered and to be sent; None unless it is running.
    interrupted
        Whether it is unfinished and no process is working on it: it can be resumed.
    """

    name: str
    connection: str
    destination: str
    status: str
    started_by: str
    started_at: str
    finished_at: str | None
    accepted: int
    rejected: int
    unknown: int
    done: int | None
    planned: int | None
    interrupted: bool
    audiences: tuple[AudienceView, ...]


@dataclass(frozen=True)
class Overview:
    """The workspace at a glance.

    Parameters
    ----------
    role
        The role of the current user in the workspace.
    connections, segments
        How many the current user sees; the suggested next step depends on it.
    advice
        What to do if the current user has no connection and may not create one.
    exports
        The saved exports, by name.
    warnings
        Problems that keep all schedules from working, one sentence each.
    runs
        The latest runs, newest first.
    """

    version: str
    user: str
    role: str
    connections: int
    segments: int
    advice: str
    exports: tuple[ExportView, ...]
    warnings: tuple[str, ...]
    runs: tuple[RunView, ...]


def overview(workspace: Workspace) -> Overview:
    """Return the exports and the latest runs of a workspace.

    The result contains no e-mail address, hash, or token. Microsoft is not contacted.

    Parameters
    ----------
    workspace
        The workspace to read; its current user determines what is visible.

    Raises
    ------
    WorkspaceError
        The workspace cannot be read.
    """
    connections = {each.id: each for each in workspace.connections}
    listed = list_exports(workspace, (), SystemClock())
    return Overview(
        version=__version__,
        user=workspace.user,
        role=role_of(workspace),
        connections=len(connections),
        segments=len(workspace.segments),
        advice="" if connections or may(workspace, Verb.CREATE_CONNECTION) else NOTHING_SHARED,
        exports=tuple(_export(each) for each in listed),
        warnings=tuple(each.removeprefix("! ") for each in listed.notes),
        runs=tuple(_run(workspace, each, connections) for each in workspace.runs.latest(_SHOWN_RUNS)),
    )


def _export(line: ExportLine) -> ExportView:
    return ExportView(
        name=line.name,
        connection=line.connection,
        segments=line.segments,
        status=line.status,
        reason=line.reason,
        last_run=_iso(line.last_run) if line.last_run else None,
        next_run=_iso(line.next_run) if line.next_run else None,
        overdue=line.overdue,
        schedule=line.schedule,
        may_run=line.permissions == "edit" and line.connection != NO_CONNECTION,
        warnings=line.warnings,
    )


def _run(workspace: Workspace, record: RunRecord, connections: Mapping[str, Connection]) -> RunView:
    results = [AudienceResult.from_document(each) for each in record.results]
    running = record.finished_at is None and record.status == RUNNING
    done, planned = _progress(workspace, record) if running else (None, None)
    return RunView(
        name=record.name,
        connection=record.connection_name,
        destination=_destination(record, connections.get(record.connection_id)),
        status=record.status,
        started_by=record.started_by,
        started_at=_iso(record.started_at),
        finished_at=_iso(record.finished_at) if record.finished_at else None,
        accepted=sum(each.accepted for each in results),
        rejected=sum(each.rejected for each in results),
        unknown=sum(each.unknown for each in results),
        done=done,
        planned=planned,
        interrupted=record.finished_at is None and not running,
        audiences=tuple(_audience(each) for each in results),
    )


def _progress(workspace: Workspace, record: RunRecord) -> tuple[int, int]:
    """Return how many hashes were answered, and how many are sent in total."""
    progresses = [Journal(workspace, push).progress() for push in workspace.pushes.where(run_id=record.id)]
    return sum(each.done for each in progresses), sum(each.total for each in progresses)


def _destination(record: RunRecord, connection: Connection | None) -> str:
    """Return where a run went; only environment and name if the user may not see the connection's details."""
    environment, _, _rest = record.destination.partition(":")
    if environment == "EMULATOR" or (connection is not None and not connection.details_hidden):
        return record.destination
    return f"{environment}: {record.connection_name}"


def _audience(result: AudienceResult) -> AudienceView:
    return AudienceView(**{name: getattr(result, name) for name in AudienceView.__dataclass_fields__})


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
