"""The funnel of one segment: how many profiles are left after each step, and what is new to the audience."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_magics.display.numbers import Share, clean, counted
from ci_magics.matching.expected import Expected
from ci_magics.matching.picture import (
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

_WIDTH = 720
_TOP, _STEP = 54, 32
_LABELS, _LEFT, _BAR = 130, 142, 300
_COUNTS, _SHARES, _LOSSES = 545, 604, 702
_SHADES = ("#3b6ea8", "#4a8ac4", "#5fa6d8", GREEN)
_STANDING, _LEAVING = "#8ba3bb", "#c2603f"
_EXPECTED, _AGAINST = 46, 90
_BLOCKS = 20


@dataclass(frozen=True)
class Bar:
    """One step of a funnel, in profiles."""

    label: str
    count: int


@dataclass(frozen=True)
class Changes:
    """What an export would change, in hashes: those that stay, go in, and go out of the audience."""

    unchanged: int
    new: int
    gone: int

    @property
    def parts(self) -> tuple[tuple[str, Share], ...]:
        """Each with what it is a part of: of what would be sent, and for the last of what the audience holds."""
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
        The steps; the first is the whole.
    expected
        How many people may be matched, where that is known.
    changes
        What is new to the audience, where that is known.
    """
    whole = bars[0].count
    parts = [part for place, bar in enumerate(bars) for part in _step(_TOP + place * _STEP, place, bar, bars)]
    bottom = _TOP + len(bars) * _STEP
    said = [f"Coverage of {clean(title)}: {funnel_words(bars)}."]
    if expected is not None:
        parts += _expected(bottom, expected, whole)
        bottom += _EXPECTED
        said.append(f"Expected match: {expected_words(expected, whole)}, from {expected.basis}.")
    if changes is not None:
        parts += _against(bottom, changes)
        bottom += _AGAINST
        said.append(f"Against the audience: {changes}.")
    return panel(title, parts, _WIDTH, bottom + 8, " ".join(said))


def funnel_words(bars: Sequence[Bar]) -> str:
    """Return a funnel as a phrase for the middle of a sentence."""
    return ", ".join(f"{bar.label.lower()} {Share(bar.count, bars[0].count)}" for bar in bars)


def funnel_text(bars: Sequence[Bar]) -> str:
    """Return a funnel as lines of text."""
    whole = bars[0].count
    shares = [(bar, Share(bar.count, whole)) for bar in bars]
    return "\n".join(
        f"  {counted(bar.count):>10}  {'#' * round(length(bar.count, whole, _BLOCKS)):<{_BLOCKS}}  "
        f"{bar.label}{f' ({share.percent})' if whole else ''}"
        for bar, share in shares
    )


def expected_words(expected: Expected, whole: int) -> str:
    """Return a range of people with its shares."""
    if expected.low == expected.high:
        return f"about {Share(expected.low, whole)}"
    return f"{Share(expected.low, whole)} to {Share(expected.high, whole)}"


def _step(top: float, place: int, bar: Bar, bars: Sequence[Bar]) -> Iterator[str]:
    whole, lost = bars[0].count, bars[place - 1].count - bar.count if place else 0
    shade = _SHADES[-1] if place == len(bars) - 1 else _SHADES[min(place, len(_SHADES) - 2)]
    yield text(_LABELS, top + 15, bar.label, anchor="end")
    yield block(_LEFT, top, _BAR, 22, TRACK)
    yield block(_LEFT, top, length(bar.count, whole, _BAR), 22, shade)
    yield text(_COUNTS, top + 15, counted(bar.count), anchor="end", bold=True)
    yield text(_SHARES, top + 15, Share(bar.count, whole).percent, anchor="end", fill=FAINT)
    if lost:
        yield text(_LOSSES, top + 15, f"{MINUS}{counted(lost)}", anchor="end", fill=LOSS, size=12)


def _expected(top: float, expected: Expected, whole: int) -> Iterator[str]:
    low, high = Share(expected.low, whole), Share(expected.high, whole)
    same = expected.low == expected.high
    people = counted(low.count) if same else f"{counted(low.count)} to {counted(high.count)}"
    shares = low.percent if same else f"{low.percent} to {high.percent}"
    yield text(_LABELS, top + 15, "Expected match", anchor="end")
    yield block(_LEFT, top, _BAR, 22, TRACK)
    yield block(_LEFT, top, length(high.count, whole, _BAR), 22, PALE_GREEN)
    yield block(_LEFT, top, length(low.count, whole, _BAR), 22, GREEN)
    yield text(_LEFT + _BAR + 14, top + 11, f"about {people}" if same else people, bold=True)
    yield text(_LEFT + _BAR + 14, top + 27, f"{shares}, from {expected.basis}", fill=FAINT, size=11)


def _against(top: float, changes: Changes) -> Iterator[str]:
    whole = changes.unchanged + changes.new + changes.gone
    room = _LOSSES - _LEFT
    left: float = _LEFT
    yield f'<path d="M18 {top + 4:g}H{_WIDTH - 18}" stroke="{EDGE}"/>'
    yield text(_LABELS, top + 31, "In the audience", anchor="end")
    yield block(_LEFT, top + 16, room, 22, TRACK)
    shades = (_STANDING, GREEN, _LEAVING)
    for place, ((word, share), shade) in enumerate(zip(changes.parts, shades, strict=True)):
        width = length(share.count, whole, room)
        yield block(min(left, _LOSSES - width), top + 16, width, 22, shade, radius=0)
        left += width
        start = _LEFT + place * 190
        note = f"{word} ({share.percent}{' of before' if word == 'gone' else ''})" if share.whole else word
        yield block(start, top + 50, 10, 10, shade, radius=2)
        yield text(start + 17, top + 60, counted(share.count), bold=True)
        yield text(start + 17, top + 76, note, fill=FAINT, size=12)
