"""Coverage as HTML: a picture first, then the details."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence

from ci_magics.display.html_table import Cell, table
from ci_magics.display.numbers import Share, clean
from ci_magics.matching.comparison import Row, draw_comparison
from ci_magics.matching.coverage_text import EXPLAINED, notes, reasons_that_occur, top_domains
from ci_magics.matching.covered_segments import CoveredSegments, SegmentCoverage
from ci_magics.matching.drawing import Picture, as_image, cut, numbered
from ci_magics.matching.funnel import draw_funnel
from ci_magics.matching.overlap import draw_overlap
from ci_magics.matching.tally import OTHER

_WARNING = "border-left:4px solid var(--jp-warn-color1, #c77700);padding:2px 0 2px 10px;margin:6px 0"
_EXAMPLES = 3
_DOMAINS = 8
_ALL_HEADS, _NARROWEST = 420, 96


def coverage_html(coverage: CoveredSegments) -> str:
    """Return the coverage as HTML that works in an untrusted notebook."""
    parts = [
        _line(coverage.destination, bold=True),
        *(as_image(picture) for picture in coverage_pictures(coverage)),
        *(f"<div style='{_WARNING}'>{_escaped(warning)}</div>" for warning in coverage.warnings),
        _details(coverage),
        _reasons(coverage),
        _domains(coverage),
        *map(_line, _notes(coverage)),
    ]
    return "".join(parts)


def coverage_pictures(coverage: CoveredSegments) -> list[Picture]:
    """Return the funnel of one segment, or the comparison and the overlap of several."""
    segments = coverage.segments
    if len(segments) == 1:
        (only,) = segments
        return [draw_funnel(only.name, only.bars(), only.expected, only.changes)]
    rows = [Row(each.name, each.bars()) for each in segments]
    return [draw_comparison(rows), draw_overlap([(each.name, each.hashes) for each in segments], coverage.overlap)]


def _reasons(coverage: CoveredSegments) -> str:
    found = {reason for each in coverage.segments for reason, _count in reasons_that_occur(each)}
    rows: list[list[Cell]] = []
    for reason, words in EXPLAINED.items():
        if reason in found:
            counts = [Share(each.reasons[reason], each.rows) for each in coverage.segments]
            rows.append([words, *counts, ", ".join(_examples(coverage.segments, reason))])
    return _pivot("Why profiles are not sendable", "Reason", coverage, rows, "For example") if rows else ""


def _examples(segments: Sequence[SegmentCoverage], reason: str) -> list[str]:
    examples = [example for each in segments for example in each.examples.get(reason, ())]
    return list(dict.fromkeys(examples))[: _EXAMPLES if len(segments) == 1 else 1]


def _details(coverage: CoveredSegments) -> str:
    """Return a table of the counts of several segments; for one segment, the picture shows them."""
    if len(coverage.segments) == 1:
        return ""
    rows = [
        [label, *(value(each) for each in coverage.segments)]
        for label, value in _DETAILS.items()
        if any(value(each) is not None for each in coverage.segments)
    ]
    return _pivot("In numbers", "Measure", coverage, rows)


def _domains(coverage: CoveredSegments) -> str:
    tops = [top_domains(each.domains) for each in coverage.segments]
    names = list(dict.fromkeys(name for top in tops for name in top if name != OTHER))[:_DOMAINS]
    rows: list[list[Cell]] = [[name, *(_of_domains(each, [name]) for each in coverage.segments)] for name in names]
    rest = [_of_domains(each, each.domains.keys() - names) for each in coverage.segments]
    if any(share.count for share in rest):
        rows.append([OTHER, *rest])
    return _pivot("Domains", "Domain", coverage, rows) if rows else ""


def _pivot(caption: str, first: str, coverage: CoveredSegments, rows: Sequence[Sequence[Cell]], *last: str) -> str:
    """Return a table with one column for each segment."""
    width = _ALL_HEADS / len(coverage.segments)
    names = [cut(numbered(*each), max(width, _NARROWEST)) for each in enumerate(s.name for s in coverage.segments)]
    return table([first, *(names if len(names) > 1 else ["Profiles"]), *last], rows, caption=caption)


def _notes(coverage: CoveredSegments) -> list[str]:
    sentences = [f"Normalization: {coverage.normalization}."]
    first, *others = coverage.segments
    if not others:
        return [*sentences, *(f"{note}." for note in notes(first)), coverage.expected_match]
    if first.expected is None:
        return [*sentences, coverage.expected_match]
    return [*sentences, f"The expected match is based on {first.expected.basis} of this account."]


def _of_domains(each: SegmentCoverage, names: Iterable[str]) -> Share:
    return Share(sum(each.domains.get(name, 0) for name in names), sum(each.domains.values()))


def _changes_at(index: int) -> Callable[[SegmentCoverage], Cell]:
    return lambda each: each.changes.parts[index][1] if each.changes else None


_DETAILS: dict[str, Callable[[SegmentCoverage], Cell]] = {
    "Profiles": lambda each: Share(each.rows, each.rows),
    "With e-mail": lambda each: Share(each.with_email, each.rows),
    "Valid": lambda each: Share(each.valid, each.rows),
    "Unique": lambda each: Share(each.unique, each.rows) if each.unique != each.sendable else None,
    "Sendable": lambda each: Share(each.sendable, each.rows),
    "Differs between rules": lambda each: Share(each.differs, each.rows),
    "Hashed already": lambda each: Share(each.prehashed, each.rows),
    "In the audience: unchanged": _changes_at(0),
    "In the audience: new": _changes_at(1),
    "In the audience: gone": _changes_at(2),
    "Expected match": lambda each: Share(each.expected.low, each.rows) if each.expected else None,
    "Expected match, at best": lambda each: (
        Share(each.expected.high, each.rows) if each.expected and each.expected.high > each.expected.low else None
    ),
}


def _escaped(text: str) -> str:
    return html.escape(clean(text))


def _line(text: str | None, *, bold: bool = False) -> str:
    if not text:
        return ""
    return f"<div><b>{_escaped(text)}</b></div>" if bold else f"<div>{_escaped(text)}</div>"
