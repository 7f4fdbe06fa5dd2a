"""Tables of counts, as text and as HTML that any notebook can show."""

from __future__ import annotations

import html
from collections.abc import Sequence

_GAP = "  "


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Return a table as lines of text; whole numbers stand on the right."""
    sides = _sides(heads, rows)
    lines = [list(heads), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    return "\n".join(
        _GAP.join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Return a table of escaped texts; whole numbers stand on the right."""
    sides = ["right" if side == ">" else "left" for side in _sides(heads, rows)]
    head = "".join(_cell("th scope='col'", each, side) for each, side in zip(heads, sides, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, side) for cell, side in zip(row, sides, strict=True))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def counted(number: int) -> str:
    """Return a whole number with thin spaces between the thousands."""
    return f"{number:,}".replace(",", "\u2009")


def shortened(text: str, length: int = 60) -> str:
    """Return a text that fits into a cell, on one line."""
    line = " ".join(text.split()) if text.strip() else repr(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _sides(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    return [
        ">" if rows and all(isinstance(row[place], int) for row in rows) else "<" for place, _head in enumerate(heads)
    ]


def _text(cell: str | int) -> str:
    return cell if isinstance(cell, str) else counted(cell)


def _cell(tag: str, cell: str | int, side: str) -> str:
    return f"<{tag} style='text-align:{side}'>{html.escape(_text(cell))}</{tag.partition(' ')[0]}>"
