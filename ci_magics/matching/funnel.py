"""Draw the funnel of one segment: how many profiles are left after each step, and what is new to the audience."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_magics.display.numbers import Share, clean, format_count
from ci_magics.matching.drawing import (
    EDGE,
    FAINT,
    GREEN,
    LOSS,
    MINUS,
    PALE_GREEN,
    TRACK,
    Picture,
    block,
    length,
    panel,
    text,
)
from ci_magics.matching.expected import Expected

_WIDTH = 720
_TOP, _STEP = 54, 32
_LABELS, _LEFT, _BAR = 130, 142, 300
_COUNTS, _SHARES, _LOSSES = 545, 604, 702
_SHADES = ("#3b6ea8", "#4a8ac4", "#5fa6d8", GREEN)
_UNCHANGED, _GONE = "#8ba3bb", "#c2603f"
_EXPECTED, _AGAINST = 46, 90
_BLOCKS = 20


@dataclass(frozen=True)
class Bar:
    """One step of a funnel, in profiles."""

    label: str
    count: int


@dataclass(frozen=True)
class Changes:
    """The hashes that an export would keep in the audience, add, and remove."""

    unchanged: int
    new: int
    gone: int

    @property
    def parts(self) -> tuple[tuple[str, Share], ...]:
        """Each change with its share: of the hashes to send, and for ``gone`` of the hashes in the audience."""
        wanted, held = self.unchanged + self.new, self.unchanged + self.gone
        return (
            ("unchanged", Share(self.unchanged, wanted)),
            ("new", Share(self.new, wanted)),
            ("gone", Share(self.gone, held)),
        )

    def __str__(self) -> str:
        return ", ".join(f"{word} {share}" for word, share in self.parts)


def draw_funnel(
    title: str, bars: Sequence[Bar], expected: Expected | None = None, changes: Changes | None = None
) -> Picture:
    """Draw how many profiles are left after each step.

    Parameters
    ----------
    title
        The segment's name.
    bars
        The steps; the first one is all profiles.
    expected
        How many people may be matched, if known.
    changes
        What an export would change in the audience, if known.
    """
    total = bars[0].count
    parts = [part for index, bar in enumerate(bars) for part in _step(_TOP + index * _STEP, index, bar, bars)]
    bottom = _TOP + len(bars) * _STEP
    sentences = [f"Coverage of {clean(title)}: {funnel_words(bars)}."]
    if expected is not None:
        parts += _expected(bottom, expected, total)
        bottom += _EXPECTED
        sentences.append(f"Expected match: {expected_words(expected, total)}, from {expected.basis}.")
    if changes is not None:
        parts += _draw_changes(bottom, changes)
        bottom += _AGAINST
        sentences.append(f"Against the audience: {changes}.")
    return panel(title, parts, _WIDTH, bottom + 8, " ".join(sentences))


def funnel_words(bars: Sequence[Bar]) -> str:
    """Return a funnel as a phrase."""
    return ", ".join(f"{bar.label.lower()} {Share(bar.count, bars[0].count)}" for bar in bars)


def funnel_text(bars: Sequence[Bar]) -> str:
    """Return a funnel as lines of text."""
    total = bars[0].count
    shares = [(bar, Share(bar.count, total)) for bar in bars]
    return "\n".join(
        f"  {format_count(bar.count):>10}  {'#' * round(length(bar.count, total, _BLOCKS)):<{_BLOCKS}}  "
        f"{bar.label}{f' ({share.percent})' if total else ''}"
        for bar, share in shares
    )


def expected_words(expected: Expected, total: int) -> str:
    """Return a range of people with their shares of the total."""
    if expected.low == expected.high:
        return f"about {Share(expected.low, total)}"
    return f"{Share(expected.low, total)} to {Share(expected.high, total)}"


def _step(top: float, index: int, bar: Bar, bars: Sequence[Bar]) -> Iterator[str]:
    total, lost = bars[0].count, bars[index - 1].count - bar.count if index else 0
    shade = _SHADES[-1] if index == len(bars) - 1 else _SHADES[min(index, len(_SHADES) - 2)]
    yield text(_LABELS, top + 15, bar.label, anchor="end")
    yield block(_LEFT, top, _BAR, 22, TRACK)
    yield block(_LEFT, top, length(bar.count, total, _BAR), 22, shade)
    yield text(_COUNTS, top + 15, format_count(bar.count), anchor="end", bold=True)
    yield text(_SHARES, top + 15, Share(bar.count, total).percent, anchor="end", fill=FAINT)
    if lost:
        yield text(_LOSSES, top + 15, f"{MINUS}{format_count(lost)}", anchor="end", fill=LOSS, size=12)


def _expected(top: float, expected: Expected, total: int) -> Iterator[str]:
    low, high = Share(expected.low, total), Share(expected.high, total)
    same = expected.low == expected.high
    people = format_count(low.count) if same else f"{format_count(low.count)} to {format_count(high.count)}"
    shares = low.percent if same else f"{low.percent} to {high.percent}"
    yield text(_LABELS, top + 15, "Expected match", anchor="end")
    yield block(_LEFT, top, _BAR, 22, TRACK)
    yield block(_LEFT, top, length(high.count, total, _BAR), 22, PALE_GREEN)
    yield block(_LEFT, top, length(low.count, total, _BAR), 22, GREEN)
    yield text(_LEFT + _BAR + 14, top + 11, f"about {people}" if same else people, bold=True)
    yield text(_LEFT + _BAR + 14, top + 27, f"{shares}, from {expected.basis}", fill=FAINT, size=11)


def _draw_changes(top: float, changes: Changes) -> Iterator[str]:
    total = changes.unchanged + changes.new + changes.gone
    available = _LOSSES - _LEFT
    left: float = _LEFT
    yield f'<path d="M18 {top + 4:g}H{_WIDTH - 18}" stroke="{EDGE}"/>'
    yield text(_LABELS, top + 31, "In the audience", anchor="end")
    yield block(_LEFT, top + 16, available, 22, TRACK)
    shades = (_UNCHANGED, GREEN, _GONE)
    for index, ((word, share), shade) in enumerate(zip(changes.parts, shades, strict=True)):
        width = length(share.count, total, available)
        yield block(min(left, _LOSSES - width), top + 16, width, 22, shade, radius=0)
        left += width
        start = _LEFT + index * 190
        note = f"{word} ({share.percent}{' of before' if word == 'gone' else ''})" if share.whole else word
        yield block(start, top + 50, 10, 10, shade, radius=2)
        yield text(start + 17, top + 60, format_count(share.count), bold=True)
        yield text(start + 17, top + 76, note, fill=FAINT, size=12)
