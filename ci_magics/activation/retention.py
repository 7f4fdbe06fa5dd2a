"""What is kept too long: snapshots that nobody uses, spools of finished runs, keys of refused profiles.

Hashes and keys are personal data. What a saved export, an audience's ledger, the suppression segment, a dynamic segment
or an unfinished run is made of stays, however old it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from ci_magics.activation.segments.dependents import made_of
from ci_magics.activation.segments.early_snapshots import rewrite_early_snapshots
from ci_magics.activation.segments.versions import sweep_versions
from ci_magics.clock import present
from ci_magics.display.numbers import counted_in_words
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.orphans import REJECTED, sweep, unknown_files
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace, open_workspace

REJECTED_DAYS = 30

#: What a crash left behind, and what is being written at this moment, cannot be told apart before. A reading of
#: Customer Insights goes on from where it was for a day as well.
_STRAY = timedelta(days=1)


@dataclass(frozen=True)
class Purged:
    """What was removed, in files; with ``dry_run`` what would be.

    Parameters
    ----------
    snapshots
        Profiles of segments that nobody used for so long.
    spools
        What finished runs had put aside.
    rejected
        Tables of keys of refused profiles.
    strays
        What crashes had left behind.
    days
        How long unused snapshots and earlier versions stay.
    versions
        Earlier versions of segments, which can be brought back no more.
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
            f"{done}: {counted_in_words(self.snapshots, 'snapshot')} of segments unused for "
            f"{counted_in_words(self.days, 'day')}, {counted_in_words(self.versions, 'earlier version')} "
            f"of segments, {counted_in_words(self.spools, 'file')} of finished runs, "
            f"{counted_in_words(self.rejected, 'table')} of rejected keys, "
            f"{counted_in_words(self.strays, 'file')} that crashes left behind."
        )


def purge(*, dry_run: bool = False, now: datetime | None = None, workspace: Workspace | None = None) -> Purged:
    """Remove what is kept too long.

    A segment whose snapshot is removed keeps its definition: a dynamic one is matched again by its next refresh.

    Parameters
    ----------
    dry_run
        Only say what would be removed.
    now
        The moment to reckon from; this one unless given.
    workspace
        Where; the default one unless given.

    Raises
    ------
    AccessError
        The current user is no administrator.
    ArgumentError
        ``CI_MAGICS_RETENTION_DAYS`` is not a number of days.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.PURGE)
    now = now or present()
    days = retention_days()
    snapshots = [(workspace.snapshots, name) for name in _unused_snapshots(workspace, now - timedelta(days=days))]
    spools = [(workspace.spool, name) for name in _spooled_by_finished(workspace)]
    rejected = [(workspace.spool, name) for name in _old_rejected(workspace, now)]
    strays = list(unknown_files(workspace, now - _STRAY))
    left_behind = len(workspace.rooms.left_behind(now - _STRAY))
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
    """Delete old keys of refused profiles, and what runs have left behind that finished or never began.

    Each run begins so.
    """
    sweep(workspace)
    forget_finished(workspace)
    for name in _old_rejected(workspace, now):
        workspace.spool.delete(name)


def forget_finished(workspace: Workspace) -> None:
    """Delete what finished runs have left behind."""
    for name in _spooled_by_finished(workspace):
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


def _spooled_by_finished(workspace: Workspace) -> list[str]:
    names = workspace.spool.names()
    if not names:
        return []
    finished = tuple(f"{push.id}-" for push in workspace.pushes.where(finished=True))
    return [name for name in names if name.startswith(finished)]


def _old_rejected(workspace: Workspace, now: datetime) -> list[str]:
    return workspace.spool.names(REJECTED, before=now - timedelta(days=min(REJECTED_DAYS, retention_days())))
