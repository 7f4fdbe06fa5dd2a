"""Coverage: how many profiles of a segment can be matched, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ci_magics.display.displayable import Displayable
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.matching.consents import CountedConsent
from ci_magics.matching.counting import Counted, count_profiles
from ci_magics.matching.coverage_html import coverage_html, coverage_pictures
from ci_magics.matching.coverage_rows import coverage_document, coverage_rows
from ci_magics.matching.coverage_text import coverage_text
from ci_magics.matching.covered_segments import CoveredSegments, SegmentCoverage
from ci_magics.matching.doubts import MISTYPED, PLACEHOLDER
from ci_magics.matching.drawing import stacked
from ci_magics.matching.expected import Expected, PastReach, expect
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.hash_sets import shared
from ci_magics.matching.listing import list_profiles
from ci_magics.matching.matched import Matched
from ci_magics.matching.normalize import INVALID, require_normalization
from ci_magics.matching.suppression import Suppression

if TYPE_CHECKING:
    import pandas as pd

#: Kinds of measures that `Coverage` gives by name.
_NUMBERS = ("count", "reason", "hashes")


@dataclass(frozen=True)
class Coverage(CoveredSegments, Displayable):
    """The preview of one or several segments.

    Parameters
    ----------
    segments
        The counts of each segment.
    normalization
        The normalization that the counts are for.
    overlap
        How many hashes each pair of segments shares; for several segments only.
    destination
        Where an export would go; None if no connection was named.
    matched
        The matched profiles that `profiles` lists, by segment name.
    """

    def to_frame(self) -> pd.DataFrame:
        """Return one row per segment and measure.

        Columns are ``segment``, ``kind``, ``measure``, ``count`` and ``share``. The kind says what is counted:
        ``count`` and ``reason`` are profiles, and their share is of the segment; ``domain`` is of its valid profiles;
        ``hashes`` and ``overlap`` are hashes, and their share is of the hashes to send, for ``gone`` of the hashes in
        the audience; ``people`` is the expected match, and its share is of the segment.
        """
        import pandas as pd

        rows = [(*row[:4], row[3] / row[4] if row[4] else 0.0) for row in coverage_rows(self)]
        return pd.DataFrame(rows, columns=["segment", "kind", "measure", "count", "share"])

    def __getitem__(self, measure: str) -> int:
        """Return one number of the preview, such as ``coverage["missing"]``; for several segments their sum.

        Parameters
        ----------
        measure
            A count such as ``valid`` or ``sendable``, or a reason such as ``missing`` or ``bad_domain``.

        Raises
        ------
        ArgumentError
            There is no such count or reason.
        """
        counts: dict[str, int] = {}
        for _segment, kind, name, count, _whole in coverage_rows(self):
            if kind in _NUMBERS:
                counts[name] = counts.get(name, 0) + count
        if measure not in counts:
            nearest = nearest_name(measure, counts)
            hint = f" Did you mean '{nearest}'?" if nearest else ""
            raise ArgumentError(
                f"A preview does not count '{measure}'.{hint}",
                f"Use one of: {', '.join(counts)}.",
                code="unknown_measure",
            )
        return counts[measure]

    def profiles(self, what: str) -> pd.DataFrame:
        """Return the profiles with a reason or a warning: keys, never addresses.

        Parameters
        ----------
        what
            ``placeholder``, ``mistyped``, or a reason such as ``bad_domain``.

        Returns
        -------
        pandas.DataFrame
            One row per profile: ``segment`` and ``key``, and for ``mistyped`` the domain that was probably meant.

        Raises
        ------
        ArgumentError
            There is no such reason or warning, or it does not depend on a single profile.
        WorkspaceError
            The segment was replaced or deleted.
        """
        known = (PLACEHOLDER, MISTYPED, *INVALID)
        if what not in known:
            nearest = nearest_name(what, known)
            hint = f" Did you mean '{nearest}'?" if nearest else ""
            raise ArgumentError(
                f"Profiles cannot be listed by '{what}'.{hint}",
                f"Use one of: {', '.join(known)}.",
                code="unknown_reason",
            )
        return list_profiles(self.matched, what, self.normalization)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts in the form that a notebook's output has for other programs."""
        return coverage_document(self)

    def __repr__(self) -> str:
        return coverage_text(self)

    def _repr_html_(self) -> str:
        return coverage_html(self)

    def _repr_svg_parts(self) -> dict[str, str]:
        return {"image/svg+xml": stacked(coverage_pictures(self)).svg}


def cover(
    matched: Mapping[str, Matched],
    *,
    normalization: str = "basic",
    scratch: Scratch | None = None,
    ledgers: Mapping[str, HashList] | None = None,
    earlier: Sequence[PastReach] = (),
    remarks: Mapping[str, str] | None = None,
    suppressed: Mapping[str, Suppression | None] | None = None,
    consents: Mapping[str, CountedConsent] | None = None,
    destination: str | None = None,
) -> Coverage:
    """Count the profiles that can be matched.

    Parameters
    ----------
    matched
        Matched profiles by segment name.
    normalization
        The normalization.
    scratch
        Temporary storage for long lists of hashes.
    ledgers
        Hashes that are already in a segment's audience, by segment name.
    earlier
        The reach of earlier audiences of the account under the same normalization.
    remarks
        Remarks about a segment's audience, by segment name.
    suppressed
        The people who must not be sent, by segment name.
    consents
        The people who agreed, by segment name.
    destination
        Where an export would go.

    Raises
    ------
    ArgumentError
        The normalization is unknown.
    """
    require_normalization(normalization)
    scratch = scratch or Scratch()
    counted = {
        name: count_profiles(
            each.profiles,
            normalization,
            scratch,
            (suppressed or {}).get(name),
            consents[name].consenting if consents and name in consents else None,
        )
        for name, each in matched.items()
    }
    segments = tuple(
        cover_one(
            name,
            each,
            counted[name],
            (ledgers or {}).get(name),
            expected=expect(len(counted[name].hashes), earlier),
            remark=(remarks or {}).get(name, ""),
            consent=(consents or {}).get(name),
        )
        for name, each in matched.items()
    )
    return Coverage(segments, normalization, _overlaps(counted), destination, matched)


def cover_one(
    name: str,
    matched: Matched,
    counted: Counted,
    ledger: HashList | None = None,
    *,
    expected: Expected | None = None,
    remark: str = "",
    consent: CountedConsent | None = None,
) -> SegmentCoverage:
    """Return the coverage of one counted segment."""
    new, gone, unchanged = _compare_with_ledger(counted.hashes, ledger)
    return SegmentCoverage(
        name=name,
        rows=counted.rows,
        with_email=counted.rows - counted.reasons["missing"],
        valid=counted.valid,
        unique=counted.unique,
        sendable=counted.unique - counted.suppressed - counted.refused - counted.unconsented,
        hashes=len(counted.hashes),
        prehashed=counted.prehashed,
        reasons={
            **counted.reasons,
            "duplicate": counted.valid - counted.unique,
            "suppressed": counted.suppressed,
            **_without_consent(counted, consent),
        },
        differs=counted.differs,
        new=new,
        gone=gone,
        unchanged=unchanged,
        domains=matched.domains,
        examples=matched.examples,
        expected=expected,
        remark=remark,
        placeholders=counted.doubts.get(PLACEHOLDER, 0),
        mistyped={name: count for name, count in sorted(counted.doubts.items()) if name != PLACEHOLDER},
        consent=consent.known if consent else None,
        consent_question=consent.question if consent else "",
    )


def _without_consent(counted: Counted, consent: CountedConsent | None) -> dict[str, int]:
    """Return how many profiles are not sent because consent is missing; empty if consents are unknown."""
    if not (counted.refused or counted.unconsented or (consent and consent.known.known)):
        return {}
    return {"refused": counted.refused, "no_consent": counted.unconsented}


def _compare_with_ledger(hashes: HashList, ledger: HashList | None) -> tuple[int | None, int | None, int | None]:
    if ledger is None:
        return None, None, None
    unchanged = shared(hashes, ledger)
    return len(hashes) - unchanged, len(ledger) - unchanged, unchanged


def _overlaps(counted: Mapping[str, Counted]) -> dict[tuple[str, str], int]:
    return {
        (first, second): shared(counted[first].hashes, counted[second].hashes)
        for first, second in combinations(counted, 2)
    }
