"""Coverage in words: what a terminal shows, a screen reader says and a log keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ci_magics.display.numbers import Share, clean, counted, counted_in_words
from ci_magics.matching.doubts import MISTYPED, PLACEHOLDER
from ci_magics.matching.funnel import expected_words, funnel_text
from ci_magics.matching.overlap import overlap_words
from ci_magics.matching.tally import OTHER

if TYPE_CHECKING:
    from ci_magics.matching.coverage import Coverage, SegmentCoverage

EXPLAINED = {
    "missing": "no address",
    "poison_hash": "the hash of an empty value",
    "no_at": "no @",
    "many_at": "more than one @",
    "inner_space": "a blank inside",
    "hidden_character": "an invisible character inside",
    "bad_local": "not legal before the @",
    "bad_domain": "not a domain after the @",
    "duplicate": "same address as another profile",
    "suppressed": "on the suppression list",
    "refused": "refused marketing",
    "no_consent": "no consent is known",
}
SHOWN_DOMAINS = 5


def coverage_text(coverage: Coverage) -> str:
    """Return everything that a coverage knows, as lines of text."""
    lines = [coverage.destination] if coverage.destination else []
    for each in coverage.segments:
        lines += _segment(coverage, each)
    lines += overlap_sentences(coverage)
    lines += [f"! {clean(warning)}" for warning in coverage.warnings]
    return "\n".join([*lines, coverage.expected_match])


def given_reasons(each: SegmentCoverage) -> list[tuple[str, int]]:
    """Return the reasons that occur, with their numbers of profiles."""
    return [(reason, count) for reason, count in each.reasons.items() if count]


def top_domains(domains: Mapping[str, int], most: int = SHOWN_DOMAINS) -> dict[str, Share]:
    """Return the domains that most profiles have; all further ones are together under ``other``."""
    whole = sum(domains.values())
    named = [name for name in domains if name != OTHER][:most]
    rest = whole - sum(domains[name] for name in named)
    shown = {name: Share(domains[name], whole) for name in named}
    return {**shown, **({OTHER: Share(rest, whole)} if rest else {})}


def notes(each: SegmentCoverage) -> Iterator[str]:
    """Yield the sentences about hashes and consents, in profiles."""
    if each.differs:
        yield f"With another hash under enhanced than under basic: {Share(each.differs, each.rows)}"
    if each.prehashed:
        yield f"Hashed already, by an unknown rule: {Share(each.prehashed, each.rows)}"
    if each.consent is not None:
        yield str(each.consent)


def doubt_sentences(each: SegmentCoverage) -> Iterator[str]:
    """Yield a warning for each kind of doubtful addresses, with how to find them."""
    if each.placeholders:
        found = counted_in_words(each.placeholders, "placeholder")
        yield (
            f"{each.name}: {found}, such as test or noemail before the @, or the domain example.com: nobody reads mail "
            f'there. Their keys: coverage.profiles("{PLACEHOLDER}").'
        )
    if each.mistyped:
        count = sum(each.mistyped.values())
        found = f"{counted_in_words(count, 'address')} with a domain that is"
        written = ", ".join(each.examples.get(MISTYPED, ()))
        meant = ", ".join(f"{domain} {counted(number)}" for domain, number in each.mistyped.items())
        yield (
            f"{each.name}: {found} probably mistyped{f' (such as {written})' if written else ''}. What may be meant: "
            f'{meant}. No address was changed. Their keys: coverage.profiles("{MISTYPED}").'
        )


def overlap_sentences(coverage: Coverage) -> list[str]:
    """Return a line for each pair of segments."""
    sizes = {each.name: each.hashes for each in coverage.segments}
    return [f"{overlap_words(sizes, pair, count)}." for pair, count in coverage.overlap.items()]


def expected_sentence(coverage: Coverage, each: SegmentCoverage) -> str:
    """Return what is known of the size that the audience of a segment will reach."""
    if each.expected is not None:
        name = f" of '{clean(each.name)}'" if len(coverage.segments) > 1 else ""
        words = expected_words(each.expected, each.rows)
        return f"Expected match{name}: {words}, judged by {each.expected.basis} of this account."
    if coverage.destination is None:
        return (
            "How many of them Microsoft can match is not known without an account: choose a connection to compare with "
            "(--to)."
        )
    return (
        "How many of them Microsoft can match is not known before an audience of this account, "
        f"filled under the normalization {coverage.normalization}, has its size."
    )


def _segment(coverage: Coverage, each: SegmentCoverage) -> Iterator[str]:
    yield f"Coverage of '{clean(each.name)}' ({coverage.normalization})"
    yield funnel_text(each.bars())
    for reason, count in given_reasons(each):
        examples = ", ".join(dict.fromkeys(each.examples.get(reason, ())))
        yield f"  {counted(count):>10}  {reason}: {EXPLAINED[reason]}{f' ({examples})' if examples else ''}"
    for note in notes(each):
        yield f"  {note}."
    if each.domains:
        domains = ", ".join(f"{name} {share}" for name, share in top_domains(each.domains).items())
        yield f"  Domains: {domains}."
    if each.changes is not None:
        yield f"  Against the audience: {each.changes}."
