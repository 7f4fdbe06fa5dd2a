"""Shared parts of pictures: shortened names, text, bars, and the panel that they are drawn on.

Pictures are hand-written SVG without a library. An untrusted notebook shows them too, because they are ``<img>``
elements. Each has its own panel, so it is readable on a light and on a dark page.
"""

from __future__ import annotations

import base64
import html
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci_magics.discretion import without_people
from ci_magics.display.numbers import clean

MINUS = "\u2212"

PANEL = "#fbfcfd"
EDGE = "#d5dbe1"
TRACK = "#e9edf1"
INK = "#1f2933"
FAINT = "#55616d"
LOSS = "#a23b17"
GREEN = "#2b8a5e"
PALE_GREEN = "#a5d6bd"

_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_GAP = 8
#: Character widths relative to the font size, a little more than those of a wide font such as DejaVu Sans.
_WIDE, _CAPITAL, _NARROW, _USUAL = 1.05, 0.78, 0.36, 0.63


@dataclass(frozen=True)
class Picture:
    """An SVG document, its size in pixels, and its alternative text."""

    svg: str
    alt: str
    width: int
    height: int


def cut(name: str, width: float, size: float = 13) -> str:
    """Return a name, cut to a width in pixels for a font size."""
    name = clean(without_people(name))
    available = width / size
    if sum(map(_width, name)) <= available:
        return name
    available -= _width("…")
    kept = ""
    for character in name:
        available -= _width(character)
        if available < 0:
            break
        kept += character
    return f"{kept.rstrip()}…"


def numbered(index: int, name: str) -> str:
    """Return a name with a number, because two names may look the same if they are cut."""
    return f"{index + 1} {name}"


def text(
    x: float, y: float, content: str, *, anchor: str = "start", fill: str = INK, bold: bool = False, size: float = 13
) -> str:
    """Return a line of text; `anchor` says which part of it is at `x`."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-size="{size:g}"{weight}>'
        f"{html.escape(without_people(content))}</text>"
    )


def block(x: float, y: float, width: float, height: float, fill: str, *, radius: float = 4) -> str:
    """Return a filled rectangle."""
    size = f'width="{width:g}" height="{height:g}"'
    return f'<rect x="{x:g}" y="{y:g}" {size} rx="{min(radius, width / 2):g}" fill="{fill}"/>'


def length(count: int, total: int, maximum: float) -> float:
    """Return the length of a bar: at most `maximum`, and visible if the value is not zero."""
    return max(round(maximum * min(count / max(total, 1), 1.0), 1), 2 if count else 0)


def panel(title: str, parts: Iterable[str], width: int, height: int, alt: str) -> Picture:
    """Return a picture of some parts, under a title."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{_FONT}"><title>{html.escape(without_people(alt))}</title>'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{PANEL}" stroke="{EDGE}"/>'
        f"{text(18, 31, cut(title, width - 36, 16), bold=True, size=15)}{''.join(parts)}</svg>"
    )
    return Picture(svg, alt, width, height)


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Stack several pictures into one."""
    if len(pictures) == 1:
        return pictures[0]
    parts, top = [], 0
    for each in pictures:
        parts.append(each.svg.replace("<svg ", f'<svg y="{top}" ', 1))
        top += each.height + _GAP
    width, height = max(each.width for each in pictures), top - _GAP
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
    return Picture(svg, " ".join(each.alt for each in pictures), width, height)


def as_image(picture: Picture) -> str:
    """Return a picture as an ``<img>`` with alternative text, which an untrusted notebook shows too."""
    data = base64.b64encode(picture.svg.encode()).decode()
    return (
        f'<img alt="{html.escape(picture.alt)}" width="{picture.width}" '
        f'style="max-width:100%;height:auto;display:block;margin:6px 0" src="data:image/svg+xml;base64,{data}">'
    )


def _width(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF" or character in "mwMW@%":
        return _WIDE
    if character in "iljIt.,:;'|! ()[]":
        return _NARROW
    return _CAPITAL if character.isupper() else _USUAL
