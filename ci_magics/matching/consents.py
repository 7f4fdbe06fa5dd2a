"""Who agreed, as far as counting needs to know: which states are sent, and which keep an address out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.segmentation.consent.document import SegmentConsent
from ci_magics.segmentation.consent.reading import STATE


@dataclass(frozen=True)
class Consenting:
    """Which profiles of a segment may be sent.

    Parameters
    ----------
    sent
        The states of those who agreed.
    refused
        The states of those who refused. Their address is not sent, whatever another profile with it says; the address
        of any other profile that did not agree is sent where another profile with it agreed.
    silent
        Whether there are any in another state, so that they have to be counted.
    """

    sent: frozenset[str]
    refused: frozenset[str]
    silent: bool = True

    def sends(self, batch: pa.RecordBatch) -> pa.Array:
        """Tell for each profile of a batch whether it agreed."""
        return _among(batch, self.sent)

    def refuses(self, batch: pa.RecordBatch) -> pa.Array:
        """Tell for each profile of a batch whether it refused."""
        return _among(batch, self.refused)


@dataclass(frozen=True)
class CountedConsent:
    """What a preview says of a segment's consents.

    Parameters
    ----------
    known
        Who agreed.
    consenting
        Who would be sent; None for everybody.
    question
        What has to be decided before anything is sent; empty where nothing has.
    """

    known: SegmentConsent
    consenting: Consenting | None
    question: str


def _among(batch: pa.RecordBatch, states: Collection[str]) -> pa.Array:
    return pc.is_in(batch.column(STATE), pa.array(sorted(states), pa.string()))
