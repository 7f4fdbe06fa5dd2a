"""``ci.segments``: the segments of a workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from ci_magics.activation.segments import segment_operations, versions
from ci_magics.activation.segments.history import SegmentHistory
from ci_magics.activation.segments.listing import SegmentList, list_segments
from ci_magics.activation.segments.make_segment import refresh_segment
from ci_magics.activation.segments.segment_operations import SegmentUse
from ci_magics.activation.segments.storage import Replacing
from ci_magics.activation.segments.stored_segment import segment_of
from ci_magics.activation.segments.versions import Deleted, SegmentVersions
from ci_magics.display.output import announce
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import (
    ALLOW_EMPTY,
    ALLOW_SHRINK,
    CONSENT_COLUMNS,
    CONSENT_YES,
    ENCODING,
    NEW_NAME,
    SEGMENT_NAME,
)
from ci_magics.naming import several
from ci_magics.operations.collection import Collection
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


class Segments(Collection[Segment]):
    """The segments of a workspace; `ci_magics.segment` makes one.

    Examples
    --------
    >>> ci.segments["Big spenders"] & ci.segments["Lapsed"]  # doctest: +SKIP
    >>> ci.segments.rename("Big spenders", to="Large")  # doctest: +SKIP
    """

    def _all(self) -> Iterator[Segment]:
        yield from map(segment_of, self._readable().segments)

    def names(self) -> list[str]:
        """Return the names of all segments, sorted."""
        return self._readable().segments.names()

    def __getitem__(self, name: str) -> Segment:
        """Return a segment by its name.

        Parameters
        ----------
        name
            The segment.

        Raises
        ------
        NotFoundError
            No segment has this name; the error suggests the nearest one.
        """
        return segment_of(self._readable().segments[name])

    def overview(self, *names: str) -> SegmentList:
        """Return the table of segments: type, state, number of profiles, tags, and what each fills.

        Parameters
        ----------
        names
            Segments to include. Without names, all.

        Raises
        ------
        NotFoundError
            One of the segments does not exist.
        """
        return list_segments(self._workspace, names)

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders" "Large spenders"')
    def rename(self, name: Annotated[str, SEGMENT_NAME], to: Annotated[str, NEW_NAME]) -> Segment:
        """Rename a segment. The audience that it fills keeps its name and stays linked to it.

        Also changes the name in the rules of other segments and in saved exports.

        Parameters
        ----------
        name
            Current name.
        to
            New name.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        ArgumentError
            The new name is empty, too long, or taken.
        SegmentError
            The query of another segment reads this one.
        """
        return segment_of(segment_operations.rename_segment(self._workspace, name, to))

    @operation(Verb.MAKE_SEGMENT, example='"Big spenders" "Copy of it"')
    def duplicate(self, name: Annotated[str, SEGMENT_NAME], to: Annotated[str, NEW_NAME]) -> Segment:
        """Copy a segment under another name.

        Parameters
        ----------
        name
            Segment to copy.
        to
            Name of the copy.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        ArgumentError
            The new name is empty, too long, or taken.
        """
        return segment_of(segment_operations.duplicate_segment(self._workspace, name, to))

    @operation(Verb.DELETE_SEGMENT, example='"Big spenders"')
    def delete(self, name: Annotated[str, SEGMENT_NAME]) -> Deleted:
        """Delete a segment; audiences stay unchanged. Until the retention period ends, `undo` restores it.

        Parameters
        ----------
        name
            Segment to delete.

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
        return segment_operations.delete_segment(self._workspace, name)

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders" spring weekly')
    def tag(
        self,
        name: Annotated[str, SEGMENT_NAME],
        *tags: Annotated[str, Option("tags in place of those it had", value="TAG")],
    ) -> Segment:
        """Replace the tags of a segment.

        Parameters
        ----------
        name
            Segment to tag.
        tags
            New tags, at most 20. Without tags, all are removed.

        Raises
        ------
        ArgumentError
            There are more than 20 tags, or a tag is not valid.
        """
        return segment_of(segment_operations.tag_segment(self._workspace, name, tags))

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders"')
    def activate(self, name: Annotated[str, SEGMENT_NAME]) -> Segment:
        """Activate a segment, so that it is refreshed and exported again.

        Parameters
        ----------
        name
            Segment to activate.
        """
        return segment_of(segment_operations.activate_segment(self._workspace, name, active=True))

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders"')
    def deactivate(self, name: Annotated[str, SEGMENT_NAME]) -> Segment:
        """Deactivate a segment: it is neither refreshed nor exported until you activate it again.

        Parameters
        ----------
        name
            Segment to deactivate.
        """
        return segment_of(segment_operations.activate_segment(self._workspace, name, active=False))

    @operation(Verb.SUPPRESS, example='"Opted out"')
    def suppress(self, name: Annotated[str, SEGMENT_NAME]) -> Segment:
        """Exclude the profiles of a segment from every export. It replaces the current suppression segment.

        Parameters
        ----------
        name
            Segment to use.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        """
        segment_operations.suppress_segment(self._workspace, name)
        return self[name]

    @operation(Verb.SUPPRESS, example='"Opted out"')
    def end_suppression(self, name: Annotated[str, SEGMENT_NAME]) -> Segment:
        """Stop excluding the profiles of a segment from every export.

        Parameters
        ----------
        name
            The suppression segment.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        SegmentError
            It is not the suppression segment.
        """
        segment_operations.end_suppression(self._workspace, name)
        return self[name]

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders"')
    def undo(self, name: Annotated[str, SEGMENT_NAME], *, show: Show = announce) -> Segment:
        """Undo the last replacement of a segment, or restore a deleted segment.

        Each call goes back one more version; `redo` goes forward again. Audiences change with the next export.

        Parameters
        ----------
        name
            The segment.
        show
            Called with a message about what was done.

        Raises
        ------
        NotFoundError
            The segment does not exist and was not deleted within the retention period.
        SegmentError
            No earlier version is stored, or the restored version would depend on itself.
        """
        return segment_of(versions.undo_segment(self._workspace, name, show))

    @operation(Verb.CHANGE_SEGMENT, example='"Big spenders"')
    def redo(self, name: Annotated[str, SEGMENT_NAME], *, show: Show = announce) -> Segment:
        """Restore the version of a segment that was undone last.

        Parameters
        ----------
        name
            The segment.
        show
            Called with a message about what was done.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        SegmentError
            No undone version is stored, or the restored version would depend on itself.
        """
        return segment_of(versions.redo_segment(self._workspace, name, show))

    @operation(Verb.LIST_SEGMENTS, example='"Big spenders"', changes=False)
    def versions(self, name: Annotated[str, SEGMENT_NAME]) -> SegmentVersions:
        """Return the stored versions of a segment: the current one, earlier ones, and undone ones.

        Parameters
        ----------
        name
            Segment name; also of a deleted segment.

        Raises
        ------
        NotFoundError
            The segment does not exist and was not deleted within the retention period.
        """
        return versions.segment_versions(self._workspace, name)

    @operation(Verb.LIST_SEGMENTS, example='"Big spenders"', changes=False)
    def history(self, name: Annotated[str, SEGMENT_NAME]) -> SegmentHistory:
        """Return the number of profiles of a segment at each time it was made or refreshed.

        Parameters
        ----------
        name
            The segment.
        """
        return segment_operations.segment_history(self._workspace, name)

    @operation(Verb.LIST_SEGMENTS, example='"Big spenders"', changes=False)
    def usage(self, name: Annotated[str, SEGMENT_NAME]) -> SegmentUse:
        """Return where a segment is used: audiences, other segments, saved exports, and unfinished runs.

        Parameters
        ----------
        name
            The segment.
        """
        return segment_operations.segment_usage(self._workspace, name)

    @operation(Verb.REFRESH_SEGMENT, example='"Big spenders" --allow-shrink')
    def refresh(
        self,
        name: Annotated[str, SEGMENT_NAME],
        *,
        allow_empty: Annotated[bool, ALLOW_EMPTY] = False,
        allow_shrink: Annotated[bool, ALLOW_SHRINK] = False,
        encoding: Annotated[str | None, ENCODING] = None,
        consent: Annotated[str | Sequence[str] | None, CONSENT_COLUMNS] = None,
        consent_yes: Annotated[str | Sequence[str] | None, CONSENT_YES] = None,
        show: Show = announce,
    ) -> Segment:
        """Evaluate a dynamic segment again.

        Parameters
        ----------
        name
            Segment to refresh.
        allow_empty
            Continue even if the segment becomes empty.
        allow_shrink
            Continue even if the segment loses more than half of its profiles.
        encoding
            Encoding of its text files, such as ``cp1252``; replaces the one in its definition.
        consent
            Columns that say who agreed or refused; replace those in its definition.
        consent_yes
            Values that mean yes and that ci-magics does not recognize; replace those in its definition.
        show
            Called with a message when its profiles changed.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        SegmentError
            The segment is static or inactive, its source no longer exists, or it would lose more than half of its
            profiles.
        """
        replacing = Replacing(refreshing=True, allow_empty=allow_empty, allow_shrink=allow_shrink)
        changes = {"encoding": encoding, "consent": several(consent), "consent_yes": several(consent_yes)}
        return refresh_segment(self._workspace, name, replacing, changes, show)

    @operation(Verb.DOWNLOAD_KEYS, example='"Big spenders" keys.csv')
    def download(
        self,
        name: Annotated[str, SEGMENT_NAME],
        path: Annotated[str | Path, Option("CSV file to write", kind="file", value="FILE")],
    ) -> Path:
        """Write the keys of a segment's profiles to a CSV file that only its owner can read.

        A key that looked like an address is stored as its hash, and written as that hash.

        Parameters
        ----------
        name
            The segment.
        path
            File to write; an existing file is overwritten.

        Returns
        -------
        pathlib.Path
            The path of the file.
        """
        return segment_operations.download_keys(self._workspace, name, path)

    def _overview(self) -> SegmentList:
        return self.overview()

    def _readable(self) -> Workspace:
        workspace = self._workspace
        require(workspace, Verb.LIST_SEGMENTS)
        return workspace


#: The segments of the default workspace.
segments = Segments()
