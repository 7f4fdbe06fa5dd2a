"""Stored segments: look them up by name, and read their matched profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ci_magics.activation.segments.consents import consent_of, early_consent_reading, state_batches
from ci_magics.activation.segments.early_snapshots import without_raw_consents
from ci_magics.advice import NAME, Do, Placeholder, advise
from ci_magics.discreet import discreet_methods
from ci_magics.errors import AccessError, ArgumentError, NotFoundError
from ci_magics.matching.matched import Matched
from ci_magics.quoting import magic_word
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.segment import Segment
from ci_magics.segmentation.sources.queries import is_frame
from ci_magics.workspace.files import Files
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace


@discreet_methods
@dataclass(frozen=True)
class StoredProfiles:
    """Matched profiles in the workspace, read in batches.

    Parameters
    ----------
    files, name
        Store, and id of the segment in it.
    rows
        Number of profiles, including those that ``keep`` filters out.
    keep
        Column name, and a function that returns a mask of the profiles to keep for the values of this column. None
        keeps all.
    reading
        How to read consent states from an early snapshot, which holds the consent columns.
    """

    files: Files
    name: str
    rows: int
    keep: tuple[str, Callable[[pa.Array], pa.Array]] | None = None
    reading: ConsentReading | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of the kept profiles. Columns that an older segment lacks are left out."""
        if self.keep is None:
            yield from self._read(columns)
            return
        column, is_kept = self.keep
        for batch in self._read(list(dict.fromkeys([*columns, column]))):
            kept = batch.filter(is_kept(batch.column(column)))
            yield kept.select([each for each in columns if each in kept.schema.names])

    def _read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return state_batches(self.files, self.name, self.reading, columns)


@dataclass(frozen=True)
class HiddenProfiles:
    """Profiles that the database does not show to the current user.

    Parameters
    ----------
    rows
        Number of profiles.
    """

    rows: int

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Raise an error instead of returning profiles.

        Raises
        ------
        AccessError
            The current user is a viewer.
        """
        del columns
        raise _hidden()


@dataclass(frozen=True)
class StoredSegment:
    """A segment in the workspace, with its matched profiles."""

    record: SegmentRecord
    matched: Matched

    @property
    def is_hidden(self) -> bool:
        """Whether the current user can read only its counts."""
        return isinstance(self.matched.profiles, HiddenProfiles)

    @property
    def profiles(self) -> StoredProfiles:
        """The profiles in the workspace; raises an `AccessError` for viewers if the database hides them."""
        if not isinstance(self.matched.profiles, StoredProfiles):
            raise _hidden()
        return self.matched.profiles


def _hidden() -> AccessError:
    return AccessError(
        "Viewers read counts of a segment, not its keys and hashes.",
        "Ask a contributor, or an administrator for that role.",
        code="keys_hidden",
    )


def segment_of(record: SegmentRecord) -> Segment:
    """Return a stored segment as users see it.

    Parameters
    ----------
    record
        The segment as the workspace stores it.
    """
    made = record.definition
    return Segment(
        id=record.id,
        name=record.name,
        rows=record.rows,
        email=made["email"],
        key=made["key"],
        where=made["where"],
        columns=(),
        consent=consent_of(record),
        rule=made["rule"],
        tags=record.tags,
        active=record.active,
        suppresses=record.suppresses,
    )


def stored_segment(workspace: Workspace, wanted: Segment | str) -> StoredSegment:
    """Return a stored segment by its name, or for a `Segment`.

    Parameters
    ----------
    workspace
        Workspace to use.
    wanted
        Segment or its name.

    Raises
    ------
    ArgumentError
        It is not a segment but, for example, a frame.
    NotFoundError
        No segment has this name, or the given one has been replaced.
    """
    if isinstance(wanted, str):
        record = workspace.segments[wanted]
    elif isinstance(wanted, Segment):
        record = _same(workspace, wanted)
    else:
        what = "a DataFrame" if is_frame(wanted) else f"a {type(wanted).__name__}"
        raise ArgumentError(
            f"This is {what}, not a segment.",
            "Give segments one by one; to do that with a list, write * before it."
            if isinstance(wanted, list | tuple | set)
            else advise("Make it a segment first: ", Do("segment", NAME, Placeholder("df")), "."),
            code="not_a_segment",
        )
    return stored_record(workspace, record)


def stored_record(workspace: Workspace, record: SegmentRecord) -> StoredSegment:
    """Return a segment with its profiles, or only its counts if the database hides keys from the current user.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The segment.
    """
    if not workspace.may_read_keys:
        return StoredSegment(record, Matched(HiddenProfiles(record.rows), record.domains, record.examples))
    record = without_raw_consents(workspace, record)
    rows, reading = workspace.snapshots.rows(record.id), early_consent_reading(workspace, record)
    profiles = StoredProfiles(workspace.snapshots, record.id, rows, reading=reading)
    return StoredSegment(record, Matched(profiles, record.domains, record.examples))


def _same(workspace: Workspace, wanted: Segment) -> SegmentRecord:
    record = workspace.segments.get(wanted.name)
    if record is None or record.id != wanted.id:
        raise NotFoundError(
            f"The segment '{wanted.name}' was replaced or deleted.",
            f"Use it by its name: {magic_word(wanted.name)}, or create it again.",
            code="segment_replaced",
        )
    return record
