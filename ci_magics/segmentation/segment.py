"""A segment: a named set of profiles with an e-mail column and a key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.advice import COLUMN, Opt, advise
from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import fields_table
from ci_magics.display.numbers import pluralize
from ci_magics.errors import SegmentError, without_addresses
from ci_magics.naming import require_name
from ci_magics.segmentation.columns import (
    find_email_column,
    key_candidates,
    list_columns,
    no_column,
    require_column,
)
from ci_magics.segmentation.consent.document import NOT_KNOWN, ConsentChoice, SegmentConsent
from ci_magics.segmentation.consent.joining import join_back, tables_in, tables_of
from ci_magics.segmentation.consent.reading import ConsentReading, Consents
from ci_magics.segmentation.consent.stated import columns_by_value
from ci_magics.segmentation.key_text import can_be_key, largest_exact
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.rules.rows import RuleContext, read_rows
from ci_magics.segmentation.rules.rule import Joinable, Rule
from ci_magics.segmentation.rules.tree import Member, Node
from ci_magics.segmentation.sources import frames as any_frame
from ci_magics.segmentation.sources import queries as sources
from ci_magics.segmentation.sources.databases import Source, query_database
from ci_magics.segmentation.sources.files import encoded_text, is_path
from ci_magics.segmentation.sources.rows import Rows, repetition
from ci_magics.segmentation.values import is_text

ROW_NUMBER = "row number"
NO_KEY = "holds values that cannot identify profiles"
#: Nobody chose the columns of consents: the rule for headers finds them.
FOUND = ConsentChoice()


@dataclass(frozen=True)
class Segment(Displayable, Joinable):
    """A named set of profiles; ``&``, ``|`` and ``-`` make rules of segments, for `ci.segment`.

    Parameters
    ----------
    id
        Changes whenever the segment is created again.
    name
        Its name, which is also the name of the audience that it is exported to.
    rows
        Number of profiles.
    email, key
        The columns that hold the address and the identifier; `ROW_NUMBER` where there is no identifier.
    where
        The condition or the query that it was created with, if any.
    columns
        All columns of the source.
    consent
        What is known about who agreed; the counts are those of the stored segment.
    rule
        The text of the rule that it was created with, if any.
    tags
        Its tags.
    active
        Whether it is refreshed and exported.
    suppresses
        Whether its people are excluded from every export.
    """

    id: str
    name: str
    rows: int
    email: str
    key: str
    where: str | None
    columns: tuple[str, ...] = field(repr=False)
    consent: SegmentConsent = NOT_KNOWN
    rule: str | None = None
    tags: tuple[str, ...] = ()
    active: bool = True
    suppresses: bool = False

    def as_node(self) -> Node:
        """Return the node of a rule that tests membership of the segment."""
        return Member(segment=self.name)

    def __repr__(self) -> str:
        definition = without_addresses(self.where or self.rule or "")
        condition = f", where {definition}" if definition else ""
        profiles = pluralize(self.rows, "profile")
        return (
            f"Segment '{self.name}': {profiles}, e-mail in {self.email}, key in {self.key}{condition}. {self.consent}"
        )

    def _repr_html_(self) -> str:
        where, rule = without_addresses(self.where or ""), without_addresses(self.rule or "")
        fields = {"profiles": self.rows, "e-mail": self.email, "key": self.key, "where": where, "rule": rule}
        fields["consent"] = str(self.consent)
        return fields_table(fields, title=f"Segment {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Return its name, its size and its definition."""
        made = {name: getattr(self, name) and without_addresses(getattr(self, name)) for name in ("where", "rule")}
        basics = {"name": self.name, "rows": self.rows, "email": self.email, "key": self.key}
        return {**basics, **made, "consent": self.consent.to_dict()}


@dataclass(frozen=True)
class Profiles:
    """A segment with its profiles, which are read batch by batch.

    Parameters
    ----------
    segment
        The segment; its number of rows is unknown until they are read.
    rows
        One row for each profile: columns ``key``, ``email``, and the consent state if it is known.
    no_keys
        Columns that are named like a key but are not keys, each with the reason.
    rounded
        Whether the keys are floats so large that different ids may have been rounded to the same number.
    """

    segment: Segment
    rows: Rows = field(repr=False)
    no_keys: tuple[str, ...] = ()
    rounded: bool = False

    @property
    def notice(self) -> str:
        """A warning about the key; empty if there is none."""
        if self.rounded:
            return (
                f"The key column {self.segment.key} holds floating-point numbers so large that neighboring whole "
                "numbers are the same, so ids may have been rounded. Read them as text or as integers."
            )
        if not self.no_keys or self.segment.key != ROW_NUMBER:
            return ""
        return (
            f"No column identifies the profiles of '{self.segment.name}': {', '.join(self.no_keys)}. They "
            "are identified by their row number, so the segment cannot be joined with others. Correct the column, or "
            f"choose one: {Opt('key', COLUMN)}."
        )


def build_segment(
    name: str,
    frame: Any,
    *,
    email: str | None = None,
    key: str | None = None,
    where: str | None = None,
    consent: ConsentChoice = FOUND,
) -> Profiles:
    """Build a segment from a frame.

    Parameters
    ----------
    name
        Its name.
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path or pattern of CSV or Parquet files.
    email, key
        The columns; found by their names by default. Without a key column, profiles are identified by row number.
    where
        A condition in SQL over the frame's columns.
    consent
        Which columns say who agreed; by default, the rule for headers finds them.

    Raises
    ------
    SegmentError
        The frame, a column or the condition cannot be used.
    """
    require_name(name, "segment", error=SegmentError)
    columns = sources.columns_of(frame)
    selection = _ColumnSelection.of(columns, email, key, consent, _reader(frame))
    rows = sources.read_columns(frame, selection.read, where)
    return _profiles(name, rows, selection, where)


def build_segment_from_rule(
    name: str,
    frame: Any,
    rule: Rule,
    context: RuleContext,
    *,
    email: str | None = None,
    key: str | None = None,
    consent: ConsentChoice = FOUND,
) -> Profiles:
    """Build a segment from the rows that match a rule; see `build_segment` for the columns."""
    require_name(name, "segment", error=SegmentError)
    selection = _ColumnSelection.of(sources.columns_of(frame), email, key, consent, _reader(frame))
    rows = read_rows(frame, selection.read, rule, context)
    profiles = _profiles(name, rows, selection, None)
    return replace(profiles, segment=replace(profiles.segment, rule=rule.text))


def build_segment_from_sql(
    name: str,
    sql: str,
    *,
    frames: Mapping[str, Any],
    earlier: Mapping[str, pa.Table] | None = None,
    parameters: Mapping[str, Any] | None = None,
    database: Source | None = None,
    email: str | None = None,
    key: str | None = None,
    consent: ConsentChoice = FOUND,
    states: Iterable[tuple[str, Any, Any]] = (),
    encoding: str | None = None,
) -> Profiles:
    """Build a segment from one SELECT over frames, files and earlier segments, or in a database; see `query`.

    If the result does not say who agreed, that is looked up in the tables that the query reads.

    Parameters
    ----------
    name, email, key, consent
        As in `build_segment`.
    sql
        The query.
    frames
        Frames by the names that it uses.
    earlier
        Earlier segments by name, each as a table of its keys.
    parameters
        Values for its ``$name``.
    database
        The database that runs it; by default DuckDB over frames and files.
    states
        For each earlier segment that knows who agreed: the name of its key, the keys, and their states.

    Raises
    ------
    SegmentError
        The query cannot be run, or a column cannot be used.
    """
    require_name(name, "segment", error=SegmentError)
    if database is None:
        written = [each for each in (email, key) if each]
        rows = sources.query(sql, frames, parameters or {}, earlier, written=written, encoding=encoding)
    else:
        rows = query_database(database, sql, parameters or {})
    columns = list(rows.schema.names)
    any_frame.require_different(columns, "query")
    selection = _ColumnSelection.of(columns, email, key, consent, lambda _name: rows, from_sql=True)
    chosen_elsewhere = consent.how == "chosen" and not set(consent.columns) <= set(columns)
    if selection.consents is not None and not chosen_elsewhere:
        return _profiles(name, rows, selection, sql.strip())
    if database is None:
        paths = [encoded_text(each, encoding) for each in sources.referenced_tables(sql) if is_path(each)]
        tables = tables_of(frames, paths)
    else:
        tables = tables_in(database, sql)

    def look_up_consents(key_column: str | None) -> tuple[Consents | None, SegmentConsent]:
        found, reading, lost = join_back(tables, consent, key=key_column, email=selection.email, states=states)
        if reading is None and consent.how == "chosen" and not lost:
            raise no_column([*columns], consent.columns[0])
        how = consent if reading is None or set(consent.columns) <= set(reading.needed) else FOUND
        consent_summary = SegmentConsent.of(reading, how, lost=lost or (found is not None and reading is None))
        return found or (ConsentReading(()) if lost else None), consent_summary

    return _profiles(name, rows, selection, sql.strip(), look_up_consents)


@dataclass(frozen=True)
class _ColumnSelection:
    """The columns of a source that a segment needs."""

    columns: tuple[str, ...]
    email: str
    key: str | None
    candidates: tuple[str, ...]
    consents: Consents | None
    consent: SegmentConsent

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        email: str | None,
        key: str | None,
        choice: ConsentChoice,
        rows_of: Callable[[str], Rows],
        *,
        from_sql: bool = False,
    ) -> _ColumnSelection:
        email_column = find_email_column(columns, email)
        candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
        choice = fit_choice(choice, columns, required=not from_sql)
        by_value = columns_by_value(columns, choice, rows_of)
        reading = choice.reading(columns, (email_column, key), by_value)
        if reading is None and choice.how == "chosen" and not from_sql:
            raise SegmentError(
                "No column looks like a consent, so the values that mean yes have no column.",
                advise("Name the column: ", Opt("consent", COLUMN), f"; the columns are {list_columns(columns)}."),
                code="no_consent_column",
            )
        consent_summary = SegmentConsent.of(reading, choice)
        return cls(tuple(columns), email_column, key, tuple(candidates), reading, consent_summary)

    @property
    def read(self) -> list[str]:
        """The columns to read, without duplicates."""
        consents = self.consents.needed if self.consents else ()
        return list(dict.fromkeys([self.email, *self.candidates, *consents]))


def _reader(frame: Any) -> Callable[[str], Rows]:
    return lambda name: sources.read_columns(frame, [name], None)


def fit_choice(choice: ConsentChoice, columns: Sequence[str], *, required: bool = True) -> ConsentChoice:
    """Adapt a choice of consent columns to a source: a remembered choice may name columns that this source lacks.

    Raises
    ------
    SegmentError
        A column that the user just chose does not exist.
    """
    if set(choice.columns) <= set(columns):
        return choice
    if required and choice.how == "chosen":
        for each in choice.columns:
            require_column(columns, each)
    return ConsentChoice(yes=choice.yes)


def _profiles(
    name: str,
    rows: Rows,
    selection: _ColumnSelection,
    where: str | None,
    look_up: Callable[[str | None], tuple[Consents | None, SegmentConsent]] | None = None,
) -> Profiles:
    columns = list(selection.columns)
    _require_text(rows, selection.email, columns)
    key_column, no_keys = _choose_key(rows, selection.candidates, selection.key)
    consents, consent_summary = (selection.consents, selection.consent) if look_up is None else look_up(key_column)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=0,
        email=selection.email,
        key=key_column or ROW_NUMBER,
        where=where,
        columns=selection.columns,
        consent=consent_summary,
    )
    profile_columns = ProfileColumns.of(rows.schema, selection.email, key_column, consents)

    def read(_columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in rows.read(profile_columns.needed):
            yield profile_columns.profiles(batch, first)
            first += batch.num_rows

    return Profiles(
        segment, Rows(profile_columns.schema, read), no_keys, key_column is not None and _rounded(rows, key_column)
    )


def _rounded(rows: Rows, column: str) -> bool:
    """Return whether a column holds floats too large to represent every whole number."""
    limit = largest_exact(rows.schema.field(column).type)
    if limit is None:
        return False
    # Arrow has no absolute value of 16-bit floats, and 64 bits hold every other float exactly.
    batches = (batch.column(0).cast(pa.float64()) for batch in rows.read([column]))
    return any(pc.any(pc.greater_equal(pc.abs(values), limit)).as_py() for values in batches)


def _choose_key(rows: Rows, candidates: Sequence[str], requested: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the key column, and why the candidates before it are not keys.

    It is the requested one, which must be unique, else the first unique candidate.
    """
    no_keys: tuple[str, ...] = ()
    for column in candidates:
        problem = _why_not_key(rows, column)
        if problem is None:
            return column, no_keys
        no_keys = (*no_keys, f"{column} {problem}")
        if requested is not None:
            raise SegmentError(
                f"The key column {requested} {problem}.",
                advise(
                    "Choose a column that is different for each profile, or leave out ",
                    Opt("key"),
                    " to use row numbers.",
                ),
                code="key_not_unique",
            )
    return None, no_keys


def _why_not_key(rows: Rows, column: str) -> str | None:
    if not can_be_key(rows.schema.field(column).type):
        return NO_KEY
    return why_not_unique(*repetition(rows, column))


def why_not_unique(empty: int, repeated: int) -> str | None:
    """Return why a column with these empty and repeated values is not a key; None if it is one."""
    return (
        f"has {pluralize(empty, 'empty value')} and {pluralize(repeated, 'repeated value')}"
        if empty or repeated
        else None
    )


def _require_text(rows: Rows, email: str, columns: list[str]) -> None:
    """Require that the addresses are texts, or that there are none."""
    kind = rows.schema.field(email).type
    if pa.types.is_null(kind) or is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return
    if all(batch.column(0).null_count == batch.num_rows for batch in rows.read([email])):
        return
    raise not_addresses(email, kind, columns)


def not_addresses(email: str, kind: pa.DataType, columns: Sequence[str]) -> SegmentError:
    """Return the error for a column of addresses that holds something else."""
    return SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        advise("Name the right one with ", Opt("email", COLUMN), f"; the columns are {list_columns(columns)}."),
        code="email_not_text",
    )
