"""Match profiles in a single pass while they are stored in the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa

from ci_magics.matching.matched import match_batches, matched_schema
from ci_magics.matching.tally import Tally
from ci_magics.segmentation.sources.rows import Rows


class ProfileStream(Protocol):
    """Matched profiles that can be read once, and statistics of their addresses, which are complete after reading."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of the batches."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether the same source gives the same profiles in the same order each time."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Match the profiles."""
        ...

    def domains(self) -> dict[str, int]:
        """Return profiles by domain."""
        ...

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason."""
        ...


class LocalStream:
    """Profiles that are matched in this process.

    Parameters
    ----------
    rows
        Columns ``key``, ``email`` and others.
    """

    ordered = True

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._tally = Tally()
        self.schema = matched_schema(rows.schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Match the profiles."""
        yield from match_batches(self._rows.read(self._rows.schema.names), self._tally)

    def domains(self) -> dict[str, int]:
        """Return profiles by domain."""
        return self._tally.domains()

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason."""
        return self._tally.examples()


class AlreadyMatched:
    """Profiles of earlier segments: already matched, with no statistics of their addresses.

    Parameters
    ----------
    schema
        The columns of the batches.
    batches
        The profiles.
    """

    ordered = True

    def __init__(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self.schema = schema
        self._batches = batches

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the profiles."""
        yield from self._batches

    def domains(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def examples(self) -> dict[str, list[str]]:
        """Return nothing."""
        return {}
