"""``$search`` and ``$expand`` on customers."""

from __future__ import annotations

import numpy as np
import polars as pl

from ci_magics.emulation.insights.replies import odata_error
from ci_magics.emulation.invented import entities, population
from ci_magics.emulation.invented.drawing import Rows

_SEARCHED = ("FullName", "EMail", "Telephone", "City", "PostCode")
_AT_ONCE = 100_000


def found(rows: Rows, text: str) -> Rows:
    """Return the customers whose name or address contains every word, ignoring case.

    Parameters
    ----------
    rows
        The row numbers.
    text
        The words of ``$search``.
    """
    words = text.strip('"').lower().split()
    if not words:
        raise odata_error(400, "$search is empty.")
    whole = pl.concat_str(pl.col(_SEARCHED).fill_null(""), separator="\n").str.to_lowercase()
    holds = pl.all_horizontal(whole.str.contains(word, literal=True) for word in words)
    kept = [population.span(0, 0)]
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        kept.append(some[population.profiles(some, _SEARCHED).select(holds).to_series().to_numpy()])
    return np.concatenate(kept)


def expanded(frame: pl.DataFrame, rows: Rows, text: str) -> pl.DataFrame:
    """Return customers with their activities and measures as additional columns.

    Parameters
    ----------
    frame
        The customers.
    rows
        The row numbers.
    text
        The entity names of ``$expand``.
    """
    for name in [each.strip() for each in text.split(",")]:
        related = entities.FIXED.get(name)
        if name not in ("UnifiedActivity", "Customer_Measure") or related is None:
            raise odata_error(400, f"$expand of {name} is not supported.")
        each = entities.ACTIVITIES_EACH if name == "UnifiedActivity" else 1
        own = (rows[:, None] * np.uint64(each) + np.arange(each, dtype=np.uint64)).reshape(-1).astype(np.uint64)
        structs = related.frame(own, related.names()).to_struct(name)
        frame = frame.with_columns(pl.Series(name, structs.reshape((len(rows), each)).arr.to_list()))
    return frame
