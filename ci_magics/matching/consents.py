"""Who agreed, as far as counting needs to know: which states are sent, and which keep an address out."""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.segmentation.consent.document import SegmentConsent


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
