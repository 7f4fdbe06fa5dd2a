"""The consent data that counting needs: which states are sent, and which keep an address out."""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.segmentation.consent.document import SegmentConsent


@dataclass(frozen=True)
class ConsentPolicy:
    """Which profiles of a segment may be sent.

    Parameters
    ----------
    sent
        The states that mean consent.
    refused
        The states that mean refusal. The address of such a profile is never sent, whatever the state of other profiles
        with the same address. In contrast, a profile with an unknown state does not keep out an address that another
        profile with consent shares.
    silent
        Whether any profile has another state, so that these must be counted.
    """

    sent: frozenset[str]
    refused: frozenset[str]
    silent: bool = True


@dataclass(frozen=True)
class CountedConsent:
    """The consents of a segment, for a preview.

    Parameters
    ----------
    known
        The counts of each state.
    consenting
        Which profiles would be sent; None for all.
    question
        What you must decide before anything is sent; empty if nothing.
    """

    known: SegmentConsent
    consenting: ConsentPolicy | None
    question: str
