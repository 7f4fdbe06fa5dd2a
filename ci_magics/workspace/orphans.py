"""Files that no row in the database refers to: drafts, and data of work that never started."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from ci_magics.clock import present
from ci_magics.workspace.files import Files
from ci_magics.workspace.models import AudienceRecord, PushRecord, SegmentRecord, SegmentVersion
from ci_magics.workspace.repository import Repository
from ci_magics.workspace.scratch_folders import ScratchFolders

REJECTED, READING = "rejected-", "reading-"
_DRAFT = "."
_A_DAY = timedelta(days=1)


class FilesAndRows(Protocol):
    """The part of a workspace that is needed here: its files, and the rows that refer to them."""

    scratch_folders: ScratchFolders
    snapshots: Files
    ledgers: Files
    spool: Files
    segments: Repository[SegmentRecord]
    versions: Repository[SegmentVersion]
    audiences: Repository[AudienceRecord]
    pushes: Repository[PushRecord]


def sweep(workspace: FilesAndRows, before: datetime | None = None, *, at_all: bool = False) -> int:
    """Delete what ended processes left behind: scratch folders, drafts, and files without a row.

    Parameters
    ----------
    workspace
        The workspace.
    before
        See `scratch_folders.ScratchFolders.abandoned`.
    at_all
        Also delete entries without a known owner, written by an earlier version, regardless of age.

    Returns
    -------
    int
        How many entries were deleted.
    """
    count = workspace.scratch_folders.sweep(present() + _A_DAY if at_all else before)
    for files in (workspace.snapshots, workspace.ledgers, workspace.spool):
        # List the files before the rows: files created in between are then not in the list.
        names = [each for each in files.names() if not each.startswith((REJECTED, READING))]
        names = _unknown(workspace, files, names) if at_all else names  # to watch only the writers that matter
        left = {*files.abandoned(names, at_all=at_all), *(each for each in names if at_all and each.startswith(_DRAFT))}
        found = _unknown(workspace, files, sorted(left))
        for name in found:
            files.delete(name)
        count += len(found)
    return count + workspace.snapshots.sweep(before or present() - _A_DAY, dry_run=False, at_all=at_all)


def unknown_files(workspace: FilesAndRows, before: datetime) -> Iterator[tuple[Files, str]]:
    """Yield files that no row in the database refers to.

    Parameters
    ----------
    workspace
        The workspace.
    before
        Only files written before this time.
    """
    for files in (workspace.snapshots, workspace.ledgers, workspace.spool):
        names = [each for each in files.names(before=before) if not each.startswith(REJECTED)]
        yield from ((files, name) for name in _unknown(workspace, files, names))


def _unknown(workspace: FilesAndRows, files: Files, names: list[str]) -> list[str]:
    if not names:
        return []
    if files is workspace.snapshots:
        known = tuple(f"{each.id}." for each in [*workspace.segments, *workspace.versions])
    elif files is workspace.ledgers:
        known = tuple(f"{each.id}." for each in workspace.audiences)
    else:
        known = tuple(f"{each.id}-" for each in workspace.pushes)
    return [each for each in names if not each.startswith(known)]
