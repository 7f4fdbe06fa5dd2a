"""Runs and the history of saved exports, with their state derived when they are read.

There is one record of what a run did: the journal with its pushes and steps until an audience is finished, and that
audience's result afterwards. The status and counts of a run are derived from it here, also for the history of a saved
export, the status, the side panel, and notifications. The rows of ``runs`` and ``export_runs`` additionally store
why a run stopped and when it is retried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ARRAY, Connection, Engine, Select, Text, cast, func, select

from ci_magics.advice import NAME, Do, advise
from ci_magics.workspace import tables
from ci_magics.workspace.export_models import ExportRun
from ci_magics.workspace.locks import Locks
from ci_magics.workspace.models import PushRecord, RunRecord, StepRecord
from ci_magics.workspace.policy_functions import STOP_RUN
from ci_magics.workspace.repository import Repository
from ci_magics.workspace.statuses import ANSWERED, FAILED, QUEUED, REFUSED, RUNNING, SENT, overall, sent_as_of
from ci_magics.workspace.transactions import change, read_transaction

INTERRUPTED = "The process that ran it has ended; the next run finishes it."
#: Maximum number of ids in one query; SQLite accepts up to 32,766 values.
_AT_ONCE = 1_000


def counts_so_far(push: PushRecord, steps: Iterable[StepRecord]) -> dict[str, int]:
    """Return the counts of a push according to the journal, with the names of an audience's result.

    Parameters
    ----------
    push
        The push.
    steps
        Its requests.
    """
    counts = dict.fromkeys(("added", "removed", "rejected", "unknown", "unsent"), 0)
    for step in steps:
        size = step.stop - step.start
        if step.state == ANSWERED:
            counts["removed" if step.action == "Remove" else "added"] += size - step.rejected
            counts["rejected"] += step.rejected
        elif step.state == SENT or (step.state == REFUSED and step.maybe):
            counts["unknown"] += size
        else:
            counts["rejected" if step.state == REFUSED else "unsent"] += size
    accepted = counts["added"] + counts["removed"]
    if push.mode == "replace" and accepted:
        counts["removed"] = push.removes  # a replacement removes members by omitting them
    return {**counts, "accepted": accepted, "unchanged": push.unchanged}


class RunRepository(Repository[RunRecord]):
    """Runs; for an unfinished one, status, results, and counts come from the journal.

    Parameters
    ----------
    engine
        The database.
    pushes, steps
        The journal.
    locks
        Detects whether a process executes a run.
    """

    def __init__(
        self, engine: Engine, pushes: Repository[PushRecord], steps: Repository[StepRecord], locks: Locks
    ) -> None:
        super().__init__(
            engine,
            tables.runs,
            RunRecord,
            word="run",
            advice=advise(Do("runs"), " lists them."),
            order="started_at",
            displayed=("status", "connection_name", "destination"),
        )
        self._pushes = pushes
        self._steps = steps
        self._locks = locks
        self._history = _stored_history(engine)

    def is_being_executed(self, run_id: str) -> bool:
        """Return whether a live process executes a run."""
        holder = self._locks.holder_of_run(run_id)
        return holder is not None and holder.is_alive

    def connection_of(self, run_id: str) -> str | None:
        """Return the id of a run's connection without deriving the run's state."""
        with read_transaction(self._engine) as database:
            return database.execute(select(tables.runs.c.connection_id).where(tables.runs.c.id == run_id)).scalar()

    def stop(self, run_id: str, why: str, unsent: Sequence[str]) -> bool:
        """Record why a run stopped and release its locks, if the database enforces roles.

        The user who executes a run may do this even if the run is no longer visible to them.

        Parameters
        ----------
        run_id
            The id of the run.
        why
            The reason, as a sentence.
        unsent
            The ids of requests that the journal marks as about to be sent, but that were not sent.

        Returns
        -------
        bool
            Whether it was recorded; False if the database does not enforce roles, or another process has the run.
        """
        if self._engine.dialect.name != "postgresql":
            return False

        def work(database: Connection) -> bool:
            if database.execute(select(func.to_regprocedure(STOP_RUN))).scalar() is None:
                return False
            stopped = func.ci_magics_stop_run(run_id, why, cast(list(unsent), ARRAY(Text)))
            return bool(database.execute(select(stopped)).scalar())

        return change(self._engine, work)

    def _select(self, **values: Any) -> list[RunRecord]:
        return [self._with_derived_state(each) for each in super()._select(**values)]

    def _found(self, query: Select[Any]) -> list[RunRecord]:
        return [self._with_derived_state(each) for each in super()._found(query)]

    def _with_derived_state(self, record: RunRecord) -> RunRecord:
        if record.finished_at is not None:
            return record
        entry = next(iter(self._history.where(id=record.id)), None)
        is_running = self.is_being_executed(record.id) or (entry is not None and _is_running(self._locks, entry))
        results = [*record.results]
        # The result of a finished push is final; the others are derived from the journal.
        for push in self._pushes.where(run_id=record.id, finished=False):
            steps = self._steps.where(push_id=push.id)
            status, message = _derived_status(results[push.number], entry, is_running=is_running)
            results[push.number] = {
                **results[push.number],
                **counts_so_far(push, steps),
                "audience_id": push.audience_id,
                "tracking_ids": [one for step in steps for one in step.tracking_ids],
                "status": status,
                "message": message,
            }
        return replace(record, results=results, status=overall([each["status"] for each in results]))


def _derived_status(result: Mapping[str, Any], entry: ExportRun | None, *, is_running: bool) -> tuple[str, str]:
    """Return the status of an unfinished audience, and the reason."""
    if is_running:
        return RUNNING, ""
    if entry is not None and entry.retry_at is not None:
        return QUEUED, result["message"]
    if result["status"] == RUNNING:  # the process ended before it could record a reason
        return FAILED, INTERRUPTED
    return result["status"], result["message"]


class ExportRunRepository(Repository[ExportRun]):
    """The history of saved exports; an entry takes its state from its run once there is one.

    Parameters
    ----------
    engine
        The database.
    runs
        The runs with their derived state.
    locks
        Detects whether a process runs an export.
    """

    def __init__(self, engine: Engine, runs: RunRepository, locks: Locks) -> None:
        super().__init__(
            engine,
            tables.export_runs,
            ExportRun,
            word="run of an export",
            advice=advise(Do("exports.show", NAME), " lists them."),
            order="started_at",
        )
        self._runs = runs
        self._locks = locks

    def _select(self, **values: Any) -> list[ExportRun]:
        return list(self._with_run_states(super()._select(**values)))

    def _found(self, query: Select[Any]) -> list[ExportRun]:
        return list(self._with_run_states(super()._found(query)))

    def _with_run_states(self, entries: Sequence[ExportRun]) -> Iterator[ExportRun]:
        runs = _by_id(self._runs, [each.id for each in entries])
        for entry in entries:
            run = runs.get(entry.id)
            if run is not None:
                yield _with_state_of(entry, run)
            elif entry.status == RUNNING and not _is_running(self._locks, entry):
                yield replace(entry, status=FAILED, reason=INTERRUPTED)
            else:
                yield entry


def _with_state_of(entry: ExportRun, run: RunRecord) -> ExportRun:
    """Return an entry of the history with the status and counts of its run."""
    reason = " ".join(dict.fromkeys(each["message"] for each in run.results if each["message"]))
    # For an unfinished run, the entry knows more: when it is retried, or why it was not resumed.
    old = sent_as_of(each.get("as_of", "") for each in run.results)
    is_waiting = run.finished_at is None and entry.status != RUNNING and run.status != RUNNING
    return replace(
        entry,
        status=run.status,
        reason=" ".join(each for each in ((entry.reason or reason) if is_waiting else reason, old) if each),
        accepted=run.total("accepted"),
        rejected=run.total("rejected"),
        unknown=run.total("unknown"),
        members=run.total("members"),
    )


def _by_id(runs: RunRepository, ids: Sequence[str]) -> dict[str, RunRecord]:
    parts = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
    return {run.id: run for part in parts for run in runs.where_in("id", part)}


def _is_running(locks: Locks, entry: ExportRun) -> bool:
    """Return whether a live process runs an export, including its planning."""
    if entry.status != RUNNING:
        return False
    holder = locks.holder(f"export:{entry.export_id}")
    return holder is not None and holder.is_alive


def _stored_history(engine: Engine) -> Repository[ExportRun]:
    """Return the history as stored, without the state of its runs."""
    return Repository(engine, tables.export_runs, ExportRun, word="run of an export", advice="", order="started_at")
