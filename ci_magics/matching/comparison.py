"""Draw the funnels of several segments below each other: each full bar is all profiles of a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_magics.display.numbers import Share, clean, format_count
from ci_magics.matching.drawing import FAINT, GREEN, TRACK, Picture, block, cut, length, numbered, panel, text
from ci_magics.matching.funnel import Bar, funnel_words

_WIDTH = 720
_TOP, _STEP = 88, 34
_NAMES, _LEFT, _BAR = 18, 206, 250
_COUNTS, _SHARES, _WHOLES = 553, 611, 702
_SHADES = ("#d3dbe3", "#b4cbe2", "#7fb0da", GREEN)


@dataclass(frozen=True)
class Row:
    """One segment: its name and the steps of its funnel, from all profiles to those that can be sent."""

    name: str
    bars: Sequence[Bar]


def draw_comparison(rows: Sequence[Row]) -> Picture:
    """Draw how many profiles of each segment can be sent, with each step inside the previous one."""
    parts = list(_legend([bar.label for bar in rows[0].bars]))
    for place, row in enumerate(rows):
        parts += _row(_TOP + place * _STEP, numbered(place, row.name), row)
    alt = "; ".join(f"{clean(row.name)}: {funnel_words(row.bars)}" for row in rows)
    return panel("Coverage by segment", parts, _WIDTH, _TOP + len(rows) * _STEP + 10, f"Coverage by segment. {alt}.")


def _shades(count: int) -> tuple[str, ...]:
    return (*_SHADES[: count - 1], GREEN)


def _legend(labels: Sequence[str]) -> Iterator[str]:
    left = float(_NAMES)
    for label, shade in zip(labels, _shades(len(labels)), strict=True):
        yield block(left, 52, 12, 12, shade, radius=2)
        yield text(left + 18, 62, label, size=12, fill=FAINT)
        left += 105
    yield text(_SHARES, 62, "Sendable", anchor="end", size=12, fill=FAINT)
    yield text(_WHOLES, 62, "of profiles", anchor="end", size=12, fill=FAINT)


def _row(top: float, name: str, row: Row) -> Iterator[str]:
    total, sendable = row.bars[0].count, row.bars[-1].count
    yield text(_NAMES, top + 15, cut(name, _LEFT - _NAMES - 12))
    yield block(_LEFT, top, _BAR, 22, TRACK)
    for bar, shade in zip(row.bars, _shades(len(row.bars)), strict=True):
        yield block(_LEFT, top, length(bar.count, total, _BAR), 22, shade)
    yield text(_COUNTS, top + 15, format_count(sendable), anchor="end", bold=True)
    yield text(_SHARES, top + 15, Share(sendable, total).percent, anchor="end", fill=FAINT)
    yield text(_WHOLES, top + 15, format_count(total), anchor="end", fill=FAINT)
