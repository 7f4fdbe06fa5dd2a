"""Make segments, keep them in the workspace, and find them again by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ci_magics.activation.keeping import keep_matched
from ci_magics.errors import ArgumentError, NotFoundError
from ci_magics.matching.matched import Matched, match_batches, matched_schema
from ci_magics.matching.tally import Tally
from ci_magics.segmentation.columns import quoted
from ci_magics.segmentation.databases import Source
from ci_magics.segmentation.segment import ROW_NUMBER, Profiles, Segment, build_segment, build_segment_from_sql
from ci_magics.segmentation.sources import is_frame, referenced_tables
from ci_magics.segmentation.streams import is_path
from ci_magics.workspace.files import PrivateFiles
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace


@dataclass(frozen=True)
class StoredProfiles:
    """Matched profiles in the workspace, read batch by batch.

    Parameters
    ----------
    files, name
        Where they are.
    rows
        How many there are, those left out counted.
    keep
        Says of a batch which of its profiles count; None for all. The column that it needs.
    """

    files: PrivateFiles
    name: str
    rows: int
    keep: tuple[str, Callable[[pa.Array], pa.Array]] | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return some columns of those that count."""
        if self.keep is None:
            yield from self.files.batches(self.name, columns)
            return
        column, is_kept = self.keep
        for batch in self.files.batches(self.name, [*columns, column]):
            kept = batch.filter(is_kept(batch.column(batch.num_columns - 1)))
            yield kept.select(list(columns))


@dataclass(frozen=True)
class StoredSegment:
    """A segment as the workspace keeps it, with its matched profiles."""

    record: SegmentRecord
    matched: Matched

    @property
    def profiles(self) -> StoredProfiles:
        """The profiles in the workspace."""
        if not isinstance(self.matched.profiles, StoredProfiles):
            raise TypeError("a stored segment has stored profiles")
        return self.matched.profiles


def segment(
    name: str,
    frame: Any,
    *,
    email: str | None = None,
    key: str | None = None,
    where: str | None = None,
    frames: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    database: Source | None = None,
    workspace: Workspace | None = None,
    show: Callable[[str], None] = print,
) -> Segment:
    """Make a segment: a named set of profiles. What is kept are keys and hashes, never an address.

    Parameters
    ----------
    name
        What to call it; its audience gets the same name.
    frame
        pandas, polars, pyarrow, a DuckDB relation, a path or pattern of CSV or Parquet files, an Excel file (with
        the sheet behind a ``#``), or one SELECT in SQL over ``frames``, files, and earlier segments, which have
        their key as only column.
    email
        The column with the addresses; found by its name when it is the only one named like one.
    key
        The column that identifies a profile; otherwise a unique column with a usual name, else the row number.
    where
        A condition in SQL over the frame's columns.
    frames
        Frames by the names that the SQL uses.
    parameters
        Values for ``$name`` in the SQL; bound, never pasted.
    database
        Address or SQLAlchemy engine of the database that runs the SQL, in its own dialect.
    workspace
        Where to keep it; the default one unless given.
    show
        Called with a sentence when a segment of this name is replaced.

    Raises
    ------
    SegmentError
        The frame, a column, the condition or the query cannot be used.
    """
    workspace = workspace or open_workspace()
    if isinstance(frame, str) and not is_path(frame):
        if where is not None:
            raise ArgumentError("A query has its own WHERE.", "Write the condition into the query.", code="where_twice")
        tables = {} if database else {**_earlier_segments(workspace, frame), **(frames or {})}
        profiles = build_segment_from_sql(
            name, frame, frames=tables, parameters=parameters, database=database, email=email, key=key
        )
    else:
        profiles = build_segment(name, frame, email=email, key=key, where=where)
    return _keep(workspace, profiles, show)


def _earlier_segments(workspace: Workspace, sql: str) -> dict[str, pa.Table]:
    """Return the segments that a query reads by their names, each as a table of its keys."""
    tables: dict[str, pa.Table] = {}
    for name in referenced_tables(sql):
        record = workspace.segments.get(name)
        if record is not None and record.definition["key"] != ROW_NUMBER:
            keys = pa.Table.from_batches(workspace.snapshots.batches(record.id, ["key"]))
            tables[name] = keys.rename_columns([record.definition["key"]])
    return tables


def stored_segment(workspace: Workspace, wanted: Segment | str) -> StoredSegment:
    """Return a segment by its name, or the one that a value stands for.

    Raises
    ------
    ArgumentError
        It is a frame: only segments can be exported.
    NotFoundError
        There is none of this name, or it was replaced since.
    """
    if isinstance(wanted, str):
        record = workspace.segments[wanted]
    elif isinstance(wanted, Segment):
        record = _same(workspace, wanted)
    else:
        what = "a DataFrame" if is_frame(wanted) else f"a {type(wanted).__name__}"
        raise ArgumentError(
            f"Only segments can be exported, and this is {what}.",
            "Make it a segment first: %ci_segment NAME df.",
            code="not_a_segment",
        )
    profiles = StoredProfiles(workspace.snapshots, record.id, workspace.snapshots.rows(record.id))
    return StoredSegment(record, Matched(profiles, record.domains, record.examples))


def _same(workspace: Workspace, wanted: Segment) -> SegmentRecord:
    record = workspace.segments.get(wanted.name)
    if record is None or record.id != wanted.id:
        raise NotFoundError(
            f"The segment '{wanted.name}' was replaced or deleted since.",
            f"Use it by its name: {quoted(wanted.name)}, or make it again.",
            code="segment_replaced",
        )
    return record


def _keep(workspace: Workspace, profiles: Profiles, show: Callable[[str], None]) -> Segment:
    """Match the profiles, and keep what comes of it."""
    tally, schema = Tally(), profiles.rows.schema
    batches = match_batches(profiles.rows.read(schema.names), tally)
    return keep_matched(workspace, profiles.segment, matched_schema(schema), batches, tally, show)
