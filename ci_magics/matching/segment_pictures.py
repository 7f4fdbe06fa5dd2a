"""Draw two segments: what they share, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence

from ci_magics.display.numbers import Share, clean, format_count
from ci_magics.matching.drawing import FAINT, INK, TRACK, Picture, block, cut, length, panel, text

_WIDTH, _LABEL, _LEFT, _BAR = 720, 330, 344, 190
_TOP, _STEP = 54, 34
_SHADES = ("#3b6ea8", "#8a6bb8", "#2b8a5e")


def draw_parts(title: str, parts: Sequence[tuple[str, int]]) -> Picture:
    """Draw how a total splits into three parts."""
    total = sum(count for _label, count in parts)
    drawn = []
    for index, ((label, count), shade) in enumerate(zip(parts, _SHADES, strict=True)):
        top, share = _TOP + index * _STEP, Share(count, total)
        drawn += [
            text(_LABEL, top + 15, cut(label, _LABEL - 18), anchor="end"),
            block(_LEFT, top, _BAR, 22, TRACK),
            block(_LEFT, top, length(count, total, _BAR), 22, shade),
            text(_LEFT + _BAR + 12, top + 15, format_count(count), fill=INK, bold=True),
            text(_WIDTH - 18, top + 15, share.percent, anchor="end", fill=FAINT),
        ]
    words = ", ".join(f"{clean(label)} {Share(count, total)}" for label, count in parts)
    return panel(title, drawn, _WIDTH, _TOP + len(parts) * _STEP + 4, f"{clean(title)}: {words}.")


def draw_pairs(title: str, names: tuple[str, str], pairs: Sequence[tuple[str, Share, Share]]) -> Picture:
    """Draw the shares of each label in two segments, one below the other."""
    drawn = [
        part
        for left, name, shade in zip((_LEFT, _LEFT + 180), names, _SHADES[::2], strict=True)
        for part in (block(left, 46, 12, 12, shade, radius=3), text(left + 18, 57, cut(name, 150), size=12))
    ]
    for index, (label, *shares) in enumerate(pairs):
        top = _TOP + 22 + index * _STEP
        drawn.append(text(_LABEL, top + 17, cut(label, _LABEL - 18), anchor="end"))
        for line, (share, shade) in enumerate(zip(shares, _SHADES[::2], strict=True)):
            wide = length(share.count, share.whole, _BAR)
            drawn.append(block(_LEFT, top + 14 * line, wide, 12, shade, radius=3))
            drawn.append(text(_LEFT + wide + 8, top + 10 + 14 * line, str(share), fill=FAINT, size=11))
    words = "; ".join(f"{clean(label)} {one} and {two}" for label, one, two in pairs) or "nothing"
    alt = f"{clean(title)}, {clean(names[0])} and {clean(names[1])}: {words}."
    return panel(title, drawn, _WIDTH, _TOP + 30 + len(pairs) * _STEP, alt)
