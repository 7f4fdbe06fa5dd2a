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
from ci_magics.display.numbers import counted_in_words
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
NO_KEY = "holds values that identify nobody"
#: Nobody chose the columns of consents: the rule for headers finds them.
FOUND = ConsentChoice()


@dataclass(frozen=True)
class Segment(Displayable, Joinable):
    """A named set of profiles; ``&``, ``|`` and ``-`` make rules of segments, for `ci.segment`.

    Parameters
    ----------
    id
        Changes whenever the segment is made again.
    name
        What a person calls it; also the name of the audience it is exported to.
    rows
        Number of profiles.
    email, key
        The columns that hold the address and the identifier; `ROW_NUMBER` where there is no identifier.
    where
        The condition or the query it was made with, if any.
    columns
        All columns of the source.
    consent
        What is known of who agreed; its counts are those of the segment that is kept.
    rule
        The text of the rule it was made with, if any.
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
        """Return what the segment is in a rule: being a member of it."""
        return Member(segment=self.name)

    def __repr__(self) -> str:
        made = without_addresses(self.where or self.rule or "")
        condition = f", where {made}" if made else ""
        profiles = counted_in_words(self.rows, "profile")
        return (
            f"Segment '{self.name}': {profiles}, e-mail in {self.email}, key in {self.key}{condition}. {self.consent}"
        )

    def _repr_html_(self) -> str:
        where, rule = without_addresses(self.where or ""), without_addresses(self.rule or "")
        fields = {"profiles": self.rows, "e-mail": self.email, "key": self.key, "where": where, "rule": rule}
        fields["consent"] = str(self.consent)
        return fields_table(fields, title=f"Segment {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Return its name, its size and how it was made."""
        made = {name: getattr(self, name) and without_addresses(getattr(self, name)) for name in ("where", "rule")}
        known = {"name": self.name, "rows": self.rows, "email": self.email, "key": self.key}
        return {**known, **made, "consent": self.consent.to_dict()}


@dataclass(frozen=True)
class Profiles:
    """A segment with its profiles, which are read batch by batch.

    Parameters
    ----------
    segment
        What they belong to; its number of rows is not known before they are read.
    rows
        Columns ``key`` and ``email``, and the state of the consent where one is known, one row per profile.
    no_keys
        Columns that are named like a key but are not keys, each with the reason.
    rounded
        Whether the keys are floating-point numbers so large that different ids may have become one before.
    """

    segment: Segment
    rows: Rows = field(repr=False)
    no_keys: tuple[str, ...] = ()
    rounded: bool = False

    @property
    def notice(self) -> str:
        """A warning about the key that was found; empty if there is none."""
        if self.rounded:
            return (
                f"The key column {self.segment.key} holds floating-point numbers so large that neighboring whole "
                "numbers are the same, so ids may have changed before they came here. Read them as text or as integers."
            )
        if not self.no_keys or self.segment.key != ROW_NUMBER:
            return ""
        return (
            f"No column identifies the profiles of '{self.segment.name}': {', '.join(self.no_keys)}. They are known by "
            f"their row number, so the segment cannot be joined with others. Correct it, or choose one: "
            f"{Opt('key', COLUMN)}."
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
        What to call it.
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path or pattern of CSV or Parquet files.
    email, key
        Columns; found by their names when not given. Without a key column profiles are known by row number.
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
    wanted = _ColumnChoice.of(columns, email, key, consent, _reader(frame))
    rows = sources.read_columns(frame, wanted.read, where)
    return _profiles(name, rows, wanted, where)


def build_segment_from_rule(
    name: str,
    frame: Any,
    rule: Rule,
    given: RuleContext,
    *,
    email: str | None = None,
    key: str | None = None,
    consent: ConsentChoice = FOUND,
) -> Profiles:
    """Build a segment from the rows that fulfil a rule; see `build_segment` for the columns."""
    require_name(name, "segment", error=SegmentError)
    wanted = _ColumnChoice.of(sources.columns_of(frame), email, key, consent, _reader(frame))
    rows = read_rows(frame, wanted.read, rule, given)
    profiles = _profiles(name, rows, wanted, None)
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

    Who agreed is looked up in the tables that the query reads where its result does not say so.

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
        Values of its ``$name``.
    database
        What runs it; DuckDB over frames and files unless given.
    states
        Of the earlier segments that know who agreed: the name of the key, the keys, and the state of each.

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
    wanted = _ColumnChoice.of(columns, email, key, consent, lambda _name: rows, sql_leaves_out=True)
    chosen_elsewhere = consent.how == "chosen" and not set(consent.columns) <= set(columns)
    if wanted.consents is not None and not chosen_elsewhere:
        return _profiles(name, rows, wanted, sql.strip())
    if database is None:
        paths = [encoded_text(each, encoding) for each in sources.referenced_tables(sql) if is_path(each)]
        tables = tables_of(frames, paths)
    else:
        tables = tables_in(database, sql)

    def joined(key_column: str | None) -> tuple[Consents | None, SegmentConsent]:
        found, reading, lost = join_back(tables, consent, key=key_column, email=wanted.email, states=states)
        if reading is None and consent.how == "chosen" and not lost:
            raise no_column([*columns], consent.columns[0])
        how = consent if reading is None or set(consent.columns) <= set(reading.needed) else FOUND
        known = SegmentConsent.of(reading, how, lost=lost or (found is not None and reading is None))
        return found or (ConsentReading(()) if lost else None), known

    return _profiles(name, rows, wanted, sql.strip(), joined)


@dataclass(frozen=True)
class _ColumnChoice:
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
        sql_leaves_out: bool = False,
    ) -> _ColumnChoice:
        email_column = find_email_column(columns, email)
        candidates = [require_column(columns, key)] if key is not None else key_candidates(columns)
        choice = fitting(choice, columns, required=not sql_leaves_out)
        by_value = columns_by_value(columns, choice, rows_of)
        reading = choice.reading(columns, (email_column, key), by_value)
        if reading is None and choice.how == "chosen" and not sql_leaves_out:
            raise SegmentError(
                "No column looks like a consent, so the values that mean yes belong to none.",
                advise("Name the column: ", Opt("consent", COLUMN), f"; the columns are {list_columns(columns)}."),
                code="no_consent_column",
            )
        known = SegmentConsent.of(reading, choice)
        return cls(tuple(columns), email_column, key, tuple(candidates), reading, known)

    @property
    def read(self) -> list[str]:
        """The columns to read, each once."""
        consents = self.consents.needed if self.consents else ()
        return list(dict.fromkeys([self.email, *self.candidates, *consents]))


def _reader(frame: Any) -> Callable[[str], Rows]:
    return lambda name: sources.read_columns(frame, [name], None)


def fitting(choice: ConsentChoice, columns: Sequence[str], *, required: bool = True) -> ConsentChoice:
    """Return a choice of consent columns as it fits a source: one that is only remembered may be of other columns.

    Raises
    ------
    SegmentError
        A column that was chosen now does not exist.
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
    wanted: _ColumnChoice,
    where: str | None,
    look_up: Callable[[str | None], tuple[Consents | None, SegmentConsent]] | None = None,
) -> Profiles:
    columns = list(wanted.columns)
    _require_text(rows, wanted.email, columns)
    key_column, no_keys = _choose_key(rows, wanted.candidates, wanted.key)
    consents, known = (wanted.consents, wanted.consent) if look_up is None else look_up(key_column)
    segment = Segment(
        id=str(uuid.uuid4()),
        name=name,
        rows=0,
        email=wanted.email,
        key=key_column or ROW_NUMBER,
        where=where,
        columns=wanted.columns,
        consent=known,
    )
    taken = ProfileColumns.of(rows.schema, wanted.email, key_column, consents)

    def read(_columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in rows.read(taken.needed):
            yield taken.profiles(batch, first)
            first += batch.num_rows

    return Profiles(segment, Rows(taken.schema, read), no_keys, key_column is not None and _rounded(rows, key_column))


def _rounded(rows: Rows, column: str) -> bool:
    """Return whether a column holds floats too large to represent every whole number."""
    limit = largest_exact(rows.schema.field(column).type)
    if limit is None:
        return False
    # Arrow has no absolute value of 16-bit floats, and 64 bits hold every other float exactly.
    batches = (batch.column(0).cast(pa.float64()) for batch in rows.read([column]))
    return any(pc.any(pc.greater_equal(pc.abs(values), limit)).as_py() for values in batches)


def _choose_key(rows: Rows, candidates: Sequence[str], asked: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the key column, and why the candidates before it are not keys.

    It is the one asked for, which must be unique, else the first candidate that is.
    """
    no_keys: tuple[str, ...] = ()
    for column in candidates:
        wrong = _not_unique(rows, column)
        if wrong is None:
            return column, no_keys
        no_keys = (*no_keys, f"{column} {wrong}")
        if asked is not None:
            raise SegmentError(
                f"The key column {asked} {wrong}.",
                advise(
                    "Choose a column that is different for each profile, or leave out ",
                    Opt("key"),
                    " to use row numbers.",
                ),
                code="key_not_unique",
            )
    return None, no_keys


def _not_unique(rows: Rows, column: str) -> str | None:
    if not can_be_key(rows.schema.field(column).type):
        return NO_KEY
    return repeats(*repetition(rows, column))


def repeats(empty: int, repeated: int) -> str | None:
    """Return why a column with these empty and repeated values is not a key; None if it is one."""
    return (
        f"has {counted_in_words(empty, 'empty value')} and {counted_in_words(repeated, 'repeated value')}"
        if empty or repeated
        else None
    )


def _require_text(rows: Rows, email: str, columns: list[str]) -> None:
    """Require that the addresses are texts, or that there are none at all."""
    kind = rows.schema.field(email).type
    if pa.types.is_null(kind) or is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return
    if all(batch.column(0).null_count == batch.num_rows for batch in rows.read([email])):
        return
    raise no_addresses(email, kind, columns)


def no_addresses(email: str, kind: pa.DataType, columns: Sequence[str]) -> SegmentError:
    """Return the error for a column of addresses that holds something else."""
    return SegmentError(
        f"The column {email} holds {kind} values, not e-mail addresses.",
        advise("Name the right one with ", Opt("email", COLUMN), f"; the columns are {list_columns(columns)}."),
        code="email_not_text",
    )
