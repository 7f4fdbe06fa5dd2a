"""Delete expired data: unused snapshots, spools of finished runs, and keys of rejected profiles.

Hashes and keys are personal data. Data that a saved export, an audience's ledger, the suppression segment, a dynamic
segment or an unfinished run depends on is kept, no matter how old it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated

from ci_magics.activation.segments.dependents import made_of
from ci_magics.activation.segments.early_snapshots import rewrite_early_snapshots
from ci_magics.activation.segments.versions import sweep_versions
from ci_magics.clock import present
from ci_magics.display.numbers import pluralize
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.orphans import REJECTED, sweep, unknown_files
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

REJECTED_DAYS = 30

#: Younger files may be in use: a file that is being written looks like one that a crash left behind, and an interrupted
#: reading of Customer Insights can be resumed for a day.
_STRAY = timedelta(days=1)


@dataclass(frozen=True)
class Purged:
    """What was deleted, in files; with ``dry_run``, what would be.

    Parameters
    ----------
    snapshots
        Snapshots of segments that were unused for too long.
    spools
        Spool files of finished runs.
    rejected
        Tables with the keys of rejected profiles.
    strays
        Files that crashes left behind.
    days
        How many days unused snapshots and earlier versions are kept.
    dry_run
        Whether nothing was deleted.
    versions
        Earlier versions of segments; they can no longer be restored.
    """

    snapshots: int
    spools: int
    rejected: int
    strays: int
    days: int
    dry_run: bool
    versions: int = 0

    def document(self) -> dict[str, int | bool]:
        """Return it as a JSON document."""
        return asdict(self)

    def __repr__(self) -> str:
        done = "Would remove" if self.dry_run else "Removed"
        return (
            f"{done}: {pluralize(self.snapshots, 'snapshot')} of segments unused for "
            f"{pluralize(self.days, 'day')}, {pluralize(self.versions, 'earlier version')} "
            f"of segments, {pluralize(self.spools, 'file')} of finished runs, "
            f"{pluralize(self.rejected, 'table')} of rejected keys, "
            f"{pluralize(self.strays, 'file')} that crashes left behind."
        )


@operation(Verb.PURGE, example="--dry-run")
def purge(
    *,
    dry_run: Annotated[bool, Option("only show what would be removed")] = False,
    now: datetime | None = None,
    workspace: WorkspaceLike | None = None,
) -> Purged:
    """Delete expired data.

    A segment whose snapshot is deleted keeps its definition; the next refresh of a dynamic segment matches it again.

    Parameters
    ----------
    dry_run
        Only count what would be deleted.
    now
        The time to calculate ages from. By default, the current time.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    ArgumentError
        ``CI_MAGICS_RETENTION_DAYS`` is not a number of days.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.PURGE)
    now = now or present()
    days = retention_days()
    snapshots = [(workspace.snapshots, name) for name in _unused_snapshots(workspace, now - timedelta(days=days))]
    spools = [(workspace.spool, name) for name in _spools_of_finished_runs(workspace)]
    rejected = [(workspace.spool, name) for name in _old_rejected(workspace, now)]
    strays = list(unknown_files(workspace, now - _STRAY))
    left_behind = len(workspace.scratch_folders.abandoned(now - _STRAY))
    left_behind += workspace.snapshots.sweep(now - _STRAY, dry_run=True)
    if not dry_run:
        for files, name in [*snapshots, *spools, *rejected, *strays]:
            files.delete(name)
        left_behind = sweep(workspace, now - _STRAY)
        rewrite_early_snapshots(workspace)
    versions = sweep_versions(workspace, now=now, dry_run=dry_run)
    count = len(strays) + left_behind
    purged = Purged(len(snapshots), len(spools), len(rejected), count, days, dry_run, versions)
    if not dry_run:
        counts = {name: value for name, value in purged.document().items() if name != "dry_run"}
        workspace.audit.note(Verb.PURGE, "workspace", **counts)
    return purged


def forget_old(workspace: Workspace, now: datetime) -> None:
    """Delete expired keys of rejected profiles, and the files of runs that finished or never started.

    Each run calls this first.

    Parameters
    ----------
    workspace
        The workspace that stores the files.
    now
        The current time.
    """
    sweep(workspace)
    forget_finished(workspace)
    for name in _old_rejected(workspace, now):
        workspace.spool.delete(name)


def forget_finished(workspace: Workspace) -> None:
    """Delete the files that finished runs have left behind."""
    for name in _spools_of_finished_runs(workspace):
        workspace.spool.delete(name)
    rewrite_early_snapshots(workspace)


def _unused_snapshots(workspace: Workspace, before: datetime) -> list[str]:
    unused = {f"{record.id}.parquet" for record in workspace.segments if not _is_used(workspace, record)}
    return [name for name in workspace.snapshots.names(before=before) if name in unused]


def _is_used(workspace: Workspace, record: SegmentRecord) -> bool:
    return (
        record.suppresses
        or any(export.uses(record.name) for export in workspace.exports)
        or bool(workspace.audiences.where(segment_name=record.name))
        or bool(workspace.pushes.where(segment_name=record.name, finished=False))
        or any(dependent.is_dynamic for dependent in made_of(workspace, record.name))
    )


def _spools_of_finished_runs(workspace: Workspace) -> list[str]:
    names = workspace.spool.names()
    if not names:
        return []
    finished = tuple(f"{push.id}-" for push in workspace.pushes.where(finished=True))
    return [name for name in names if name.startswith(finished)]


def _old_rejected(workspace: Workspace, now: datetime) -> list[str]:
    return workspace.spool.names(REJECTED, before=now - timedelta(days=min(REJECTED_DAYS, retention_days())))
