"""``ci.exports``: the saved exports of a workspace."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Unpack, overload

from ci_magics.activation.exports import edits, history, saving
from ci_magics.activation.exports.batch import run_exports
from ci_magics.activation.exports.export import save_segments
from ci_magics.activation.exports.history import SHOWN, ExportDetails, ExportHistory, HistoryLine
from ci_magics.activation.exports.listing import ExportList, list_exports
from ci_magics.activation.exports.removal import remove_export
from ci_magics.activation.exports.saved_runs import run_export
from ci_magics.activation.exports.schedule import schedule_of
from ci_magics.activation.exports.schedule_settings import schedule_export
from ci_magics.activation.exports.system_schedule import SystemSchedule, set_system_schedule, system_schedule
from ci_magics.activation.plans.export_options import ExportKeywords
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.clock import Clock, SystemClock
from ci_magics.display.output import announce
from ci_magics.grammar.keywords import takes
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import AT, CONNECTION, EXPORT_NAME, LAST, NEW_NAME, SEGMENT, TIME_ZONE, WEEKLY
from ci_magics.operations.collection import Collection
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


class Exports(Collection[Export]):
    """The saved exports of a workspace: which segments go where, how, and when.

    Examples
    --------
    >>> ci.exports.schedule("Weekly", weekly=["Monday"], at=["06:00"])  # doctest: +SKIP
    >>> ci.exports.run("Weekly")  # doctest: +SKIP
    """

    def _all(self) -> Iterator[Export]:
        yield from self._readable().exports

    def names(self) -> list[str]:
        """Return the names of all saved exports, sorted."""
        return self._readable().exports.names()

    def __getitem__(self, name: str) -> Export:
        """Return a saved export by its name.

        Parameters
        ----------
        name
            The export.

        Raises
        ------
        NotFoundError
            No export has this name; the error suggests the nearest one.
        """
        return self._readable().exports[name]

    def overview(self, *names: str, clock: Clock | None = None) -> ExportList:
        """Return the table of exports: segments, connection, last run, next run, and what prevents a schedule.

        Parameters
        ----------
        names
            Exports to include. Without names, all.
        clock
            Source of the current time; None means the system clock.

        Raises
        ------
        NotFoundError
            One of the exports does not exist.
        """
        return list_exports(self._workspace, names, clock or SystemClock())

    @takes(ExportKeywords)
    @operation(Verb.SAVE_EXPORT, example='Weekly "Big spenders" --to "Contoso EU"')
    def save(
        self,
        name: Annotated[str, Option("name of the export", kind="export")],
        *segments: Annotated[Segment | str, SEGMENT],
        to: Annotated[Connection | str | None, CONNECTION] = None,
        show: Show = announce,
        **options: Unpack[ExportKeywords],
    ) -> Export:
        """Save how to export segments, and send nothing. Replaces an export of the same name and keeps its schedule.

        Parameters
        ----------
        name
            Name of the export.
        segments, to
            As in `ci_magics.export`.
        show
            Called when an export of the same name is replaced, and when a segment is too large for Customer Insights.
        options
            See `ExportKeywords`.

        Raises
        ------
        AccessError
            The current user may not save exports to this connection.
        ArgumentError
            The name or an option is not valid, or there is no segment or no connection.
        """
        return save_segments(self._workspace, name, segments, to, options, show)

    @takes(ExportKeywords, kept=True)
    @operation(Verb.EDIT_EXPORT, example="Weekly --mode add")
    def edit(
        self,
        name: Annotated[str, EXPORT_NAME],
        *,
        segments: Annotated[Sequence[Segment | str], Option("its segments", kind="segment", value="SEGMENT")] = (),
        to: Annotated[Connection | str | None, CONNECTION] = None,
        rename: Annotated[str | None, NEW_NAME] = None,
        without: Annotated[Sequence[str], Option("choice to take back, such as allow-empty", value="CHOICE")] = (),
        **options: Unpack[ExportKeywords],
    ) -> Export:
        """Change the given parts of a saved export; the rest stays the same.

        Parameters
        ----------
        name
            Export to change.
        segments
            Segments that replace the current ones. Empty keeps them.
        to
            New connection. It also reattaches a detached export.
        rename
            New name.
        without
            Options to reset to their defaults, such as ``allow_empty``.
        options
            See `ExportKeywords`.

        Raises
        ------
        NotFoundError
            The export, a segment, or the connection does not exist.
        ArgumentError
            An option is not valid.
        """
        return edits.edit_export(
            self._workspace, name, options, segments=segments, to=to, rename=rename, without=without
        )

    @overload
    def run(
        self, name: str, /, *, progress: Reporter = silent, show: Show = announce, clock: Clock | None = None
    ) -> Run: ...

    @overload
    def run(
        self,
        name: str,
        other: str,
        /,
        *names: str,
        progress: Reporter = silent,
        show: Show = announce,
        clock: Clock | None = None,
    ) -> ExportHistory: ...

    @operation(Verb.RUN_EXPORT, example="Weekly")
    def run(
        self,
        name: Annotated[str, EXPORT_NAME],
        /,
        *names: Annotated[str, EXPORT_NAME],
        progress: Reporter = silent,
        show: Show = announce,
        clock: Clock | None = None,
    ) -> Run | ExportHistory:
        """Run saved exports now, even if their schedules are off.

        Several exports run in sequence; one that fails does not stop the others.

        Parameters
        ----------
        name
            Export to run.
        names
            More exports to run.
        progress
            Called with the progress of the run; silent by default.
        show
            Called with each message for the user, such as a sign-in code.
        clock
            Source of the current time, and for waits; stopping it stops the run. None means the system clock.

        Returns
        -------
        Run or ExportHistory
            The run of one export. For several, one line for each that ran; an export that is already running elsewhere
            has no line.

        Raises
        ------
        NotFoundError
            The export does not exist.
        ExportRefusedError
            The export has no connection, is already running, or a guard stopped it; nothing was sent.
        """
        workspace, clock = self._workspace, clock or SystemClock()
        if names:
            return run_exports(workspace, [name, *names], progress=progress, show=show, clock=clock)
        return run_export(workspace, name, progress=progress, show=show, clock=clock)

    @operation(Verb.RUN_EXPORT)
    def run_all(
        self, *, progress: Reporter = silent, show: Show = announce, clock: Clock | None = None
    ) -> ExportHistory:
        """Run every export whose schedule is on and that has a connection, in sequence.

        An export that fails does not stop the others.

        Parameters
        ----------
        progress, show, clock
            As in `run`.

        Returns
        -------
        ExportHistory
            One line for each export that ran. An export that is already running elsewhere has no line.
        """
        return run_exports(self._workspace, (), progress=progress, show=show, clock=clock or SystemClock())

    @operation(Verb.SCHEDULE_EXPORT, example="Weekly --weekly Monday --at 06:00")
    def schedule(
        self,
        *names: Annotated[str, EXPORT_NAME],
        at: Annotated[Sequence[str | dt.time], AT] = (),
        weekly: Annotated[Sequence[str], WEEKLY] = (),
        time_zone: Annotated[str | None, TIME_ZONE] = None,
        follow_system: Annotated[bool, Option("follow the system refresh instead")] = False,
        active: Annotated[bool | None, Option("turn it on; it can be run either way")] = None,
        keep: Annotated[bool | None, Option("exports that have their own schedule keep it")] = None,
        clock: Clock | None = None,
        show: Show = announce,
    ) -> list[Export]:
        """Set the schedules of exports, let exports follow the system refresh, or turn their schedules on or off.

        Scheduled times before the change no longer count: a change never triggers an overdue run.

        Parameters
        ----------
        names
            Exports to change.
        at
            Times of day for their own schedule, one to four, such as ``06:30``.
        weekly
            Days of the week; empty for every day.
        time_zone
            Time zone such as ``Europe/Amsterdam``. None uses the time zone of this machine.
        follow_system
            Let the exports follow the system refresh instead of their own schedule.
        active
            Turn the schedules on or off. None turns on a schedule that you set here and leaves others unchanged.
        keep
            If several exports are named and some have their own schedule: True keeps those schedules, False replaces
            them.
        clock
            Source of the current time; None means the system clock.
        show
            Called with each message about what prevents a schedule from running.

        Raises
        ------
        ArgumentError
            No change is given; two options exclude each other; or some of several exports have their own schedule and
            ``keep`` is not given.
        """
        return schedule_export(
            self._workspace,
            names,
            schedule_of(at, weekly, time_zone),
            follow_system=follow_system,
            active=active,
            keep=keep,
            clock=clock or SystemClock(),
            show=show,
        )

    @operation(Verb.SET_SYSTEM_SCHEDULE, example="--at 05:00")
    def system_schedule(
        self,
        *,
        at: Annotated[Sequence[str | dt.time], AT] = (),
        weekly: Annotated[Sequence[str], WEEKLY] = (),
        time_zone: Annotated[str | None, TIME_ZONE] = None,
        active: Annotated[bool | None, Option("turn the system refresh on")] = None,
        clock: Clock | None = None,
        show: Show = announce,
    ) -> SystemSchedule:
        """Return the schedule of the system refresh, after changing it if anything is given.

        Parameters
        ----------
        at, weekly, time_zone
            As in `schedule`. Without these, the schedule stays the same.
        active
            Turn the schedule on or off. None turns on a schedule that you set here.
        clock, show
            As in `schedule`.

        Raises
        ------
        AccessError
            It is to be changed, and the current user is not an administrator.
        """
        workspace = self._workspace
        if not (at or weekly or time_zone) and active is None:
            return system_schedule(workspace)
        schedule = schedule_of(at, weekly, time_zone)
        return set_system_schedule(
            workspace, schedule, active=active is not False, clock=clock or SystemClock(), show=show
        )

    @operation(Verb.DUPLICATE_EXPORT, example='Weekly "Weekly too"')
    def duplicate(self, name: Annotated[str, EXPORT_NAME], to: Annotated[str, NEW_NAME]) -> Export:
        """Copy an export, including its schedule, under another name.

        Parameters
        ----------
        name
            Export to copy.
        to
            Name of the copy.

        Raises
        ------
        NotFoundError
            The export does not exist.
        ArgumentError
            The new name is not valid or is taken.
        """
        return saving.duplicate_export(self._workspace, name, to)

    @operation(Verb.DETACH_EXPORT, example="Weekly")
    def detach(self, *names: Annotated[str, EXPORT_NAME]) -> list[Export]:
        """Remove the connection from exports. They keep their configuration but do not run until they get another one.

        Parameters
        ----------
        names
            Exports to detach.
        """
        return saving.detach_export(self._workspace, names)

    @operation(Verb.REMOVE_EXPORT, example="Weekly")
    def remove(
        self,
        *names: Annotated[str, EXPORT_NAME],
        keep_ledger: Annotated[bool, Option("keep what was sent, to go on without a saved export")] = False,
    ) -> list[str]:
        """Remove saved exports. Their audiences keep their members; the run history stays.

        Also erases the ledgers of audiences that no other export fills, because the hashes in them are personal data.
        To mirror such an audience later, fill it once with the mode ``replace``.

        Parameters
        ----------
        names
            Exports to remove.
        keep_ledger
            Keep the ledgers, so that you can keep updating the audiences without a saved export.

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
        return remove_export(self._workspace, names, keep_ledger=keep_ledger)

    @operation(Verb.LIST_EXPORTS, example="Weekly --last 5", changes=False)
    def history(
        self,
        *names: Annotated[str, EXPORT_NAME],
        status: Annotated[str | None, Option("only runs with this status", value="STATUS")] = None,
        since: Annotated[
            dt.datetime | None, Option("only runs since this day, such as 2026-11-01", value="DAY")
        ] = None,
        last: Annotated[int, LAST] = SHOWN,
    ) -> ExportHistory:
        """Return the last runs of saved exports, including exports that were removed.

        Parameters
        ----------
        names
            Exports to include. Without names, all.
        status
            Include only runs with this status (case-insensitive). None includes all.
        since
            Include only runs that started at this time or later.
        last
            Maximum number of runs.

        Raises
        ------
        ArgumentError
            The status does not exist.
        NotFoundError
            No export ever had one of the names.
        """
        return history.export_history(self._workspace, names, status=status, since=since, last=last)

    @operation(Verb.LIST_EXPORTS, changes=False)
    def run_details(
        self, run: Annotated[str, Option("one run, audience by audience", kind="run")]
    ) -> Run | HistoryLine:
        """Return the result of one run of a saved export for each audience, or its history line if nothing was sent.

        Parameters
        ----------
        run
            Run id, or the beginning of it.

        Raises
        ------
        NotFoundError
            No run matches, or several do.
        """
        return history.export_run_details(self._workspace, run)

    @operation(Verb.LIST_EXPORTS, example="Weekly", changes=False)
    def show(self, name: Annotated[str, EXPORT_NAME], *, last: Annotated[int, LAST] = SHOWN) -> ExportDetails:
        """Return the configuration and the last runs of an export.

        Parameters
        ----------
        name
            Export to show.
        last
            Maximum number of runs.

        Raises
        ------
        NotFoundError
            The export does not exist.
        """
        return history.show_export(self._workspace, name, last)

    def _overview(self) -> ExportList:
        return self.overview()

    def _readable(self) -> Workspace:
        workspace = self._workspace
        require(workspace, Verb.LIST_EXPORTS)
        return workspace


#: The saved exports of the default workspace.
exports = Exports()
