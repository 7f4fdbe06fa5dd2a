"""Make segments, keep them in the workspace, and find them again by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ci_magics.activation.algebra import profiles_of_segments, segment_of_segments
from ci_magics.activation.cycles import require_no_cycle
from ci_magics.activation.definitions import Definition, define
from ci_magics.activation.insights_segment import InsightsSegment, refuse_conditions
from ci_magics.activation.keeping import keep_segment
from ci_magics.activation.ruling import circumstances, require_only_a_rule, today
from ci_magics.errors import ArgumentError, NotFoundError, SegmentError
from ci_magics.matching.matched import Matched
from ci_magics.matching.passing import MatchedBefore, PassingHere
from ci_magics.matching.spark import matched_on_spark
from ci_magics.segmentation.columns import quoted
from ci_magics.segmentation.databases import Source
from ci_magics.segmentation.frames import is_spark
from ci_magics.segmentation.rule_condition import RuleCondition
from ci_magics.segmentation.rules import Rule, as_rule
from ci_magics.segmentation.segment import (
    ROW_NUMBER,
    Segment,
    build_segment,
    build_segment_from_rule,
    build_segment_from_sql,
)
from ci_magics.segmentation.sources import is_frame, referenced_tables
from ci_magics.segmentation.spark import SparkProfiles, build_spark_segment
from ci_magics.segmentation.streams import is_path
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.files import Files
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

    files: Files
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
    frame: Any = None,
    *,
    email: str | None = None,
    key: str | None = None,
    where: str | None = None,
    rule: Rule | str | None = None,
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
        pandas, polars, pyarrow, a DuckDB relation, a Spark DataFrame, a path or pattern of CSV or Parquet files, an
        Excel file (with the sheet behind a ``#``), or one SELECT in SQL over ``frames``, files, and earlier segments,
        which have their key as only column. Without a frame, a rule over earlier segments, such as ``big & lapsed``.
        A Spark DataFrame is matched by its executors; only keys and hashes come here, and it needs a key.
        ``ci.insights(NAME).segment(NAME)`` is a segment of Customer Insights, whose members are read in pages.
    email
        The column with the addresses; found by its name when it is the only one named like one.
    key
        The column that identifies a profile; otherwise a unique column with a usual name, else the row number.
    where
        A condition in SQL over the frame's columns: DuckDB's SQL, for a Spark DataFrame too. What should spare Spark
        from reading partitions is better written as a filter of the frame itself.
    rule
        Instead of that a rule, for example ``Country is any of NL, BE and 'Big spenders'``; see `Rule`.
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
    require(workspace, Verb.MAKE_SEGMENT)
    if isinstance(frame, Rule):
        frame, rule = None, frame
    if isinstance(frame, InsightsSegment):
        from ci_magics.activation.insights_keeping import keep_insights

        refuse_conditions(where, rule)
        return keep_insights(workspace, name, frame, email=email, key=key, show=show)
    ruled = None if rule is None else as_rule(rule)
    if database is None:
        require_no_cycle(workspace, name, ruled, frame, frames or {})
    definition = define(
        frame,
        email=email,
        key=key,
        where=where,
        rule=ruled.text if ruled else None,
        frames=frames or {},
        parameters=parameters or {},
        database=database,
    )
    if frame is None:
        if ruled is None:
            raise ArgumentError(
                "A segment needs a frame, or a rule over earlier segments.", "Name one.", code="frame_missing"
            )
        made, schema = segment_of_segments(workspace, name, ruled)
        batches = profiles_of_segments(workspace, ruled, schema)
        return keep_segment(workspace, made, MatchedBefore(schema, batches), definition, show)
    if is_spark(frame):
        on_spark = _on_spark(name, frame, email, key, where, ruled)
        with matched_on_spark(on_spark) as passing:
            return keep_segment(workspace, on_spark.segment, passing, definition, show)
    if ruled is not None:
        given = circumstances(workspace, frame, where, ruled, key)
        profiles = build_segment_from_rule(name, frame, ruled, given, email=email, key=key)
    elif isinstance(frame, str) and not is_path(frame):
        if where is not None:
            raise ArgumentError("A query has its own WHERE.", "Write the condition into the query.", code="where_twice")
        tables = {} if database else {**_earlier_segments(workspace, frame), **(frames or {})}
        profiles = build_segment_from_sql(
            name, frame, frames=tables, parameters=parameters, database=database, email=email, key=key
        )
    else:
        profiles = build_segment(name, frame, email=email, key=key, where=where)
    return keep_segment(workspace, profiles.segment, PassingHere(profiles.rows), definition, show)


def _on_spark(
    name: str, frame: Any, email: str | None, key: str | None, where: str | None, rule: Rule | None
) -> SparkProfiles:
    if rule is None:
        return build_spark_segment(name, frame, email=email, key=key, where=where)
    require_only_a_rule(frame, where)
    return build_spark_segment(name, frame, email=email, key=key, rule=RuleCondition(rule, today()))


def refresh_segment(name: str, *, workspace: Workspace | None = None, show: Callable[[str], None] = print) -> Segment:
    """Evaluate a dynamic segment again.

    Raises
    ------
    NotFoundError
        There is no such segment.
    SegmentError
        It is static, set aside, or what it reads is not there any more.
    """
    workspace = workspace or open_workspace()
    record = workspace.segments[name]
    require(workspace, Verb.REFRESH_SEGMENT)
    if not record.active:
        raise SegmentError(
            f"The segment '{name}' is set aside, so it is not refreshed.",
            f"Use it again with %ci_segment {quoted(name)} --activate.",
            code="segment_inactive",
        )
    if not record.is_dynamic:
        raise SegmentError(
            f"The segment '{name}' is static: {record.definition.get('static_because') or 'it has no definition'}.",
            "Make it again in its notebook, or make it from files, a database or earlier segments.",
            code="segment_static",
        )
    kept = Definition.model_validate(record.definition["source"])
    read_again: Any = kept.source
    if kept.kind == "insights":
        from ci_magics.activation.insights import insights

        source = insights(kept.instance, workspace=workspace, show=show)
        read_again = source.segment(str(kept.source), via=kept.via)
    return segment(
        name,
        read_again,
        email=kept.email,
        key=kept.key,
        where=kept.where,
        rule=kept.rule,
        parameters=kept.parameters,
        database=kept.database,
        workspace=workspace,
        show=show,
    )


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
