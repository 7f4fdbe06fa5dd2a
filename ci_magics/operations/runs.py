"""``ci.runs``: what was sent, and what is left to finish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.resume import find_run, load_run, resume_run
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultList, as_minute, frame_only
from ci_magics.errors import NotFoundError
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.operations.collection import Collection
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import RunRecord
from ci_magics.workspace.statuses import RUNNING
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]
LAST = "last"


@dataclass(frozen=True)
class RunLine:
    """One line in the table of runs. Counts are hashes.

    Parameters
    ----------
    run
        Id of the run, as short as users write it.
    started_at, finished_at
        Times in UTC; ``finished_at`` is None while something is left to do.
    connection
        Connection that it sends through.
    status
        Queued, Running, Completed, Completed with errors, Skipped, Failed or Canceled.
    accepted, rejected, unknown
        What Microsoft accepted, rejected, and did not answer.
    unfinished
        Whether it was interrupted and can be resumed.
    """

    run: str
    started_at: datetime
    finished_at: datetime | None
    connection: str
    status: str
    accepted: int
    rejected: int
    unknown: int
    unfinished: bool


@dataclass(frozen=True, repr=False)
class RunList(ResultList[RunLine]):
    """Runs, newest first.

    Parameters
    ----------
    runs
        One line for each run.
    """

    runs: tuple[RunLine, ...]

    _columns = (
        Column("Run", "run"),
        Column("Started (UTC)", "started_at", as_minute),
        *frame_only("finished_at"),
        Column("Connection", "connection"),
        Column("Status", "status"),
        Column("Accepted", "accepted"),
        Column("Rejected", "rejected"),
        Column("Unknown", "unknown"),
        Column("Unfinished", "unfinished"),
    )
    _if_empty = "No run yet."

    @property
    def _rows(self) -> tuple[RunLine, ...]:
        return self.runs


class Runs(Collection[Run]):
    """The runs of a workspace, newest first. A run is found by its id, or by ``last``.

    Examples
    --------
    >>> ci.runs["last"].rejected_rows()  # doctest: +SKIP
    >>> ci.runs.resume("last")  # doctest: +SKIP
    """

    def _all(self) -> Iterator[Run]:
        workspace = self._readable()
        for record in reversed(list(workspace.runs)):
            yield load_run(workspace, record)

    def names(self) -> list[str]:
        """Return the ids of all runs, newest first."""
        return [each.name for each in reversed(list(self._readable().runs))]

    def __getitem__(self, name: str) -> Run:
        """Return a run by its id.

        Parameters
        ----------
        name
            Id of the run, or the beginning of it; ``last`` is the one that started last.

        Raises
        ------
        NotFoundError
            No run matches, or several do.
        """
        workspace = self._readable()
        return load_run(workspace, _latest(list(workspace.runs)) if name == LAST else find_run(workspace, name))

    def overview(self) -> RunList:
        """Return the table of runs: status, counts, and whether something is left to do."""
        return RunList(tuple(_line(each) for each in reversed(list(self._readable().runs))))

    @operation(Verb.SHOW_STATUS, changes=False)
    def unfinished(self) -> RunList:
        """Return the runs that were interrupted and can be resumed, newest first."""
        return RunList(tuple(each for each in self.overview() if each.unfinished))

    @operation(Verb.RESUME_RUN, example="last")
    def resume(
        self,
        run: Annotated[str, Option("run to finish: its id, or last", kind="run")] = LAST,
        *,
        progress: Reporter = silent,
        show: Show = announce,
    ) -> Run:
        """Finish an interrupted run as it was planned. A finished run is returned unchanged.

        Parameters
        ----------
        run
            Id of the run, or the beginning of it; ``last`` is the interrupted run that started last.
        progress
            Called with the progress of the run; silent by default.
        show
            Called with each message for the user, such as a sign-in code.

        Raises
        ------
        NotFoundError
            No run matches, or several do.
        ExportRefusedError
            Another process is still running it, or its connection was removed or changed.
        ExportStoppedError
            The user stopped the run; the error says how to finish it.
        """
        workspace = self._workspace
        if run == LAST:
            run = _latest([each for each in workspace.runs if _is_unfinished(each)]).id
        return resume_run(workspace, run, progress=progress, show=show)

    def _overview(self) -> RunList:
        return self.overview()

    def _readable(self) -> Workspace:
        workspace = self._workspace
        require(workspace, Verb.SHOW_STATUS)
        return workspace


def _is_unfinished(record: RunRecord) -> bool:
    return record.finished_at is None and record.status != RUNNING


def _latest(records: list[RunRecord]) -> RunRecord:
    if not records:
        raise NotFoundError("There is no such run.", "`ci.runs` lists the runs.", code="no_run")
    return records[-1]


def _line(record: RunRecord) -> RunLine:
    return RunLine(
        run=record.name,
        started_at=record.started_at,
        finished_at=record.finished_at,
        connection=record.connection_name,
        status=record.status,
        accepted=record.total("accepted"),
        rejected=record.total("rejected"),
        unknown=record.total("unknown"),
        unfinished=_is_unfinished(record),
    )


#: The runs of the default workspace.
runs = Runs()
