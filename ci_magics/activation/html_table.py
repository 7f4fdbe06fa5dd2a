"""Tables of results that any notebook can show, trusted or not."""

from __future__ import annotations

import html
from collections.abc import Sequence

_CELL = "text-align:{side};padding:2px 16px 2px 0"


def table(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Return an HTML table of escaped texts; whole numbers get thin separators and stand on the right."""
    columns = list(zip(*rows, strict=True)) or [()] * len(heads)
    sides = ["right" if column and all(isinstance(cell, int) for cell in column) else "left" for column in columns]
    head = "".join(_cell("th", each, side) for each, side in zip(heads, sides, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, side) for cell, side in zip(row, sides, strict=True))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, content: str | int, side: str) -> str:
    text = f"{content:,}".replace(",", "\u2009") if isinstance(content, int) else html.escape(content)
    return f"<{tag} style='{_CELL.format(side=side)}'>{text}</{tag}>"
