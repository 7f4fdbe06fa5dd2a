"""Text tables of results."""

from __future__ import annotations

from collections.abc import Sequence

from ci_magics.display.html_table import Cell
from ci_magics.display.numbers import Share, clean, format_count

_GAP = "  "


def text_table(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table as lines of text, with integers right-aligned.

    Parameters
    ----------
    heads
        The heading of each column.
    rows
        The cells of each row; unknown values are empty.
    """
    sides = [
        ">" if rows and all(isinstance(row[index], int) for row in rows) else "<" for index, _head in enumerate(heads)
    ]
    lines = [list(heads), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(heads))]
    return "\n".join(
        _GAP.join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Share):
        return str(cell)
    return clean(cell) if isinstance(cell, str) else format_count(cell)
