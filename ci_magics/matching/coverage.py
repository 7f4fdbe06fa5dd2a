"""Coverage: how many profiles of a segment can be matched, and why the others cannot."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ci_magics.matching.matched import Hashes, Matched, as_series, sendable_hashes
from ci_magics.matching.normalize import INVALID, require_normalization, rules_of
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
    ledgers: Mapping[str, Hashes] | None = None,
    destination: str | None = None,
) -> Coverage:
    """Count what can be matched.

    Parameters
    ----------
    matched
        Matched profiles by segment name.
    normalization
        The rule that decides.
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
    hashes = {name: sendable_hashes(each.table, normalization) for name, each in matched.items()}
    segments = tuple(
        _cover_one(name, each, normalization, hashes[name], (ledgers or {}).get(name)) for name, each in matched.items()
    )
    return Coverage(segments, normalization, _overlaps(hashes), destination)


def _cover_one(
    name: str, matched: Matched, normalization: str, hashes: Hashes, ledger: Hashes | None
) -> SegmentCoverage:
    frame = _judged(matched.table, normalization)
    rows = frame.height
    counts = dict(frame.select(pl.col("reason").drop_nulls().value_counts()).unnest("reason").iter_rows())
    valid = rows - sum(counts.values())
    unique = frame.filter(pl.col("reason").is_null()).select(pl.col("identity").n_unique()).item() if valid else 0
    reasons = {reason: counts.get(reason, 0) for reason in INVALID}
    reasons |= {"duplicate": valid - unique, "suppressed": 0}
    new, gone, unchanged = _against(hashes, ledger)
    return SegmentCoverage(
        name=name,
        rows=rows,
        with_email=rows - reasons["missing"],
        valid=valid,
        unique=unique,
        sendable=unique,
        hashes=len(hashes),
        prehashed=int(frame.select((pl.col("prehashed") & pl.col("reason").is_null()).sum()).item() or 0),
        reasons=reasons,
        differs=int(frame["differs"].sum() or 0),
        new=new,
        gone=gone,
        unchanged=unchanged,
        domains=matched.domains,
        examples=matched.examples,
    )


def _judged(table: pa.Table, normalization: str) -> pl.DataFrame:
    """Return each profile's reason under a normalization, what identifies its address, and whether rules differ."""
    wanted = ["prehashed", *[f"{part}_{rule}" for rule in ("basic", "enhanced") for part in ("reason", "sha256")]]
    frame = pl.DataFrame({name: pl.Series(name, pl.from_arrow(_plain(table[name]))) for name in wanted})
    rules = rules_of(normalization)
    reason = pl.col(f"reason_{rules[0]}")
    if normalization == "both":
        reason = pl.when(pl.col("sha256_basic").is_null() & pl.col("sha256_enhanced").is_null()).then(reason)
    identity = pl.struct([f"sha256_{rule}" for rule in rules]) if len(rules) > 1 else pl.col(f"sha256_{rules[0]}")
    return frame.select(
        reason.alias("reason"),
        identity.alias("identity"),
        "prehashed",
        (pl.col("sha256_basic").ne_missing(pl.col("sha256_enhanced")) & ~pl.col("prehashed")).alias("differs"),
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    return column.cast(pa.large_binary()) if pa.types.is_fixed_size_binary(column.type) else column


def _against(hashes: Hashes, ledger: Hashes | None) -> tuple[int | None, int | None, int | None]:
    if ledger is None:
        return None, None, None
    unchanged = _shared(hashes, ledger)
    return len(hashes) - unchanged, len(ledger) - unchanged, unchanged


def _overlaps(hashes: Mapping[str, Hashes]) -> dict[tuple[str, str], int]:
    names = list(hashes)
    return {
        (first, second): _shared(hashes[first], hashes[second])
        for index, first in enumerate(names)
        for second in names[index + 1 :]
    }


def _shared(one: Hashes, other: Hashes) -> int:
    return as_series(one).to_frame().join(as_series(other).to_frame(), on="hash", how="semi").height


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
