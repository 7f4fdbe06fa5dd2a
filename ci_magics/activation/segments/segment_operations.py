"""Operations on segments: rename, duplicate, delete, deactivate, suppress, tag, show history, download keys."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as SqlConnection

from ci_magics.activation.segments.dependents import follow, made_of
from ci_magics.activation.segments.history import SegmentHistory, note_count
from ci_magics.activation.segments.versions import DELETED, Deleted, end_version, kept_until, last_deleted
from ci_magics.advice import Do, advise
from ci_magics.clock import present
from ci_magics.display.displayable import Displayable
from ci_magics.errors import ArgumentError, SegmentError, quoted_list
from ci_magics.naming import require_name, require_text
from ci_magics.segmentation.key_text import key_text
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

MOST_TAGS = 20  # as in Customer Insights


@dataclass(frozen=True)
class SegmentUse(Displayable):
    """Where a segment is used.

    Parameters
    ----------
    segment
        Segment name.
    audiences
        Audiences that were filled from it.
    segments
        Segments that depend on it.
    exports
        Saved exports that send or exclude it.
    unfinished_runs
        Ids of unfinished runs that need it.
    suppresses
        Whether its profiles are excluded from every export.
    """

    segment: str
    audiences: tuple[str, ...]
    segments: tuple[str, ...]
    exports: tuple[str, ...]
    unfinished_runs: tuple[str, ...]
    suppresses: bool

    def __repr__(self) -> str:
        audiences = ", ".join(f"'{name}'" for name in self.audiences) or "no audience"
        parts = [f"Segment '{self.segment}' fills {audiences}"]
        dependents = ", ".join(f"'{name}'" for name in self.segments)
        parts += [f"segments made from it: {dependents}"] if dependents else []
        parts += [f"saved exports: {quoted_list(self.exports)}"] if self.exports else []
        parts += ["its people are excluded from every export"] if self.suppresses else []
        parts += [f"unfinished runs: {', '.join(self.unfinished_runs)}"] if self.unfinished_runs else []
        return "; ".join(parts)


def rename_segment(workspace: Workspace, name: str, new: str) -> SegmentRecord:
    """Rename a segment wherever it is used; see `Segments.rename`."""
    require(workspace, Verb.CHANGE_SEGMENT)
    workspace.segments[name]  # raises NotFoundError
    _require_free(workspace, new)
    dependents = [each.name for each in made_of(workspace, name)]
    (renamed,) = workspace.change(lambda database: _rename(workspace, database, name, new, dependents))
    workspace.audit.note(Verb.CHANGE_SEGMENT, name, renamed=new)
    return renamed


def _rename(
    workspace: Workspace, database: SqlConnection, name: str, new: str, dependents: Sequence[str]
) -> list[SegmentRecord]:
    segments, audiences, counts = workspace.segments, workspace.audiences, workspace.counts
    renamed = [replace(each, name=new) for each in segments.rows_in(database, name=name)]
    for dependent in dependents:
        for each in segments.rows_in(database, name=dependent):
            segments.put_in(database, follow(each, name, new))
    for record in renamed:
        segments.put_in(database, record)
    for audience in audiences.rows_in(database, segment_name=name):
        audiences.put_in(database, replace(audience, segment_name=new))
    for count in counts.rows_in(database, segment_name=name):
        counts.put_in(database, replace(count, segment_name=new))
    for version in workspace.versions.rows_in(database, segment_name=name):
        if version.reason != DELETED:  # deleted versions belong to another segment that had this name
            workspace.versions.put_in(database, replace(version, segment_name=new))
    for export in workspace.exports.rows_in(database):
        if export.uses(name):
            workspace.exports.put_in(database, export.with_renamed_segment(name, new))
    return renamed


def duplicate_segment(workspace: Workspace, name: str, new: str) -> SegmentRecord:
    """Copy a segment under another name."""
    require(workspace, Verb.MAKE_SEGMENT)
    record = workspace.segments[name]
    _require_free(workspace, new)
    copy = replace(record, id=str(uuid.uuid4()), name=new, previous=None, created_by=workspace.user)
    copy = replace(copy, created_at=present())
    workspace.snapshots.link(copy.id, workspace.snapshots, record.id)
    workspace.segments.put(copy)
    note_count(workspace, copy)
    workspace.audit.note(Verb.MAKE_SEGMENT, new, profiles=copy.rows, duplicated=name)
    return copy


def delete_segment(workspace: Workspace, name: str) -> Deleted:
    """Delete a segment that nothing needs; see `Segments.delete`."""
    require(workspace, Verb.DELETE_SEGMENT)
    record = workspace.segments[name]
    if record.suppresses:
        require(workspace, Verb.SUPPRESS)
    use = segment_usage(workspace, name)
    if use.unfinished_runs:
        raise SegmentError(
            f"The segment '{name}' is used by a run that was not finished.",
            advise("Finish it first: ", Do("runs.resume", use.unfinished_runs[0]), "."),
            code="segment_in_use",
        )
    if use.exports:
        raise SegmentError(
            f"The segment '{name}' is used by {quoted_list(use.exports)}.",
            advise(
                "Remove it there first: ",
                Do("exports.edit", use.exports[0], without=name),
                ", or ",
                Do("exports.remove", use.exports[0]),
                ".",
            ),
            code="segment_in_use",
        )
    for dependent in made_of(workspace, name):
        if dependent.is_dynamic:
            raise SegmentError(
                f"The segment '{dependent.name}' is made from '{name}' whenever it is refreshed.",
                f"Delete '{dependent.name}' first, or make it of something else.",
                code="segment_in_use",
            )

    def work(database: SqlConnection) -> None:
        workspace.segments.remove_in(database, record.id)
        end_version(workspace, database, record, DELETED)

    workspace.change(work)
    for count in workspace.counts.where(segment_name=name):
        workspace.counts.remove(count.id)
    workspace.audit.note(Verb.DELETE_SEGMENT, name, profiles=record.rows)
    version = last_deleted(workspace, name)
    if version is None:
        raise RuntimeError("a deleted segment has a version")
    return Deleted(name, record.rows, use.audiences, use.segments, record.suppresses, kept_until(version))


def activate_segment(workspace: Workspace, name: str, *, active: bool) -> SegmentRecord:
    """Activate or deactivate a segment; see `Segments.activate` and `Segments.deactivate`."""
    require(workspace, Verb.CHANGE_SEGMENT)
    record = _changed(workspace, name, active=active)
    workspace.audit.note(Verb.CHANGE_SEGMENT, name, active=active)
    return record


def suppress_segment(workspace: Workspace, name: str | None) -> None:
    """Make a segment the suppression segment; None ends the suppression. See `Segments.suppress`."""
    require(workspace, Verb.SUPPRESS)
    if name is not None:
        workspace.segments[name]  # raises NotFoundError

    def work(database: SqlConnection) -> None:
        for record in workspace.segments.rows_in(database, lock=True):
            if record.suppresses != (record.name == name):
                workspace.segments.put_in(database, replace(record, suppresses=record.name == name))

    workspace.change(work)
    workspace.audit.note(Verb.SUPPRESS, name or "nobody")


def end_suppression(workspace: Workspace, name: str) -> None:
    """End the suppression by this segment; see `Segments.end_suppression`."""
    if not workspace.segments[name].suppresses:
        raise SegmentError(
            f"The people of '{name}' are not excluded from every export.",
            advise(Do("segments"), " shows which segment is the suppression segment."),
            code="not_suppressing",
        )
    suppress_segment(workspace, None)


def tag_segment(workspace: Workspace, name: str, tags: Sequence[str]) -> SegmentRecord:
    """Replace the tags of a segment; see `Segments.tag`."""
    require(workspace, Verb.CHANGE_SEGMENT)
    for tag in tags:
        require_text(tag)
    wanted = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    for tag in wanted:
        require_name(tag, "tag")
    if len(wanted) > MOST_TAGS:
        raise ArgumentError(f"A segment has at most {MOST_TAGS} tags.", "Leave some out.", code="too_many_tags")
    record = _changed(workspace, name, tags=wanted)
    workspace.audit.note(Verb.CHANGE_SEGMENT, name, tags=wanted)
    return record


def _changed(workspace: Workspace, name: str, **changes: Any) -> SegmentRecord:
    """Change the stored version of a segment, even if others changed it in the meantime."""
    changed = workspace.segments.change(lambda record: replace(record, **changes), name=name)
    return changed[0] if changed else workspace.segments[name]


def segment_usage(workspace: Workspace, name: str) -> SegmentUse:
    """Return where a segment is used."""
    require(workspace, Verb.LIST_SEGMENTS)
    record = workspace.segments[name]
    audiences = tuple(each.name for each in workspace.audiences.where(segment_name=name))
    runs = (each.run_id[:8] for each in workspace.pushes.where(segment_name=name, finished=False))
    segments = tuple(each.name for each in made_of(workspace, name))
    exports = tuple(each.name for each in workspace.exports if each.uses(name))
    return SegmentUse(name, audiences, segments, exports, tuple(dict.fromkeys(runs)), record.suppresses)


def segment_history(workspace: Workspace, name: str) -> SegmentHistory:
    """Return the number of profiles of a segment at each time it was made or refreshed."""
    require(workspace, Verb.LIST_SEGMENTS)
    workspace.segments[name]  # raises NotFoundError
    counts = workspace.counts.where(segment_name=name)
    return SegmentHistory(name, tuple((each.counted_at, each.rows) for each in counts))


def download_keys(workspace: Workspace, name: str, path: str | Path) -> Path:
    """Write the keys of a segment's profiles to a CSV file; see `Segments.download`."""
    require(workspace, Verb.DOWNLOAD_KEYS)
    record = workspace.segments[name]
    target = Path(path)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([record.definition["key"]])
        for batch in workspace.snapshots.batches(record.id, ["key"]):
            writer.writerows([key] for key in key_text(batch.column(0)).to_pylist())
    workspace.audit.note(Verb.DOWNLOAD_KEYS, name, profiles=record.rows)
    return target


def _require_free(workspace: Workspace, name: str) -> None:
    require_name(name, "segment")
    if name in workspace.segments:
        raise ArgumentError(
            f"There is a segment '{name}' already.", "Choose another name, or delete that one first.", code="name_taken"
        )
