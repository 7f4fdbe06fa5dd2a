"""Coverage: how many profiles of a segment can be matched, and why the others cannot."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from ci_magics.matching.counting import Counted, count_profiles
from ci_magics.matching.hash_list import HashList, Scratch, shared
from ci_magics.matching.matched import Matched
from ci_magics.matching.normalize import INVALID, require_normalization
from ci_magics.matching.picture import Bar, as_image, counted, draw_funnel, draw_overlap, funnel_text

if TYPE_CHECKING:
    import pandas as pd

REASONS = (*INVALID, "duplicate", "suppressed")
SMALLEST_SERVING = 300
LARGEST_ORIGINAL = 500_000

_EXPLAINED = {
    "missing": "no address",
    "poison_hash": "the hash of an empty value",
    "no_at": "no @",
    "many_at": "more than one @",
    "inner_space": "a blank inside",
    "bad_local": "not legal before the @",
    "bad_domain": "not a domain after the @",
    "duplicate": "same address as another profile",
    "suppressed": "on the suppression list",
}


@dataclass(frozen=True)
class SegmentCoverage:
    """The numbers of one segment, all in profiles unless they say otherwise.

    Parameters
    ----------
    name
        The segment.
    rows, with_email, valid, unique, sendable
        All; those with any value; with a valid one; with a different one; those that would be sent.
    hashes
        Number of hashes that would be sent: up to two for each profile under ``both``.
    prehashed
        Those whose value was a hash already.
    reasons
        Those that are not sendable, by reason, in order of precedence.
    differs
        Those whose hash depends on the normalization.
    new, gone, unchanged
        Hashes against what the audience holds; None where no audience is known.
    domains, examples
        Profiles by domain, and masked values by reason.
    """

    name: str
    rows: int
    with_email: int
    valid: int
    unique: int
    sendable: int
    hashes: int
    prehashed: int
    reasons: Mapping[str, int]
    differs: int
    new: int | None
    gone: int | None
    unchanged: int | None
    domains: Mapping[str, int] = field(repr=False)
    examples: Mapping[str, Sequence[str]] = field(repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before sending."""
        found = []
        if self.sendable < SMALLEST_SERVING:
            found.append(
                f"{self.name}: fewer than {SMALLEST_SERVING} profiles can be sent; an audience serves only when "
                f"{SMALLEST_SERVING} people are matched."
            )
        if self.rows > LARGEST_ORIGINAL:
            found.append(f"{self.name}: more than 500,000 profiles: fine here, too many for Customer Insights.")
        if 0 < self.prehashed < self.valid:
            found.append(f"{self.name}: plain addresses and hashes are mixed; pushing it needs --allow-mixed.")
        return tuple(found)

    def bars(self) -> list[Bar]:
        """Return the steps of the funnel."""
        return [
            Bar("Profiles", self.rows),
            Bar("With e-mail", self.with_email),
            Bar("Valid", self.valid),
            Bar("Sendable", self.sendable),
        ]


@dataclass(frozen=True)
class Coverage:
    """The preview of one or several segments.

    Parameters
    ----------
    segments
        The numbers of each segment.
    normalization
        The rule that they hold for.
    overlap
        Hashes that two segments share, by their names; for several segments only.
    destination
        Where an export would go; None when no connection was named.
    """

    segments: tuple[SegmentCoverage, ...]
    normalization: str
    overlap: Mapping[tuple[str, str], int]
    destination: str | None = None

    @property
    def sendable(self) -> int:
        """Profiles that would be sent, over all segments."""
        return sum(each.sendable for each in self.segments)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before sending."""
        return tuple(warning for each in self.segments for warning in each.warnings)

    @property
    def expected_match(self) -> str:
        """What is known of the size that the audience will reach."""
        return "How many of them Microsoft can match is not known before an audience of this account has its size."

    def to_frame(self) -> pd.DataFrame:
        """Return one row per segment and measure: profiles, and their share of the segment."""
        import pandas as pd

        rows = [
            (each.name, measure, kind, count, count / each.rows if each.rows else 0.0)
            for each in self.segments
            for measure, kind, count in _measures(each)
        ]
        return pd.DataFrame(rows, columns=["segment", "measure", "kind", "profiles", "share"])

    def __repr__(self) -> str:
        lines = [self.destination] if self.destination else []
        for each in self.segments:
            lines += [f"Coverage of '{each.name}' ({self.normalization})", funnel_text(each.bars())]
            lines += [
                f"  {counted(count):>9}  {reason}: {_EXPLAINED[reason]}"
                for reason, count in each.reasons.items()
                if count
            ]
        lines += self.warnings
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, str]:
        pictures = [draw_funnel(each.name, each.bars()) for each in self.segments]
        if len(self.segments) > 1:
            pictures.append(draw_overlap([(each.name, each.hashes) for each in self.segments], self.overlap))
        images = "".join(as_image(picture) for picture in pictures)
        return {
            "text/html": f"{_line(self.destination)}{images}{self._table()}{''.join(map(_line, self._notes()))}",
            "image/svg+xml": pictures[0].svg,
            "text/plain": repr(self),
        }

    def _notes(self) -> list[str]:
        differs = sum(each.differs for each in self.segments)
        notes = [f"Normalization: {self.normalization}. The hashes of {counted(differs)} profiles depend on it."]
        return [*notes, *self.warnings, self.expected_match]

    def _table(self) -> str:
        rows = [
            f"<tr><td style='text-align:left'>{html.escape(each.name)}</td>"
            f"<td style='text-align:left'>{_EXPLAINED[reason]}</td>"
            f"<td>{counted(count)}</td><td>{count / each.rows:.1%}</td>"
            f"<td style='text-align:left'>{html.escape(', '.join(each.examples.get(reason, ())))}</td></tr>"
            for each in self.segments
            for reason, count in _given(each.reasons)
        ]
        if not rows:
            return ""
        heads = ("Segment", "Why not", "Profiles", "Share", "For example")
        head = "".join(f"<th style='text-align:left'>{each}</th>" for each in heads)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def cover(
    matched: Mapping[str, Matched],
    *,
    normalization: str = "basic",
    scratch: Scratch | None = None,
    ledgers: Mapping[str, HashList] | None = None,
    destination: str | None = None,
) -> Coverage:
    """Count what can be matched.

    Parameters
    ----------
    matched
        Matched profiles by segment name.
    normalization
        The rule that decides.
    scratch
        Where long lists of hashes go for the moment.
    ledgers
        Hashes that the audience of a segment holds already, by segment name.
    destination
        Where an export would go.

    Raises
    ------
    ArgumentError
        The normalization is unknown.
    """
    require_normalization(normalization)
    scratch = scratch or Scratch()
    counted = {name: count_profiles(each.profiles, normalization, scratch) for name, each in matched.items()}
    segments = tuple(cover_one(name, each, counted[name], (ledgers or {}).get(name)) for name, each in matched.items())
    return Coverage(segments, normalization, _overlaps(counted), destination)


def cover_one(name: str, matched: Matched, counted: Counted, ledger: HashList | None = None) -> SegmentCoverage:
    """Return the numbers of one segment that was counted already."""
    new, gone, unchanged = _against(counted.hashes, ledger)
    return SegmentCoverage(
        name=name,
        rows=counted.rows,
        with_email=counted.rows - counted.reasons["missing"],
        valid=counted.valid,
        unique=counted.unique,
        sendable=counted.unique - counted.suppressed,
        hashes=len(counted.hashes),
        prehashed=counted.prehashed,
        reasons={**counted.reasons, "duplicate": counted.valid - counted.unique, "suppressed": counted.suppressed},
        differs=counted.differs,
        new=new,
        gone=gone,
        unchanged=unchanged,
        domains=matched.domains,
        examples=matched.examples,
    )


def _against(hashes: HashList, ledger: HashList | None) -> tuple[int | None, int | None, int | None]:
    if ledger is None:
        return None, None, None
    unchanged = shared(hashes, ledger)
    return len(hashes) - unchanged, len(ledger) - unchanged, unchanged


def _overlaps(counted: Mapping[str, Counted]) -> dict[tuple[str, str], int]:
    return {
        (first, second): shared(counted[first].hashes, counted[second].hashes)
        for first, second in combinations(counted, 2)
    }


def _measures(each: SegmentCoverage) -> list[tuple[str, str, int]]:
    funnel = [("rows", each.rows), ("with_email", each.with_email), ("valid", each.valid)]
    funnel += [("unique", each.unique), ("sendable", each.sendable), ("prehashed", each.prehashed)]
    funnel += [("differs", each.differs)]
    against = [("new", each.new), ("gone", each.gone), ("unchanged", each.unchanged)]
    return [
        *[(name, "count", count) for name, count in funnel],
        *[(name, "reason", count) for name, count in each.reasons.items()],
        *[(name, "hashes", count) for name, count in against if count is not None],
    ]


def _given(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(reason, count) for reason, count in reasons.items() if count]


def _line(text: str | None) -> str:
    return f"<div>{html.escape(text)}</div>" if text else ""
