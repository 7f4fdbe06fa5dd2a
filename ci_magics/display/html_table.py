"""HTML tables of results for any notebook, trusted or not, on light or dark pages."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from ci_magics.display.numbers import DASH, Share, clean, format_count

Cell = str | int | Share | None
"""Text, an integer, a number with its share, or None if unknown."""

_SPACE = "padding:3px 14px 3px 0;vertical-align:top"
_SIDE = {"left": "text-align:left", "right": "text-align:right"}
_NO_WRAP = "white-space:nowrap"
#: A long text wraps, even within a word, to leave room for other columns, but keeps a minimum width.
_WRAP = "min-width:10em;overflow-wrap:anywhere"
_LONG = 28
_LINE = "border-bottom:1px solid var(--jp-border-color1, rgba(128,128,128,0.5));vertical-align:bottom"
_CAPTION = "text-align:left;font-weight:bold;padding:8px 0 2px;white-space:nowrap"
_COLUMN, _ROW = " scope='col'", " scope='row'"
#: Signs of findings as a page shows them; in text they stay ASCII for consoles of any encoding.
_SIGNS = {"ok": "\u2713", "x": "\u2717"}
_PERCENT = "display:inline-block;min-width:5em;opacity:0.8"


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "") -> str:
    """Return an HTML table with escaped texts; numbers get commas and are right-aligned.

    It uses only the page's text color, so it is readable in any theme.

    Parameters
    ----------
    heads
        The heading of each column.
    rows
        The cells of each row.
    caption
        The title above the table; empty for none.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(heads)
    sides = ["right" if column and not any(isinstance(cell, str) for cell in column) else "left" for column in columns]
    head = "".join(_cell("th", each, f"{_SIDE[side]};{_LINE}") for each, side in zip(heads, sides, strict=True))
    body = "".join(f"<tr>{_cells(row, sides)}</tr>" for row in rows)
    title = f"<caption style='{_CAPTION}'>{html.escape(caption)}</caption>" if caption else ""
    return _scrollable(f"{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def fields_table(fields: Mapping[str, Any], *, title: str) -> str:
    """Return the fields of one object as a table with one row per field.

    Parameters
    ----------
    fields
        Names and values. Empty fields and None are left out.
    title
        The title above the table.
    """
    rows = "".join(
        f"<tr>{_cell('th', titled(name), _SIDE['left']).replace(_COLUMN, _ROW)}"
        f"{_cell('td', as_cell(value), _SIDE['left'])}</tr>"
        for name, value in fields.items()
        if value is not None and value != ""
    )
    return f"<div><b>{html.escape(clean(title))}</b></div>{_scrollable(f'<tbody>{rows}</tbody>')}"


def signed(mark: str) -> str:
    """Convert the mark of a finding, such as ``x``, to the sign that a page shows."""
    return _SIGNS.get(mark, mark)


def titled(name: str) -> str:
    """Return a field's name as a heading."""
    return name.replace("_", " ").capitalize()


def as_cell(value: Any) -> Cell:
    """Convert the value of a field to a cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return value if value is None or isinstance(value, int | Share) else str(value)


def _scrollable(content: str) -> str:
    """Return a table that scrolls instead of widening the page."""
    return (
        f"<div style='max-width:100%;overflow-x:auto'><table style='border-collapse:collapse'>{content}</table></div>"
    )


def _cells(row: Sequence[Cell], sides: Sequence[str]) -> str:
    """Return the cells of a row; the first cell, numbers, and times do not wrap."""
    return "".join(
        _cell("td", cell, f"{_SIDE[side]};{_NO_WRAP}" if index == 0 or _is_unwrapped(cell) else _SIDE[side])
        for index, (cell, side) in enumerate(zip(row, sides, strict=True))
    )


def _is_unwrapped(content: Cell) -> bool:
    return not isinstance(content, str) or content[:1].isdigit()


def _cell(tag: str, content: Cell, style: str) -> str:
    scope = _COLUMN if tag == "th" else ""
    if isinstance(content, str) and len(content) > _LONG:
        style = f"{style.replace(f';{_NO_WRAP}', '')};{_WRAP}"
    return f"<{tag}{scope} style='{_SPACE};{style}'>{_content(content)}</{tag}>"


def _content(content: Cell) -> str:
    if content is None:
        return DASH
    if isinstance(content, Share):
        share = f"({html.escape(content.percent)})" if content.whole else ""
        return f"{format_count(content.count)} <span style='{_PERCENT}'>{share}</span>"
    if isinstance(content, int):
        return format_count(content)
    return html.escape(clean(content))
