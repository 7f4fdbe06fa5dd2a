"""The source of a segment's profiles, as the segment form uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import find_email_column, key_candidates
from ci_magics.segmentation.consent.columns import consent_column
from ci_magics.segmentation.consent.document import MOST_ASKED
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.consent.values import ASKED, PLAIN, UNREADABLE
from ci_magics.segmentation.rules.choices import FIRST_ROWS, value_choices
from ci_magics.segmentation.rules.counter import RuleCounter
from ci_magics.segmentation.rules.kinds import Kind, types_of
from ci_magics.segmentation.sources.frames import is_frame, is_spark
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.rows import Rows

_ADDRESS = re.compile(r"\S@\S")


class SegmentSource:
    """A frame or files: the columns, their types, and the counter for rules.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.

    Raises
    ------
    SegmentError
        It cannot be read.
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.columns = columns_of(frame)
        self.counter = RuleCounter(frame)
        self._kinds: dict[str, Kind] = {}
        self._choices: dict[str, list[Any]] = {}
        self._unexplained_values: dict[str, list[str]] = {}

    @property
    def email(self) -> str | None:
        """The only column whose name says that it holds addresses; else None."""
        try:
            return find_email_column(self.columns, None)
        except SegmentError:
            return None

    @property
    def keys(self) -> list[str]:
        """The columns that are named like a key, best first."""
        return key_candidates(self.columns)

    def kind(self, column: str) -> Kind:
        """Return what a column holds, based on its first rows."""
        if column not in self._kinds:
            self._kinds[column] = _kind(self.frame, column) if column in self.columns else Kind.OTHER
        return self._kinds[column]

    def choices(self, column: str) -> list[Any]:
        """Return the distinct values of a column if they are few; empty if one looks like an address."""
        if column not in self._choices:
            found = value_choices(self.frame, column) if column in self.columns else []
            private = any(isinstance(each, str) and _ADDRESS.search(each) for each in found)
            self._choices[column] = [] if private else found
        return self._choices[column]

    def consent_values(self, column: str) -> list[str]:
        """Return the values of a consent column that the built-in rule does not know, if they are few.

        Reads all rows. Empty if a value looks like an address.
        """
        if column not in self._unexplained_values:
            self._unexplained_values[column] = _values_to_explain(self.frame, column)
        return self._unexplained_values[column]


def _values_to_explain(frame: Any, column: str) -> list[str]:
    reading = ConsentReading((consent_column(column),))
    found: set[str] = set()
    for batch in read_columns(frame, [column], None).read([column]):
        found.update(pc.unique(reading.states(batch)).to_pylist())
        if UNREADABLE in found or len(found) > MOST_ASKED + len(PLAIN):
            return []
    return sorted(each[len(ASKED) :] for each in found if each.startswith(ASKED))


def frames_to_choose(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook's frames that support rules, which Spark frames do not."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith("_") and is_frame(value) and not is_spark(value)
    }


def size_of(frame: Any) -> int | None:
    """Return the number of rows of a frame in memory; else None."""
    shape = getattr(frame, "shape", None)
    return int(shape[0]) if isinstance(shape, tuple) and shape and isinstance(shape[0], int) else None


def _kind(frame: Any, column: str) -> Kind:
    if type(frame).__module__.startswith("pandas"):
        frame = frame.head(FIRST_ROWS)
    rows: Rows = read_columns(frame, [column], None, exact=[column])
    return types_of(rows.schema, [column])[column].kind
