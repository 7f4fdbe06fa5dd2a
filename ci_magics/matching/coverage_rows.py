"""Coverage as rows for frames, and as a document for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ci_magics.matching.covered_segments import CoveredSegments, SegmentCoverage
from ci_magics.matching.doubts import MISTYPED, PLACEHOLDER

Row = tuple[str, str, str, int, int]
"""Segment, kind, measure, count, and the total that the count is part of."""

_COUNTS = ("rows", "with_email", "valid", "unique", "sendable", "prehashed", "differs")
_PLAIN = ("name", "rows", "with_email", "valid", "unique", "sendable", "hashes", "prehashed", "differs")
_CHANGES = ("new", "gone", "unchanged")


def coverage_rows(coverage: CoveredSegments) -> Iterator[Row]:
    """Yield one row per segment and measure."""
    for each in coverage.segments:
        yield from _segment_rows(each)
        for (first, second), count in coverage.overlap.items():
            if each.name in (first, second):
                yield each.name, "overlap", second if each.name == first else first, count, each.hashes


def coverage_document(coverage: CoveredSegments) -> dict[str, Any]:
    """Return all counts, without addresses."""
    return {
        "destination": coverage.destination,
        "normalization": coverage.normalization,
        "segments": [_segment_document(each) for each in coverage.segments],
        "overlap": [{"segments": list(pair), "hashes": count} for pair, count in coverage.overlap.items()],
    }


def _segment_rows(each: SegmentCoverage) -> Iterator[Row]:
    for name in _COUNTS:
        yield each.name, "count", name, getattr(each, name), each.rows
    if each.consent is not None:
        for name in ("consented", "refused", "unknown"):
            yield each.name, "consent", name, getattr(each.consent, name), each.rows
    for reason, count in each.reasons.items():
        yield each.name, "reason", reason, count, each.rows
    yield each.name, "count", PLACEHOLDER, each.placeholders, each.rows
    yield each.name, "count", MISTYPED, sum(each.mistyped.values()), each.rows
    if each.changes is not None:
        shares = dict(each.changes.parts)
        for name in _CHANGES:
            yield each.name, "hashes", name, shares[name].count, shares[name].whole
    if each.expected is not None:
        yield each.name, "people", "expected_low", each.expected.low, each.rows
        yield each.name, "people", "expected_high", each.expected.high, each.rows
    for domain, count in each.domains.items():
        yield each.name, "domain", domain, count, sum(each.domains.values())


def _segment_document(each: SegmentCoverage) -> dict[str, Any]:
    expected = each.expected
    return {
        **{name: getattr(each, name) for name in _PLAIN},
        "reasons": dict(each.reasons),
        "examples": {reason: list(examples) for reason, examples in each.examples.items()},
        **{name: getattr(each, name) for name in _CHANGES},
        "expected": expected and {"low": expected.low, "high": expected.high, "audiences": expected.audiences},
        "consent": each.consent and each.consent.to_dict(),
        "domains": dict(each.domains),
        "placeholders": each.placeholders,
        "mistyped": dict(each.mistyped),
        "warnings": list(each.warnings),
    }
