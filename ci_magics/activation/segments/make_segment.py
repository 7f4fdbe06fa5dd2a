"""Make segments, and evaluate them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.segments.builder import build_from_request
from ci_magics.activation.segments.consents import (
    choice_for,
    insights_source,
    remember,
    sources_of,
)
from ci_magics.activation.segments.customer_insights.connect import insights
from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment, refuse_conditions
from ci_magics.activation.segments.customer_insights.storage import keep_insights
from ci_magics.activation.segments.database_secrets import with_secrets
from ci_magics.activation.segments.definitions import Definition, SegmentRequest, define
from ci_magics.activation.segments.dependents import require_no_cycle
from ci_magics.activation.segments.storage import Replacing, keep_segment
from ci_magics.advice import Do, advise
from ci_magics.display.output import announce
from ci_magics.errors import SegmentError
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import ALLOW_EMPTY, ALLOW_SHRINK, CONSENT_COLUMNS, CONSENT_YES, EMAIL, ENCODING, KEY, RULE
from ci_magics.segmentation.consent.document import ConsentChoice, answer, question
from ci_magics.segmentation.near_values import hints_on_condition, hints_on_query, hints_on_rule
from ci_magics.segmentation.parameters import bound
from ci_magics.segmentation.rules.rule import Rule, as_rule
from ci_magics.segmentation.segment import (
    Segment,
)
from ci_magics.segmentation.sources.databases import Source
from ci_magics.segmentation.sources.files import encoded, is_path
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of


@operation(Verb.MAKE_SEGMENT, example='"Big spenders" customers --where "TotalSpend > 500"')
def segment(
    name: Annotated[str, Option("what to call the segment", kind="segment", hint="for example Big spenders")],
    frame: Annotated[Any, Option("variable that holds the frame, or a path of files", kind="frame")] = None,
    *,
    email: Annotated[str | None, EMAIL] = None,
    key: Annotated[str | None, KEY] = None,
    where: Annotated[
        str | None, Option("condition in SQL over the columns; $name is bound", kind="condition", value="SQL")
    ] = None,
    rule: Annotated[Rule | str | None, RULE] = None,
    frames: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    database: Annotated[
        Source | None, Option("address or engine of the database that runs the query", value="URL")
    ] = None,
    static: Annotated[bool, Option("keep a snapshot; a refresh does not evaluate it again")] = False,
    consent: Annotated[str | Sequence[str] | None, CONSENT_COLUMNS] = None,
    consent_yes: Annotated[str | Sequence[str] | None, CONSENT_YES] = None,
    allow_empty: Annotated[bool, ALLOW_EMPTY] = False,
    allow_shrink: Annotated[bool, ALLOW_SHRINK] = False,
    encoding: Annotated[str | None, ENCODING] = None,
    workspace: WorkspaceLike | None = None,
    show: Callable[[str], None] = announce,
    progress: Reporter = silent,
) -> Segment:
    """Make a segment: a named set of profiles. The workspace stores keys and hashes, never an address.

    Parameters
    ----------
    name
        Name of the segment; its audience gets the same name.
    frame
        pandas, polars, pyarrow, a DuckDB relation, a Spark DataFrame, a path or pattern of CSV or Parquet files, an
        Excel file (with the sheet after a ``#``), or one SQL SELECT over ``frames``, files, and stored segments, which
        have their key as their only column. Omit it for a rule over stored segments, such as ``big & lapsed``. Spark
        executors match a Spark DataFrame; only keys and hashes leave Spark, and it needs a key column.
        ``ci.insights(NAME).segment(NAME)`` is a segment of Customer Insights, whose members are read in pages.
    email
        Column with the addresses. None uses the only column with such a name.
    key
        Column that identifies a profile. None uses a unique column with a common name for keys, otherwise the row
        number.
    where
        SQL condition on the frame's columns, in DuckDB's dialect, also for a Spark DataFrame. To let Spark skip
        partitions, filter the DataFrame itself instead.
    rule
        Rule instead of ``where``, such as ``Country is any of NL, BE and 'Big spenders'``; see `Rule`.
    frames
        Frames by the names that the SQL uses.
    parameters
        Values for ``$name`` in the SQL, in ``where``, and in ``rule``. They are bound, never pasted into the text. A
        stored condition or rule contains the values.
    database
        Address, SQLAlchemy engine, or DuckDB connection of the database that runs the SQL, in its own dialect. The
        query must be one SELECT; it runs read-only.
    static
        Store a snapshot, even if the segment could be evaluated again.
    consent
        Columns that say who agreed or refused. None uses the choice remembered for the same source, otherwise columns
        with such headers. After a choice, only those who agreed are sent.
    consent_yes
        Values that mean yes and that ci-magics does not recognize.
    allow_empty, allow_shrink
        Replace the segment of the same name even if it becomes empty, or loses more than half of its profiles.
    encoding
        Encoding of text files, such as ``cp1252``. None detects UTF-8, UTF-16, and Windows-1252 from the whole file,
        and tells you if it is not UTF-8.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with a message when a segment of the same name is replaced, or when no column identifies the profiles.
    progress
        Called with the number of members read from Customer Insights; silent by default.

    Raises
    ------
    SegmentError
        The frame, a column, the condition, or the query is not usable; or a rule or condition would remove more than
        half of the profiles from the segment of the same name.
    ArgumentError
        An encoding was given for a source that is not a file.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.MAKE_SEGMENT)
    wanted = SegmentRequest(
        email=email,
        key=key,
        where=None if where is None else bound(where, parameters or {}),
        rule=None if rule is None else as_rule(rule, parameters),
        frames=frames or {},
        parameters=parameters or {},
        database=database,
        static=static,
        encoding=encoding,
    )
    replacing = Replacing(allow_empty=allow_empty, allow_shrink=allow_shrink)
    return _keep(workspace, name, frame, wanted, (consent, consent_yes), replacing, show, progress)


def _keep(
    workspace: Workspace,
    name: str,
    frame: Any,
    wanted: SegmentRequest,
    asked: tuple[str | Sequence[str] | None, str | Sequence[str] | None],
    replacing: Replacing,
    show: Callable[[str], None],
    progress: Reporter = silent,
) -> Segment:
    if isinstance(frame, Rule):
        frame, wanted = None, replace(wanted, rule=frame)
    if isinstance(frame, InsightsSegment):
        refuse_conditions(wanted.where, wanted.rule)
        there = (insights_source(frame.source.record.name),)
        choice = choice_for(workspace, there, *asked)
        kept = keep_insights(
            workspace,
            name,
            frame,
            email=wanted.email,
            key=wanted.key,
            consent=choice,
            show=show,
            progress=progress,
            replacing=replacing,
        )
        return _with_choice(workspace, kept, there, choice, show)
    sources = sources_of(workspace, frame, wanted.frames, wanted.database)
    choice = choice_for(workspace, sources, *asked)
    wanted = replace(wanted, consent=choice)
    if not isinstance(frame, str) or is_path(frame) or wanted.database is not None:
        frame = encoded(frame, wanted.encoding)  # a query contains the names of its files
    if wanted.database is None:
        require_no_cycle(workspace, name, wanted.rule, frame, wanted.frames)
    definition = define(frame, wanted)
    replacing = replace(replacing, hints=lambda: _hints(frame, wanted))
    with build_from_request(workspace, name, frame, wanted, show) as (built, passing):
        built = replace(built, consent=built.consent.model_copy(update={"sources": sources}))
        kept = keep_segment(workspace, built, passing, definition, show, replacing)
    return _with_choice(workspace, kept, sources, choice, show)


def _hints(frame: Any, wanted: SegmentRequest) -> list[str]:
    """Return what may be wrong with a condition that removes many profiles: values that do not occur, similar ones."""
    if frame is None or wanted.database is not None:
        return []
    if wanted.rule is not None:
        return hints_on_rule(frame, wanted.rule)
    if wanted.where is not None:
        return hints_on_condition(frame, wanted.where)
    is_query = isinstance(frame, str) and not is_path(frame)
    return hints_on_query(frame, wanted.frames, wanted.encoding) if is_query else []


def _with_choice(
    workspace: Workspace, kept: Segment, sources: Sequence[str], choice: ConsentChoice, show: Callable[[str], None]
) -> Segment:
    """Remember the choice of consent columns, and ask about unexplained values."""
    known = kept.consent
    if choice.how == "chosen":
        remember(workspace, sources, ConsentChoice(columns=known.columns, yes=known.yes, how="chosen"))
    if known.asked:
        show(f"{question(known)} {answer(known)}")
    return kept


#: Codes of errors about a text file whose encoding differs from the definition of the segment.
_ENCODING_CODES = ("mixed_encoding", "unknown_encoding", "wrong_encoding")


def refresh_segment(
    workspace: Workspace, name: str, replacing: Replacing, changes: Mapping[str, Any], show: Callable[[str], None]
) -> Segment:
    """Evaluate a dynamic segment again; see `Segments.refresh`.

    The changes replace fields of its definition, unless they are empty.
    """
    record = workspace.segments[name]
    require(workspace, Verb.REFRESH_SEGMENT)
    if not record.active:
        raise SegmentError(
            f"The segment '{name}' is inactive, so it is not refreshed.",
            advise("Use it again: ", Do("segments.activate", name), "."),
            code="segment_inactive",
        )
    if not record.is_dynamic:
        raise SegmentError(
            f"The segment '{name}' is static: {record.definition.get('static_because') or 'it has no definition'}.",
            "Make it again in its notebook, or make it from files, a database or earlier segments.",
            code="segment_static",
        )
    definition = Definition.model_validate(record.definition["source"])
    changed = definition.model_copy(update={field: value for field, value in changes.items() if value})
    try:
        return _recreate(workspace, name, changed, replacing, show)
    except SegmentError as error:
        if error.code in _ENCODING_CODES:
            raise SegmentError(
                f"The segment '{name}' stays as it was: {error.sentence}",
                advise(
                    "Export the file again as UTF-8, or name its encoding, such as cp1252: ",
                    Do("segments.refresh", name, encoding="cp1252"),
                    ".",
                ),
                code=error.code,
            ) from None
        if error.code != "no_file":
            raise
        raise SegmentError(
            f"The segment '{name}' stays as it was: {error.sentence[0].lower()}{error.sentence[1:].rstrip('.')}.",
            "Put the file back, or make the segment again from another one.",
            code="no_file",
        ) from None


def _recreate(
    workspace: Workspace, name: str, kept: Definition, replacing: Replacing, show: Callable[[str], None]
) -> Segment:
    read_again: Any = kept.source
    if kept.kind == "insights":
        source = insights(kept.instance, workspace=workspace, show=show)
        read_again = source.segment(str(kept.source), via=kept.via)
    require(workspace, Verb.MAKE_SEGMENT)
    wanted = SegmentRequest(
        email=kept.email,
        key=kept.key,
        where=kept.where,
        rule=None if kept.rule is None else as_rule(kept.rule),
        parameters=kept.parameters,
        encoding=kept.encoding,
    )

    def work(database: str | None) -> Segment:
        asked = kept.consent, kept.consent_yes
        return _keep(workspace, name, read_again, replace(wanted, database=database), asked, replacing, show)

    return work(None) if kept.database is None else with_secrets(kept.database, work, show)
