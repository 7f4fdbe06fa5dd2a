"""Build a segment from a Spark DataFrame: everything that is decided before Spark reads the rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any

import duckdb
import pyarrow as pa

from ci_magics.advice import COLUMN, Opt, advise
from ci_magics.errors import SegmentError
from ci_magics.naming import require_name
from ci_magics.segmentation.columns import find_email_column, key_candidates, require_column
from ci_magics.segmentation.condition import Condition
from ci_magics.segmentation.consent.document import ConsentChoice, SegmentConsent
from ci_magics.segmentation.consent.stated import MOST_STATES, columns_by_value
from ci_magics.segmentation.key_text import can_be_key
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.profile_pipeline import ProfilePipeline, RowCondition, RowFilter
from ci_magics.segmentation.rules.condition import RuleCondition
from ci_magics.segmentation.segment import (
    FOUND,
    NO_KEY,
    Segment,
    fit_choice,
    not_addresses,
    why_not_unique,
)
from ci_magics.segmentation.sources.frames import column_names, require_different_in_sql
from ci_magics.segmentation.sources.queries import referenced_tables, refuse_parameters
from ci_magics.segmentation.sources.rows import Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.values import is_text

#: A message of our own code on an executor; it quotes no value.
_OURS = re.compile(r"SegmentError: (The condition cannot be used)(?: at [^:\n]*)?(: [^.\n]*\.)")


@dataclass(frozen=True)
class SparkProfiles:
    """A segment whose profiles stay in Spark.

    Parameters
    ----------
    segment
        The segment; its number of rows is from when the key was chosen.
    frame
        The needed columns, with numbers as names, because Spark has its own rules for names.
    pipeline
        What the executors do with the rows.
    """

    segment: Segment
    frame: Any = field(repr=False)
    pipeline: ProfilePipeline


def build_spark_segment(
    name: str,
    frame: Any,
    *,
    email: str | None = None,
    key: str | None = None,
    where: str | None = None,
    rule: RuleCondition | None = None,
    consent: ConsentChoice = FOUND,
) -> SparkProfiles:
    """Build a segment from a Spark DataFrame; its rows stay in Spark.

    Parameters
    ----------
    name
        What to call it.
    frame
        A Spark DataFrame.
    email, key
        The columns; found by their names by default. A key is required, because the rows are not in a fixed order.
    where
        A condition in DuckDB's SQL, as for every other frame; the executors evaluate it, batch by batch.
    rule
        A rule instead of a condition, evaluated in the same way.
    consent
        Which columns say who agreed; only the state of each profile leaves the executors.

    Raises
    ------
    SegmentError
        A column or the condition cannot be used, nothing identifies the profiles, or Spark fails.
    """
    require_name(name, "segment", error=SegmentError)
    names = column_names(frame)
    email_column = find_email_column(names, email)
    rule_columns = rule.rule.columns if rule else ()
    consent = fit_choice(consent, names)
    candidates = [require_column(names, key)] if key is not None else key_candidates(names)
    for column in rule_columns:
        require_column(names, column)
    with spark_errors():
        source = _Source(frame, tuple(names), rule or _condition(frame, where, names))
        by_value = columns_by_value(names, consent, source.distinct)
        consents = consent.reading(names, (email_column, key), by_value)
        schema = source.schema([email_column, *candidates, *(consents.needed if consents else ())])
        _require_text(schema, email_column, names)
        if source.condition:
            source.condition.check(schema, names)
        key_column, rows = _choose_key(source, schema, candidates, requested=key is not None)
        segment = Segment(
            id=str(uuid.uuid4()),
            name=name,
            rows=rows,
            email=email_column,
            key=key_column,
            where=where,
            columns=tuple(names),
            consent=SegmentConsent.of(consents, consent),
            rule=rule.rule.text if rule else None,
        )
        taken = ProfileColumns.of(schema, email_column, key_column, consents)
        columns = source.used(taken.needed)
        return SparkProfiles(
            segment, source.numbered(columns), ProfilePipeline(RowFilter(columns, source.condition), taken)
        )


@dataclass(frozen=True)
class _Source:
    """A Spark frame, its columns, and the condition on its rows."""

    frame: Any
    names: tuple[str, ...]
    condition: RowCondition | None

    def used(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return some columns and those that the condition needs, without duplicates."""
        return tuple(dict.fromkeys([*wanted, *(self.condition.columns(self.names) if self.condition else ())]))

    def numbered(self, columns: Sequence[str]) -> Any:
        """Return some columns of the frame, whatever characters their names have."""
        numbers = self.frame.toDF(*[f"c{number}" for number in range(len(self.names))])
        return numbers.select(*[f"c{self.names.index(column)}" for column in columns])

    def schema(self, wanted: Sequence[str]) -> pa.Schema:
        """Return the Arrow types that the executors see, of some columns and those that the condition needs."""
        columns = self.used(wanted)
        return pa.schema(list(zip(columns, self.numbered(columns).limit(0).toArrow().schema.types, strict=True)))

    def distinct(self, column: str) -> Rows:
        """Return the distinct values of a column, up to one more than a list of subscription states can have."""
        values = self.numbered([column])
        if is_text(self.schema([column]).field(column).type):
            values = values.distinct()
        return Rows.of(values.limit(MOST_STATES + 1).toArrow().rename_columns([column]))

    def repetition(self, column: str) -> tuple[int, int, int]:
        """Let Spark count the selected rows, and the keys of a column that are empty or repeat another one."""
        from pyspark.sql import functions as on_spark

        values = self.numbered([column]).toDF("value")
        kind = values.limit(0).toArrow().schema.field("value").type
        if self.condition or not (is_text(kind) or pa.types.is_integer(kind)):
            used = self.used([column])
            chosen = partial(RowFilter(used, self.condition).keys, column)
            values = self.numbered(used).mapInArrow(chosen, "value string")
        value = on_spark.col("value")
        rows, present, distinct = values.agg(
            # Keys may be addresses, and Spark writes what it compares to disk.
            on_spark.count(on_spark.lit(1)),
            on_spark.count(value),
            on_spark.count_distinct(on_spark.sha2(value.cast("string").cast("binary"), 256)),
        ).first()
        return rows, rows - present, present - distinct


@contextmanager
def spark_errors() -> Iterator[None]:
    """Translate Spark's errors, because its messages may quote a value.

    Raises
    ------
    SegmentError
        Spark failed.
    """
    try:
        yield
    except _failures() as error:
        raise _spark_error(error) from None


def _failures() -> tuple[type[Exception], ...]:
    from pyspark.errors import PySparkException

    kinds: list[type[Exception]] = [PySparkException, pa.ArrowException]
    if find_spec("py4j"):  # a Spark Connect client lacks it
        from py4j.protocol import Py4JError

        kinds.append(Py4JError)
    return tuple(kinds)


def _spark_error(error: Exception) -> SegmentError:
    ours = _OURS.search(str(error))
    if ours:
        return SegmentError(
            "".join(ours.groups()),
            advise("Write it in SQL, for example ", Opt("where", "TotalSpend > 500 and Country = 'NL'"), "."),
            code="condition_on_spark",
        )
    condition = getattr(error, "getCondition", lambda: None)()  # PySpark's name for the class of an error
    return SegmentError(
        "Spark could not read or match the frame.",
        "Check that df.count() works, and that ci-magics is installed where Spark's executors run.",
        code=condition or type(error).__name__,
    )


def _condition(frame: Any, where: str | None, names: list[str]) -> Condition | None:
    if where is None:
        return None
    refuse_parameters(where)
    require_different_in_sql(names)
    if referenced_tables(f"SELECT 1 WHERE {where}"):
        raise SegmentError(
            "A condition on a Spark frame applies to one profile at a time and cannot read a table.",
            "Filter the frame with Spark first, then make the segment from the result.",
            code="query_in_condition",
        )
    return Condition(where, _time_zone(frame))


def _time_zone(frame: Any) -> str:
    zone = str(frame.sparkSession.conf.get("spark.sql.session.timeZone"))
    try:
        with sandbox(time_zone=zone):
            return zone
    except duckdb.Error:
        raise SegmentError(
            "A condition cannot be evaluated in the time zone of this Spark session.",
            "Give it a name: spark.conf.set('spark.sql.session.timeZone', 'Europe/Amsterdam').",
            code="time_zone",
        ) from None


def _require_text(schema: pa.Schema, email: str, names: list[str]) -> None:
    kind = schema.field(email).type
    if not (is_text(kind) or pa.types.is_null(kind)):
        raise not_addresses(email, kind, names)


def _choose_key(source: _Source, schema: pa.Schema, candidates: Sequence[str], *, requested: bool) -> tuple[str, int]:
    """Return the first candidate that is unique among the selected rows, and the number of these rows."""
    found = []
    for column in candidates:
        wrong: str | None = NO_KEY
        if can_be_key(schema.field(column).type):
            rows, *repeated = source.repetition(column)
            wrong = why_not_unique(*repeated)
        if wrong is None:
            return column, rows
        found.append(f"{column} {wrong}")
    reasons = f": {', '.join(found)}" if found else ""
    raise SegmentError(
        f"The key column {found[0]}." if requested else f"No column identifies the profiles{reasons}.",
        advise(
            "Name a column that is different for each profile: ",
            Opt("key", COLUMN),
            ". The rows of a Spark frame have no fixed order, so row numbers cannot identify profiles.",
        ),
        code="key_not_unique" if requested else "no_key_on_spark",
    )
