"""Coverage as text for terminals, screen readers and logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ci_magics.display.numbers import Share, clean, format_count
from ci_magics.matching.covered_segments import CoveredSegments, SegmentCoverage
from ci_magics.matching.funnel import funnel_text
from ci_magics.matching.overlap import overlap_words
from ci_magics.matching.tally import OTHER

EXPLAINED = {
    "missing": "no address",
    "poison_hash": "the hash of an empty value",
    "no_at": "no @",
    "many_at": "more than one @",
    "inner_space": "a space inside",
    "hidden_character": "an invisible character inside",
    "bad_local": "not valid before the @",
    "bad_domain": "not a domain after the @",
    "duplicate": "same address as another profile",
    "suppressed": "on the suppression list",
    "refused": "refused marketing",
    "no_consent": "consent unknown",
}
SHOWN_DOMAINS = 5


def coverage_text(coverage: CoveredSegments) -> str:
    """Return the complete coverage as lines of text."""
    lines = [coverage.destination] if coverage.destination else []
    for each in coverage.segments:
        lines += _segment(coverage, each)
    lines += overlap_sentences(coverage)
    lines += [f"! {clean(warning)}" for warning in coverage.warnings]
    return "\n".join([*lines, coverage.expected_match])


def reasons_that_occur(each: SegmentCoverage) -> list[tuple[str, int]]:
    """Return the reasons that occur, with the number of profiles."""
    return [(reason, count) for reason, count in each.reasons.items() if count]


def top_domains(domains: Mapping[str, int], most: int = SHOWN_DOMAINS) -> dict[str, Share]:
    """Return the most frequent domains; all others are grouped under ``other``."""
    total = sum(domains.values())
    named = [name for name in domains if name != OTHER][:most]
    rest = total - sum(domains[name] for name in named)
    shown = {name: Share(domains[name], total) for name in named}
    return {**shown, **({OTHER: Share(rest, total)} if rest else {})}


def notes(each: SegmentCoverage) -> Iterator[str]:
    """Yield sentences about hashes and consents, with numbers of profiles."""
    if each.differs:
        yield f"With a different hash under enhanced than under basic: {Share(each.differs, each.rows)}"
    if each.prehashed:
        yield f"Already hashed, by an unknown rule: {Share(each.prehashed, each.rows)}"
    if each.consent is not None:
        yield str(each.consent)


def overlap_sentences(coverage: CoveredSegments) -> list[str]:
    """Return a line for each pair of segments."""
    sizes = {each.name: each.hashes for each in coverage.segments}
    return [f"{overlap_words(sizes, pair, count)}." for pair, count in coverage.overlap.items()]


def _segment(coverage: CoveredSegments, each: SegmentCoverage) -> Iterator[str]:
    yield f"Coverage of '{clean(each.name)}' ({coverage.normalization})"
    yield funnel_text(each.bars())
    for reason, count in reasons_that_occur(each):
        examples = ", ".join(dict.fromkeys(each.examples.get(reason, ())))
        yield f"  {format_count(count):>10}  {reason}: {EXPLAINED[reason]}{f' ({examples})' if examples else ''}"
    for note in notes(each):
        yield f"  {note}."
    if each.domains:
        domains = ", ".join(f"{name} {share}" for name, share in top_domains(each.domains).items())
        yield f"  Domains: {domains}."
    if each.changes is not None:
        yield f"  Against the audience: {each.changes}."
