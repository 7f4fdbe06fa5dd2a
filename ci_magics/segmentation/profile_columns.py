"""Turn rows of a source into profiles: which columns are used, and how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ci_magics.segmentation.consent.reading import STATE, Consents
from ci_magics.segmentation.key_text import stored_key_type, stored_keys
from ci_magics.segmentation.values import as_text


@dataclass(frozen=True)
class ProfileColumns:
    """The columns of a source that form a profile; small enough to send to workers.

    Parameters
    ----------
    email, key
        The columns that hold the address and the identifier; without a key, profiles are numbered.
    consents
        Determines who agreed; None if the source does not say so.
    schema
        The columns of a profile: ``key``, ``email``, and the consent state if there is one.
    """

    email: str
    key: str | None
    consents: Consents | None
    schema: pa.Schema

    @classmethod
    def of(cls, source: pa.Schema, email: str, key: str | None, consents: Consents | None) -> ProfileColumns:
        """Choose columns of a source by name."""
        kept = pa.int64() if key is None else stored_key_type(source.field(key).type)
        state = [(STATE, pa.string())] if consents else []
        schema = pa.schema([("key", kept), ("email", pa.large_string()), *state])
        return cls(email, key, consents, schema)

    @property
    def needed(self) -> list[str]:
        """The columns of the source, without duplicates."""
        return list(dict.fromkeys([self.email, *([self.key] if self.key else []), *self._read]))

    @property
    def _read(self) -> tuple[str, ...]:
        return self.consents.needed if self.consents else ()

    def profiles(self, batch: pa.RecordBatch, first: int = 1) -> pa.RecordBatch:
        """Return the profiles of some rows.

        Parameters
        ----------
        batch
            A batch with the `needed` columns.
        first
            The number of the batch's first row, for profiles without a key.
        """
        numbered = np.arange(first, first + batch.num_rows, dtype=np.int64)
        keys = stored_keys(batch.column(self.key)) if self.key else pa.array(numbered)
        parts = [keys, as_text(batch.column(self.email)), *([self.consents.states(batch)] if self.consents else [])]
        return pa.RecordBatch.from_arrays(parts, schema=self.schema)
