"""Draw what several segments have in common, as a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ci_magics.display.numbers import Share, clean, format_count, pluralize
from ci_magics.matching.drawing import FAINT, INK, PANEL, Picture, block, cut, numbered, panel, text

#: The largest number of segments to draw; the text and the frame have all.
MOST_DRAWN = 8

_NAMES, _LEFT, _TOP, _HEIGHT = 18, 206, 96, 44
_NARROWEST, _WIDEST, _ALL_CELLS = 94, 165, 536
_LEAST_WIDTH = 720
_SHADE = (138, 107, 184)
_PALEST, _DARKEST = 0.06, 0.5
_OWN = "#eceff2"


def draw_overlap(sizes: Sequence[tuple[str, int]], shared: Mapping[tuple[str, str], int]) -> Picture:
    """Draw how many hashes each pair of segments shares.

    Parameters
    ----------
    sizes
        Each segment's name and how many hashes it would send.
    shared
        How many hashes each pair shares.
    """
    drawn = sizes[:MOST_DRAWN]
    cell = max(_NARROWEST, min(_WIDEST, _ALL_CELLS // len(drawn)))
    parts = [text(_NAMES, 53, _caption(len(sizes)), fill=FAINT, size=12)]
    parts += _heads(drawn, cell)
    for place, row in enumerate(drawn):
        parts += _row(_TOP + place * _HEIGHT, place, row, drawn, shared, cell)
    width = max(_LEFT + len(drawn) * cell + 18, _LEAST_WIDTH)
    height = _TOP + len(drawn) * _HEIGHT + 14
    return panel("Overlap of segments", parts, width, height, f"Overlap of segments. {_alt(drawn, shared)}")


def overlap_words(sizes: Mapping[str, int], pair: tuple[str, str], count: int) -> str:
    """Return a phrase about the hashes that two segments share."""
    first, second = pair
    if not count:
        return f"'{clean(first)}' and '{clean(second)}' share no hash"
    shares = " and ".join(f"{Share(count, sizes[name]).percent} of '{clean(name)}'" for name in pair)
    return f"'{clean(first)}' and '{clean(second)}' share {pluralize(count, 'hash')} ({shares})"


def _alt(drawn: Sequence[tuple[str, int]], shared: Mapping[tuple[str, str], int]) -> str:
    sizes = dict(drawn)
    own = ", ".join(f"'{clean(name)}' sends {format_count(size)}" for name, size in drawn)
    pairs = [overlap_words(sizes, pair, count) for pair, count in shared.items() if set(pair) <= set(sizes)]
    return f"Hashes: {own}. {'; '.join(pairs)}."


def _caption(count: int) -> str:
    first = f"The first {MOST_DRAWN} of {count} segments. " if count > MOST_DRAWN else ""
    return f"{first}Hashes that both would send, and their share of the segment at the left."


def _heads(drawn: Sequence[tuple[str, int]], cell: int) -> Iterator[str]:
    for place, (name, _size) in enumerate(drawn):
        head = cut(numbered(place, name), cell - 8, 12)
        yield text(_LEFT + (place + 0.5) * cell, _TOP - 11, head, anchor="middle", fill=FAINT, size=12)


def _row(
    top: int,
    place: int,
    row: tuple[str, int],
    drawn: Sequence[tuple[str, int]],
    shared: Mapping[tuple[str, str], int],
    cell: int,
) -> Iterator[str]:
    name, size = row
    yield text(_NAMES, top + _HEIGHT / 2 + 4, cut(numbered(place, name), _LEFT - _NAMES - 12))
    for column, (other, _size) in enumerate(drawn):
        middle = _LEFT + (column + 0.5) * cell
        if column == place:
            yield _square(middle, top, cell, _OWN)
            yield text(middle, top + 19, format_count(size), anchor="middle", bold=True)
            yield text(middle, top + 34, "all of it", anchor="middle", fill=FAINT, size=11)
            continue
        share = Share(_between(shared, name, other), size)
        yield _square(middle, top, cell, _tint(share))
        number = top + (19 if share.whole else 26)
        yield text(middle, number, format_count(share.count), anchor="middle", bold=bool(share.count))
        yield text(middle, top + 34, share.percent, anchor="middle", fill=INK if share.count else FAINT, size=11)


def _square(middle: float, top: int, cell: int, fill: str) -> str:
    return block(middle - cell / 2 + 2, top + 2, cell - 4, _HEIGHT - 4, fill)


def _between(shared: Mapping[tuple[str, str], int], name: str, other: str) -> int:
    return shared.get((name, other), shared.get((other, name), 0))


def _tint(share: Share) -> str:
    """Return a shade that is darker for a larger share, but light enough for text on it."""
    if not share.count:
        return PANEL
    strength = _PALEST + (_DARKEST - _PALEST) * min(share.count / max(share.whole, 1), 1.0)
    return "#" + "".join(f"{round(255 - (255 - part) * strength):02x}" for part in _SHADE)
