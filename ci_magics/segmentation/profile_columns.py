"""From rows of a source to profiles: which columns are taken, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ci_magics.segmentation.key_text import stored_key_type, stored_keys
from ci_magics.segmentation.values import as_text


@dataclass(frozen=True)
class ProfileColumns:
    """The columns of a source that make a profile; small, so that it can travel to where the rows are.

    Parameters
    ----------
    email, key
        The columns that hold the address and the identifier; without a key, profiles are numbered.
    others
        Columns that are kept under their own names.
    schema
        What comes out: ``key``, ``email`` and the others.
    """

    email: str
    key: str | None
    others: tuple[str, ...]
    schema: pa.Schema

    @classmethod
    def of(cls, source: pa.Schema, email: str, key: str | None, others: Sequence[str]) -> ProfileColumns:
        """Choose columns of a source by their names."""
        kept = pa.int64() if key is None else stored_key_type(source.field(key).type)
        rest = [(each, source.field(each).type) for each in others]
        schema = pa.schema([("key", kept), ("email", pa.large_string()), *rest])
        return cls(email, key, tuple(others), schema)

    @property
    def needed(self) -> list[str]:
        """The columns of the source, each once."""
        return list(dict.fromkeys([self.email, *([self.key] if self.key else []), *self.others]))

    def profiles(self, batch: pa.RecordBatch, first: int = 1) -> pa.RecordBatch:
        """Return the profiles of some rows.

        Parameters
        ----------
        batch
            The columns that are needed.
        first
            Number of its first row, for profiles without a key.
        """
        numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
        keys = stored_keys(batch.column(self.key)) if self.key else numbers
        parts = [keys, as_text(batch.column(self.email)), *(batch.column(each) for each in self.others)]
        return pa.RecordBatch.from_arrays(parts, schema=self.schema)
