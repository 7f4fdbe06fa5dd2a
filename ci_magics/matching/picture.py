"""Pictures of coverage, drawn as SVG by hand: no library, and an untrusted notebook still shows them."""

from __future__ import annotations

import base64
import html
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

THIN_SPACE = "\u2009"

_WIDTH = 640
_LEFT = 130
_BAR = 300
_STEP = 34
_SHADES = ("#3b6ea8", "#4a8ac4", "#5fa6d8", "#2e9e6b")
_PARTS = ("#3b6ea8", "#8a6bb8", "#2e9e6b")
_INK = "#1f2933"
_FAINT = "#5b6773"
_PANEL = "#fbfcfd"
_EDGE = "#d5dbe1"
_BLOCKS = 20


@dataclass(frozen=True)
class Bar:
    """One step of a funnel."""

    label: str
    count: int


@dataclass(frozen=True)
class Picture:
    """An SVG document and the sentence that says the same in words."""

    svg: str
    alt: str


def counted(number: int) -> str:
    """Return a whole number with thin spaces between the thousands."""
    return f"{number:,}".replace(",", THIN_SPACE)


def draw_funnel(title: str, bars: Sequence[Bar]) -> Picture:
    """Draw how many profiles are left after each step."""
    whole = max(bars[0].count, 1)
    rows = [
        _bar(56 + index * _STEP, bar, bar.count / whole, _SHADES[min(index, len(_SHADES) - 1)])
        for index, bar in enumerate(bars)
    ]
    numbers = ", ".join(f"{bar.label.lower()} {counted(bar.count)} ({bar.count / whole:.1%})" for bar in bars)
    return _picture(title, rows, 56 + len(bars) * _STEP, f"Coverage of {title}: {numbers}.")


def draw_overlap(sizes: Sequence[tuple[str, int]], shared: Mapping[tuple[str, str], int]) -> Picture:
    """Draw, for each pair of segments, what they share."""
    by_name = dict(sizes)
    rows = []
    for index, ((first, second), count) in enumerate(shared.items()):
        smaller = max(min(by_name[first], by_name[second]), 1)
        label = f"{_short(first, 17)} ∩ {_short(second, 17)}"
        rows.append(_bar(56 + index * _STEP, Bar(label, count), count / smaller, "#8a6bb8", left=290, length=180))
    numbers = "; ".join(f"{first} and {second} share {counted(count)}" for (first, second), count in shared.items())
    return _picture(
        "Overlap (share of the smaller segment)", rows, 56 + len(rows) * _STEP, f"Overlap of segments: {numbers}."
    )


def draw_parts(title: str, bars: Sequence[Bar]) -> Picture:
    """Draw how a whole is divided into parts."""
    whole = max(sum(bar.count for bar in bars), 1)
    rows = [
        _bar(56 + index * _STEP, Bar(_short(bar.label, 38), bar.count), bar.count / whole, shade, left=290, length=180)
        for index, (bar, shade) in enumerate(zip(bars, itertools.cycle(_PARTS), strict=False))
    ]
    numbers = ", ".join(f"{bar.label} {counted(bar.count)} ({bar.count / whole:.1%})" for bar in bars)
    return _picture(title, rows, 56 + len(bars) * _STEP, f"{title}: {numbers}.")


def draw_pairs(title: str, names: tuple[str, str], pairs: Sequence[tuple[str, float, float]]) -> Picture:
    """Draw two shares beside each other for each label."""
    rows = [_legend(names)]
    rows += [_pair(84 + index * _STEP, _short(label, 46), shares) for index, (label, *shares) in enumerate(pairs)]
    numbers = "; ".join(f"{label} {one:.1%} and {two:.1%}" for label, one, two in pairs)
    words = f"{title}, {names[0]} and {names[1]}: {numbers or 'none'}."
    return _picture(title, rows, 84 + len(pairs) * _STEP, words)


def as_image(picture: Picture) -> str:
    """Return a picture as an ``<img>`` that needs no trust and says its numbers to a screen reader."""
    data = base64.b64encode(picture.svg.encode()).decode()
    return (
        f'<img alt="{html.escape(picture.alt)}" style="max-width:100%;display:block;margin:4px 0" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def funnel_text(bars: Sequence[Bar]) -> str:
    """Return a funnel as lines of text."""
    whole = max(bars[0].count, 1)
    return "\n".join(
        f"  {counted(bar.count):>9}  {'█' * round(bar.count / whole * _BLOCKS):<{_BLOCKS}} {bar.label} "
        f"({bar.count / whole:.1%})"
        for bar in bars
    )


def _picture(title: str, rows: Sequence[str], height: int, alt: str) -> Picture:
    bottom = height + 12
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom}" width="{_WIDTH}" height="{bottom}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13"><title>{html.escape(alt)}</title>'
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{bottom - 1}" rx="8" fill="{_PANEL}" stroke="{_EDGE}"/>'
        f'<text x="18" y="32" font-size="15" font-weight="600" fill="{_INK}">{html.escape(_short(title, 70))}</text>'
        f"{''.join(rows)}</svg>"
    )
    return Picture(svg, alt)


def _bar(top: int, bar: Bar, share: float, shade: str, *, left: int = _LEFT, length: int = _BAR) -> str:
    width = max(round(length * min(share, 1.0), 1), 2 if bar.count else 0)
    middle = top + 15
    return (
        f'<text x="{left - 10}" y="{middle}" text-anchor="end" fill="{_INK}">{html.escape(bar.label)}</text>'
        f'<rect x="{left}" y="{top}" width="{length}" height="22" rx="4" fill="{_EDGE}" opacity="0.45"/>'
        f'<rect x="{left}" y="{top}" width="{width}" height="22" rx="4" fill="{shade}"/>'
        f'<text x="{left + length + 14}" y="{middle}" fill="{_INK}" font-weight="600">{counted(bar.count)}'
        f'<tspan fill="{_FAINT}" font-weight="400" dx="8">{share:.1%}</tspan></text>'
    )


def _legend(names: tuple[str, str]) -> str:
    return "".join(
        f'<rect x="{left}" y="50" width="12" height="12" rx="3" fill="{shade}"/>'
        f'<text x="{left + 18}" y="61" fill="{_INK}">{html.escape(_short(name, 18))}</text>'
        for left, name, shade in zip((340, 490), names, _PARTS[::2], strict=True)
    )


def _pair(top: int, label: str, shares: Sequence[float]) -> str:
    bars = "".join(
        f'<rect x="340" y="{top + 13 * place}" width="{max(round(200 * share, 1), 1)}" height="11" rx="3" '
        f'fill="{shade}"/><text x="{348 + round(200 * share)}" y="{top + 10 + 13 * place}" font-size="11" '
        f'fill="{_FAINT}">{share:.1%}</text>'
        for place, (share, shade) in enumerate(zip(shares, _PARTS[::2], strict=True))
    )
    return f'<text x="330" y="{top + 17}" text-anchor="end" fill="{_INK}">{html.escape(label)}</text>{bars}'


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
