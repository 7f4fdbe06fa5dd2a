"""What the side panel shows: exports and runs, as the current user may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ci_magics import __version__
from ci_magics.activation.exports.listing import ExportLine, list_exports
from ci_magics.activation.run import AudienceResult
from ci_magics.activation.runs.journal import Journal
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
        In UTC, ISO 8601; None where there is none.
    overdue
        Whether it should have run at ``next_run`` and has not yet.
    schedule
        In words.
    may_run
        Whether the person may run it.
    warnings
        What keeps its schedule from doing its job, each as a sentence.
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
    """What a run did to one audience. Counts are hashes."""

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
    """One run.

    Parameters
    ----------
    destination
        Where it went, as far as the person may know.
    started_at, finished_at
        In UTC, ISO 8601; the second is None while something is left to do.
    accepted, rejected, unknown
        Hashes, of all its audiences together.
    done, planned
        Hashes that were answered, of those that are sent; None unless it is running.
    interrupted
        Whether it is unfinished and nobody carries it on: it can be resumed.
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
        What the person is in the workspace.
    connections, segments
        How many the person sees: what to do next depends on it.
    advice
        What to do where the person has no connection and may not make one.
    exports
        The saved ones, by name.
    warnings
        What keeps all schedules from doing their job, each as a sentence.
    runs
        The last ones, newest first.
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
    """Return the exports and the last runs of a workspace.

    Nothing in it is an e-mail address, a hash or a token, and nothing is asked of Microsoft.

    Parameters
    ----------
    workspace
        Where they are kept; who works there decides what is seen.

    Raises
    ------
    WorkspaceError
        It cannot be read.
    """
    connections = {each.id: each for each in workspace.connections}
    listed = list_exports(workspace=workspace)
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
    """Return how many hashes were answered, of how many that are sent."""
    progresses = [Journal(workspace, push).progress() for push in workspace.pushes.where(run_id=record.id)]
    return sum(each.done for each in progresses), sum(each.total for each in progresses)


def _destination(record: RunRecord, connection: Connection | None) -> str:
    """Return where a run went; a user who may not see the connection's details reads environment and name."""
    environment, _, _rest = record.destination.partition(":")
    if environment == "EMULATOR" or (connection is not None and not connection.details_hidden):
        return record.destination
    return f"{environment}: {record.connection_name}"


def _audience(result: AudienceResult) -> AudienceView:
    return AudienceView(**{name: getattr(result, name) for name in AudienceView.__dataclass_fields__})


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
