"""Evaluate a rule batch by batch, for example in Spark's executors, with the same SQL as for other frames."""

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
    """A rule as a condition on rows; small enough to send to workers.

    The key is unique, so sets of profiles can be joined row by row.

    Parameters
    ----------
    rule
        A rule over columns.
    today
        The day on which the last days end, the same for all workers.
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
            All columns.

        Raises
        ------
        SegmentError
            It uses earlier segments, whose keys the workers do not have; or a value does not fit its column.
        """
        del names
        if self.rule.segments:
            raise SegmentError(
                f"A rule on a Spark frame cannot use the segment '{self.rule.segments[0]}'.",
                advise(
                    "Make a segment of the frame first, then join the two: ",
                    Opt("rule", f"'Mine' and '{self.rule.segments[0]}'"),
                    " without a frame.",
                ),
                code="segment_in_rule_on_spark",
            )
        self.rule.check(schema, today=self.today)

    def filter(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the matching rows in their original order."""
        evaluation: Evaluation | None = None
        with sandbox() as database:
            for batch in batches:
                evaluation = evaluation or Evaluation(batch.schema, [self.rule], RuleContext(today=self.today))
                (chosen,) = evaluation.masks(database, batch)
                yield batch.filter(chosen)
