"""The counts of a coverage, and sentences about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ci_magics.advice import Opt
from ci_magics.display.numbers import clean, format_count, pluralize
from ci_magics.matching.doubts import MISTYPED, PLACEHOLDER
from ci_magics.matching.expected import Expected
from ci_magics.matching.funnel import Bar, Changes, expected_words
from ci_magics.matching.matched import Matched
from ci_magics.segmentation.consent.document import SegmentConsent

SMALLEST_SERVING = 300
LARGEST_ORIGINAL = 500_000


@dataclass(frozen=True)
class SegmentCoverage:
    """The counts of one segment, in profiles unless stated otherwise.

    Parameters
    ----------
    name
        The segment.
    rows, with_email, valid, unique, sendable
        All profiles; those with a value; with a valid value; with a distinct value; those that would be sent.
    hashes
        Number of hashes that would be sent: up to two for each profile under ``both``.
    prehashed
        Those whose value was already a hash.
    reasons
        Those that are not sendable, by reason, in order of precedence.
    differs
        Those whose hash depends on the normalization.
    new, gone, unchanged
        How the hashes differ from those in the audience; None if no audience is known.
    domains, examples
        Profiles by domain, and masked values by reason.
    expected
        How many people Microsoft may match; None if that is unknown.
    remark
        A remark about the audience; empty if there is none.
    placeholders
        Valid placeholder addresses, such as ``test@test.com``.
    mistyped
        Valid addresses whose domain is probably mistyped, by the well-known domain that was probably meant.
    consent
        Who agreed; None if the segment does not know.
    consent_question
        What you must decide about consents before an export sends anything; empty if nothing.
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
    expected: Expected | None = None
    remark: str = ""
    placeholders: int = 0
    mistyped: Mapping[str, int] = field(default_factory=dict)
    consent: SegmentConsent | None = None
    consent_question: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to read before sending."""
        found = [each for each in (self.consent_question, self.remark) if each]
        if self.sendable < SMALLEST_SERVING:
            found.append(
                f"{self.name}: fewer than {SMALLEST_SERVING} profiles can be sent; an audience serves only if "
                f"{SMALLEST_SERVING} people are matched."
            )
        if self.rows > LARGEST_ORIGINAL:
            found.append(
                f"{self.name}: more than {format_count(LARGEST_ORIGINAL)} profiles: fine here, "
                "too many for Customer Insights."
            )
        if 0 < self.prehashed < self.valid:
            found.append(f"{self.name}: plain addresses and hashes are mixed; sending both must be allowed.")
        found += doubt_sentences(self)
        return tuple(found)

    @property
    def changes(self) -> Changes | None:
        """What an export would change in the audience; None if that is unknown."""
        if self.new is None or self.gone is None or self.unchanged is None:
            return None
        return Changes(unchanged=self.unchanged, new=self.new, gone=self.gone)

    def bars(self) -> list[Bar]:
        """Return the steps of the funnel."""
        steps = [("Profiles", self.rows), ("With e-mail", self.with_email), ("Valid", self.valid)]
        if self.unique != self.sendable:
            steps.append(("Unique", self.unique))
        return [Bar(label, count) for label, count in [*steps, ("Sendable", self.sendable)]]


@dataclass(frozen=True)
class CoveredSegments:
    """The counts that a `Coverage` shows; it describes the fields."""

    segments: tuple[SegmentCoverage, ...]
    normalization: str
    overlap: Mapping[tuple[str, str], int]
    destination: str | None = None
    matched: Mapping[str, Matched] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sendable(self) -> int:
        """Profiles that would be sent, over all segments."""
        return sum(each.sendable for each in self.segments)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to read before sending."""
        return tuple(warning for each in self.segments for warning in each.warnings)

    @property
    def expected_match(self) -> str:
        """What is known about the future size of the audiences, in words."""
        return " ".join(dict.fromkeys(expected_sentence(self, each) for each in self.segments))


def doubt_sentences(each: SegmentCoverage) -> Iterator[str]:
    """Yield a warning for each kind of doubtful address, and how to list the profiles."""
    if each.placeholders:
        found = pluralize(each.placeholders, "placeholder")
        yield (
            f"{each.name}: {found}, such as test or noemail before the @, or the domain example.com: nobody reads mail "
            f'there. Their keys: coverage.profiles("{PLACEHOLDER}").'
        )
    if each.mistyped:
        count = sum(each.mistyped.values())
        found = f"{pluralize(count, 'address')} with a domain that is"
        written = ", ".join(each.examples.get(MISTYPED, ()))
        meant = ", ".join(f"{domain} {format_count(number)}" for domain, number in each.mistyped.items())
        yield (
            f"{each.name}: {found} probably mistyped{f' (such as {written})' if written else ''}. Probably meant: "
            f'{meant}. No address was changed. Their keys: coverage.profiles("{MISTYPED}").'
        )


def expected_sentence(coverage: CoveredSegments, each: SegmentCoverage) -> str:
    """Return a sentence about the future size of a segment's audience."""
    if each.expected is not None:
        name = f" of '{clean(each.name)}'" if len(coverage.segments) > 1 else ""
        words = expected_words(each.expected, each.rows)
        return f"Expected match{name}: {words}, based on {each.expected.basis} of this account."
    if coverage.destination is None:
        return (
            "Without an account, it is not known how many of them Microsoft can match: choose a connection to compare "
            f"with ({Opt('to')})."
        )
    return (
        "It is not known how many of them Microsoft can match until an audience of this account, "
        f"filled under the normalization {coverage.normalization}, has its size."
    )
