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
from ci_magics.naming import require_name
from ci_magics.segmentation.key_text import key_text
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace

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
        said = [f"Segment '{self.segment}' fills {audiences}"]
        made_of_it = ", ".join(f"'{name}'" for name in self.segments)
        said += [f"made of it: {made_of_it}"] if made_of_it else []
        said += [f"saved exports: {quoted_list(self.exports)}"] if self.exports else []
        said += ["its people are excluded from every export"] if self.suppresses else []
        said += [f"unfinished runs: {', '.join(self.unfinished_runs)}"] if self.unfinished_runs else []
        return "; ".join(said)


def rename_segment(name: str, new: str, *, workspace: Workspace | None = None) -> SegmentRecord:
    """Rename a segment. The audience that it fills keeps its name and stays linked to it.

    Also changes the name in the rules of other segments and in saved exports.

    Parameters
    ----------
    name
        Current name.
    new
        New name.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        The segment does not exist.
    ArgumentError
        The new name is empty, too long, or taken.
    SegmentError
        The query of another segment reads this one.
    """
    workspace = workspace or open_workspace()
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


def duplicate_segment(name: str, new: str, *, workspace: Workspace | None = None) -> SegmentRecord:
    """Copy a segment under another name.

    Parameters
    ----------
    name
        Segment to copy.
    new
        Name of the copy.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        The segment does not exist.
    ArgumentError
        The new name is empty, too long, or taken.
    """
    workspace = workspace or open_workspace()
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


def delete_segment(name: str, *, workspace: Workspace | None = None) -> Deleted:
    """Delete a segment; audiences stay unchanged. Until the retention period ends, `undo_segment` restores it.

    Parameters
    ----------
    name
        Segment to delete.
    workspace
        Workspace to use; None opens the default one.

    Returns
    -------
    Deleted
        Number of profiles, what used the segment, and until when you can undo the deletion.

    Raises
    ------
    AccessError
        It is the suppression segment, and the current user may not end the suppression.
    NotFoundError
        The segment does not exist.
    SegmentError
        A saved export or an unfinished run needs it, or a dynamic segment depends on it.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.DELETE_SEGMENT)
    record = workspace.segments[name]
    if record.suppresses:
        require(workspace, Verb.SUPPRESS)
    use = segment_usage(name, workspace=workspace)
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
                f"The segment '{dependent.name}' is made of '{name}' whenever it is refreshed.",
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


def activate_segment(name: str, *, active: bool = True, workspace: Workspace | None = None) -> SegmentRecord:
    """Activate or deactivate a segment. An inactive segment is neither refreshed nor exported.

    Parameters
    ----------
    name
        Segment to change.
    active
        False deactivates it.
    workspace
        Workspace to use; None opens the default one.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.CHANGE_SEGMENT)
    record = _changed(workspace, name, active=active)
    workspace.audit.note(Verb.CHANGE_SEGMENT, name, active=active)
    return record


def suppress_segment(name: str | None, *, workspace: Workspace | None = None) -> None:
    """Make a segment the suppression segment: its profiles are excluded from every export. Replaces the current one.

    Parameters
    ----------
    name
        Segment to use; None ends the suppression.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        The segment does not exist.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.SUPPRESS)
    if name is not None:
        workspace.segments[name]  # raises NotFoundError

    def work(database: SqlConnection) -> None:
        for record in workspace.segments.rows_in(database, lock=True):
            if record.suppresses != (record.name == name):
                workspace.segments.put_in(database, replace(record, suppresses=record.name == name))

    workspace.change(work)
    workspace.audit.note(Verb.SUPPRESS, name or "nobody")


def end_suppression(name: str, *, workspace: Workspace | None = None) -> None:
    """Stop excluding the profiles of a segment from every export.

    Parameters
    ----------
    name
        The suppression segment.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    NotFoundError
        The segment does not exist.
    SegmentError
        It is not the suppression segment.
    """
    workspace = workspace or open_workspace()
    if not workspace.segments[name].suppresses:
        raise SegmentError(
            f"The people of '{name}' are not excluded from every export.",
            advise(Do("segments"), " shows which segment is the suppression segment."),
            code="not_suppressing",
        )
    suppress_segment(None, workspace=workspace)


def tag_segment(name: str, tags: Sequence[str], *, workspace: Workspace | None = None) -> SegmentRecord:
    """Replace the tags of a segment.

    Parameters
    ----------
    name
        Segment to tag.
    tags
        New tags, at most 20. Empty removes all.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    ArgumentError
        There are more than 20 tags, or a tag is not valid.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.CHANGE_SEGMENT)
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


def segment_usage(name: str, *, workspace: Workspace | None = None) -> SegmentUse:
    """Return where a segment is used.

    Parameters
    ----------
    name
        The segment.
    workspace
        Workspace to use; None opens the default one.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.LIST_SEGMENTS)
    record = workspace.segments[name]
    audiences = tuple(each.name for each in workspace.audiences.where(segment_name=name))
    runs = (each.run_id[:8] for each in workspace.pushes.where(segment_name=name, finished=False))
    segments = tuple(each.name for each in made_of(workspace, name))
    exports = tuple(each.name for each in workspace.exports if each.uses(name))
    return SegmentUse(name, audiences, segments, exports, tuple(dict.fromkeys(runs)), record.suppresses)


def segment_history(name: str, *, workspace: Workspace | None = None) -> SegmentHistory:
    """Return the number of profiles of a segment at each time it was made or refreshed.

    Parameters
    ----------
    name
        The segment.
    workspace
        Workspace to use; None opens the default one.
    """
    workspace = workspace or open_workspace()
    require(workspace, Verb.LIST_SEGMENTS)
    workspace.segments[name]  # raises NotFoundError
    counts = workspace.counts.where(segment_name=name)
    return SegmentHistory(name, tuple((each.counted_at, each.rows) for each in counts))


def download_keys(name: str, path: str | Path, *, workspace: Workspace | None = None) -> Path:
    """Write the keys of a segment's profiles to a CSV file that only its owner can read.

    A key that looked like an address is stored as its hash, and written as that hash.

    Parameters
    ----------
    name
        The segment.
    path
        File to write; an existing file is overwritten.
    workspace
        Workspace to use; None opens the default one.

    Returns
    -------
    pathlib.Path
        The path of the file.
    """
    workspace = workspace or open_workspace()
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
