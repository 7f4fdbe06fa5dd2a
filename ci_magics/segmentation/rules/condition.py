"""A rule that is evaluated where the rows are, batch by batch, with the same SQL as for every other frame."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ci_magics.advice import Opt, advise
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.sources.sandbox import sandbox


@dataclass(frozen=True)
class RuleCondition:
    """What a row must fulfil; small, so that it can travel to where the rows are.

    The key of the rows is different for each, so that sets of profiles are joined row by row.

    Parameters
    ----------
    rule
        A rule over columns.
    today
        The day on which the last days end, the same for all rows wherever they are.
    """

    rule: Rule
    today: dt.date

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that it uses."""
        del names
        return list(self.rule.columns)

    def check(self, schema: pa.Schema, names: Sequence[str]) -> None:
        """Require that it can be evaluated.

        Parameters
        ----------
        schema
            The columns that it uses.
        names
            All columns there are.

        Raises
        ------
        SegmentError
            It uses earlier segments, whose keys are not where the rows are; or a value does not fit its column.
        """
        del names
        if self.rule.segments:
            raise SegmentError(
                f"The segment '{self.rule.segments[0]}' is not where the rows of a Spark frame are.",
                advise(
                    "Make a segment of the frame first, then join the two: ",
                    Opt("rule", f"'Mine' and '{self.rule.segments[0]}'"),
                    " without a frame.",
                ),
                code="segment_in_rule_on_spark",
            )
        self.rule.check(schema, today=self.today)

    def filter(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that fulfil it, in their order."""
        evaluation: Evaluation | None = None
        with sandbox() as database:
            for batch in batches:
                evaluation = evaluation or Evaluation(batch.schema, [self.rule], RuleContext(today=self.today))
                (chosen,) = evaluation.masks(database, batch)
                yield batch.filter(chosen)
