"""Earlier versions of segments: stored when a segment is replaced or deleted, listed, restored, and removed in time.

Each segment records the version that it replaced, so its versions form a chain. Undo swaps a segment with its previous
version and stores the undone one, so you can redo it. Versions are removed only when the retention period ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as SqlConnection

from ci_magics.activation.segments.dependents import require_no_cycle_of
from ci_magics.activation.segments.history import note_count
from ci_magics.advice import Do, Placeholder, advise
from ci_magics.clock import present
from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.result_table import Column, ResultList, as_day, as_minute, frame_only
from ci_magics.errors import NotFoundError, SegmentError, not_found, quoted_list
from ci_magics.workspace.access import Verb, may, require
from ci_magics.workspace.models import SegmentRecord, SegmentVersion
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace

REPLACED, REFRESHED, UNDONE, DELETED = "replaced", "refreshed", "undone", "deleted"


@dataclass(frozen=True)
class VersionLine:
    """One line in the list of versions.

    Parameters
    ----------
    id
        Id of the segment record.
    made_at
        When the version was made.
    profiles
        Number of profiles.
    state
        ``current``, ``replaced``, ``refreshed``, ``undone``, or ``deleted``.
    ended_at, ended_by, kept_until
        When that happened, who did it, and until when you can restore the version; None, empty, and None for the
        current one.
    """

    id: str
    made_at: datetime
    profiles: int
    state: str
    ended_at: datetime | None = None
    ended_by: str = ""
    kept_until: datetime | None = None


@dataclass(frozen=True, repr=False)
class SegmentVersions(ResultList[VersionLine]):
    """The stored versions of a segment, newest first.

    Parameters
    ----------
    segment
        Segment name.
    versions
        The versions.
    """

    segment: str
    versions: tuple[VersionLine, ...]

    _columns = (
        *frame_only("id"),
        Column("Made (UTC)", "made_at", as_minute),
        Column("Profiles", "profiles"),
        Column("State", "state"),
        Column("Ended (UTC)", "ended_at", as_minute),
        Column("By", "ended_by"),
        Column("Kept until", "kept_until", as_day),
    )
    _title_html = ""

    @property
    def _rows(self) -> tuple[VersionLine, ...]:
        return self.versions

    @property
    def _title(self) -> str:
        return f"Versions of the segment '{self.segment}'"

    def to_dict(self) -> dict[str, Any]:
        """Return the number of profiles and the state of each version, newest first."""
        return {
            "segment": self.segment,
            "versions": [{"profiles": each.profiles, "state": each.state} for each in self.versions],
        }


@dataclass(frozen=True)
class Deleted(Displayable):
    """Result of deleting a segment.

    Parameters
    ----------
    segment, profiles
        Segment name, and number of its profiles.
    audiences
        Audiences that it filled; they keep their members.
    segments
        Static segments that were made from it; they stay unchanged.
    suppressed
        Whether its profiles were excluded from every export. After the deletion they are not.
    undo_until
        Until when you can restore it.
    """

    segment: str
    profiles: int
    audiences: tuple[str, ...]
    segments: tuple[str, ...]
    suppressed: bool
    undo_until: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return what was deleted and what used it."""
        names = ("segment", "profiles", "audiences", "segments", "suppressed")
        return {name: plain(getattr(self, name)) for name in names}

    def __repr__(self) -> str:
        sentences = [f"Segment '{self.segment}' was deleted: {pluralize(self.profiles, 'profile')}."]
        if self.audiences:
            sentences.append(f"Its audiences keep their members: {quoted_list(self.audiences)}.")
        if self.segments:
            sentences.append(f"Segments that were made from it stay unchanged: {quoted_list(self.segments)}.")
        if self.suppressed:
            sentences.append("Its people are no longer excluded from exports.")
        undo = Do("segments.undo", self.segment)
        return " ".join([*sentences, f"Until {self.undo_until:%Y-%m-%d} you can restore it: {undo}."])


def end_version(workspace: Workspace, database: SqlConnection, record: SegmentRecord, reason: str) -> list[str]:
    """Store a segment as an earlier version, inside the transaction that replaces or deletes it.

    If a refresh replaces a version that a refresh made, only the newest of these is kept. Otherwise daily refreshes
    would fill the disk.

    Parameters
    ----------
    workspace
        Workspace to use.
    database
        Connection with the open transaction.
    record
        Segment that is replaced or deleted.
    reason
        ``replaced``, ``refreshed``, ``undone``, or ``deleted``.

    Returns
    -------
    list of str
        Ids of the snapshots to remove after the transaction.
    """
    dropped = []
    versions = workspace.versions
    ended = SegmentVersion.of(record, reason=reason, by=workspace.user, at=present())
    if reason == REFRESHED and record.previous is not None:
        for older in versions.rows_in(database, id=record.previous):
            if older.reason == REFRESHED:
                versions.remove_in(database, older.id)
                ended = replace(ended, previous=older.previous)
                dropped.append(older.id)
    versions.put_in(database, ended)
    return dropped


def sweep_versions(workspace: Workspace, *, now: datetime | None = None, dry_run: bool = False) -> int:
    """Remove versions whose retention period has ended.

    Parameters
    ----------
    workspace
        Workspace to use.
    now
        Current time, in UTC; None reads the clock.
    dry_run
        Count only, remove nothing.

    Returns
    -------
    int
        Number of these versions.
    """
    before = (now or present()) - timedelta(days=retention_days())
    old = [each for each in workspace.versions if each.ended_at <= before]
    if not dry_run:
        for each in old:
            workspace.versions.remove(each.id)
            workspace.snapshots.remove(each.id)
    return len(old)


def last_deleted(workspace: Workspace, name: str) -> SegmentVersion | None:
    """Return the segment with this name that was deleted last, or None.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Segment name.
    """
    found = workspace.versions.where(segment_name=name, reason=DELETED)
    return found[-1] if found else None


def kept_until(version: SegmentVersion) -> datetime:
    """Return until when a version can be restored."""
    return version.ended_at + timedelta(days=retention_days())


def segment_versions(workspace: Workspace, name: str) -> SegmentVersions:
    """List the stored versions of a segment; see `Segments.versions`."""
    require(workspace, Verb.LIST_SEGMENTS)
    current = workspace.segments.get(name)
    deleted = last_deleted(workspace, name) if current is None else None
    if current is None and deleted is None:
        raise _unknown(workspace, name)
    first = current.id if current else deleted.id if deleted else ""
    before = current.previous if current else deleted.previous if deleted else None
    kept = {each.id: each for each in workspace.versions}
    family = _family(kept, first, before)
    ended = [kept[each] for each in family if each in kept]
    lines = [
        VersionLine(each.id, each.made_at, each.rows, each.reason, each.ended_at, each.ended_by, kept_until(each))
        for each in sorted(ended, key=lambda each: each.ended_at, reverse=True)
    ]
    if current is not None:
        lines.insert(0, VersionLine(current.id, current.created_at, current.rows, "current"))
    return SegmentVersions(name, tuple(lines))


def undo_segment(workspace: Workspace, name: str, show: Callable[[str], None]) -> SegmentRecord:
    """Undo the last replacement of a segment, or restore a deleted segment; see `Segments.undo`."""
    require(workspace, Verb.CHANGE_SEGMENT)
    current = workspace.segments.get(name)
    if current is None:
        return _restore_deleted(workspace, name, show)
    version = _earlier(workspace, current)
    if version is None:
        raise _no_version(workspace, name, "earlier")
    return _exchange(workspace, current, version, UNDONE, show)


def redo_segment(workspace: Workspace, name: str, show: Callable[[str], None]) -> SegmentRecord:
    """Restore the version of a segment that was undone last; see `Segments.redo`."""
    require(workspace, Verb.CHANGE_SEGMENT)
    current = workspace.segments.get(name)
    if current is None:
        raise _unknown(workspace, name)
    version = _undone(workspace, current)
    if version is None:
        raise _no_version(workspace, name, "undone")
    return _exchange(workspace, current, version, REPLACED, show)


def can_undo(workspace: Workspace, name: str) -> bool:
    """Return whether an earlier version of a segment, or a deleted segment of this name, is stored.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Segment name.
    """
    current = workspace.segments.get(name)
    return (last_deleted(workspace, name) if current is None else _earlier(workspace, current)) is not None


def can_redo(workspace: Workspace, name: str) -> bool:
    """Return whether an undone version of a segment is stored.

    Parameters
    ----------
    workspace
        Workspace to use.
    name
        Segment name.
    """
    current = workspace.segments.get(name)
    return current is not None and _undone(workspace, current) is not None


def _earlier(workspace: Workspace, current: SegmentRecord) -> SegmentVersion | None:
    """Return the version that a segment replaced, or None if it is not stored."""
    return next(iter(workspace.versions.where(id=current.previous)), None) if current.previous else None


def _undone(workspace: Workspace, current: SegmentRecord) -> SegmentVersion | None:
    """Return the version that was undone last in favor of this segment, or None."""
    found = workspace.versions.where(previous=current.id, reason=UNDONE)
    return found[-1] if found else None


def _exchange(
    workspace: Workspace, current: SegmentRecord, version: SegmentVersion, reason: str, show: Callable[[str], None]
) -> SegmentRecord:
    """Replace the current segment by a version, which takes over its name, tags, and state."""
    if current.suppresses:
        require(workspace, Verb.SUPPRESS)
    restored = replace(
        version.as_record(),
        name=current.name,
        active=current.active,
        suppresses=current.suppresses,
        tags=current.tags,
    )
    _require_usable(workspace, restored)

    def work(database: SqlConnection) -> None:
        if not workspace.segments.rows_in(database, lock=True, id=current.id):
            raise _concurrent_change(current.name)
        workspace.versions.remove_in(database, version.id)
        workspace.segments.replace_in(database, current.id, restored)
        end_version(workspace, database, current, reason)

    workspace.change(work)
    _note(workspace, restored, undone=reason == UNDONE, version=restored.id)
    excluded = " They are excluded from every export." if restored.suppresses else ""
    back = Do("segments.redo" if reason == UNDONE else "segments.undo", restored.name)
    show(
        f"The segment '{restored.name}' has {pluralize(restored.rows, 'profile')} again, "
        f"{format_count(current.rows)} before."
        f"{excluded} Go back: {back}."
    )
    return restored


def _restore_deleted(workspace: Workspace, name: str, show: Callable[[str], None]) -> SegmentRecord:
    version = last_deleted(workspace, name)
    if version is None:
        raise _unknown(workspace, name)
    restored = replace(version.as_record(), name=name)
    _require_usable(workspace, restored)
    excluded = ""
    if restored.suppresses:
        still = may(workspace, Verb.SUPPRESS) and not workspace.segments.where(suppresses=True)
        restored = replace(restored, suppresses=still)
        excluded = (
            " Its people are excluded from every export again."
            if still
            else " Its people are no longer excluded from exports; an administrator can run "
            f"{Do('segments.suppress', name)}."
        )

    def work(database: SqlConnection) -> None:
        if workspace.segments.rows_in(database, lock=True, name=name):
            raise _concurrent_change(name)
        workspace.versions.remove_in(database, version.id)
        workspace.segments.put_in(database, restored)

    workspace.change(work)
    _note(workspace, restored, undeleted=True)
    show(f"The segment '{name}' is back with {pluralize(restored.rows, 'profile')}.{excluded}")
    return restored


def _require_usable(workspace: Workspace, restored: SegmentRecord) -> None:
    """Check that the profiles of a version are still stored, and that its rule does not lead back to itself."""
    if not workspace.snapshots.exists(restored.id):
        raise SegmentError(
            f"The profiles of that version of '{restored.name}' are no longer stored.",
            "Make the segment again.",
            code="version_gone",
        )
    require_no_cycle_of(workspace, restored)


def _note(workspace: Workspace, record: SegmentRecord, **facts: str | bool) -> None:
    note_count(workspace, record)
    workspace.audit.note(Verb.CHANGE_SEGMENT, record.name, profiles=record.rows, **facts)


def _family(kept: dict[str, SegmentVersion], first: str, before: str | None) -> set[str]:
    """Return the ids of all versions that are linked to a segment by a chain of replacements."""
    family = {first} | ({before} if before else set())
    while True:  # follow the links in both directions until no new version is found
        joined = {each.id for each in kept.values() if each.previous in family}
        joined |= {str(kept[each].previous) for each in family if each in kept and kept[each].previous}
        if joined <= family:
            return family
        family |= joined


def _unknown(workspace: Workspace, name: str) -> NotFoundError:
    deleted = {each.segment_name for each in workspace.versions.where(reason=DELETED)}
    return not_found("segment", name, {*workspace.segments.names(), *deleted}, advise(Do("segments"), " lists them."))


def _no_version(workspace: Workspace, name: str, which: str) -> SegmentError:
    if which == "earlier" and last_deleted(workspace, name) is not None:
        return SegmentError(
            f"The segment '{name}' has no earlier version, but another one of this name was deleted.",
            advise(
                "To bring that one back, first give this one another name: ",
                Do("segments.rename", name, Placeholder("NEW")),
                ".",
            ),
            code="no_version",
        )
    return SegmentError(
        f"No {which} version of the segment '{name}' is stored.",
        advise(
            "See the stored versions: ",
            Do("segments.versions", name),
            f". Versions stay for {pluralize(retention_days(), 'day')}.",
        ),
        code="no_version",
    )


def _concurrent_change(name: str) -> SegmentError:
    return SegmentError(
        f"The segment '{name}' was changed elsewhere at this moment.", "Try again.", code="changed_meanwhile"
    )
