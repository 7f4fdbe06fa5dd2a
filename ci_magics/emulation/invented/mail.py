"""Generate realistic e-mail addresses: mostly clean, with a share of every kind of dirty data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from ci_magics.emulation.invented.drawing import Rows, chosen, drawn
from ci_magics.emulation.invented.names import DOMAINS

#: Shares in thousandths of all rows; the remaining rows are clean.
_SHARES = {
    "missing": 30,
    "no_at": 10,
    "inner_space": 6,
    "bad_domain": 10,
    "many_at": 4,
    "duplicate": 40,
    "upper": 40,
    "padded": 40,
    "tagged": 30,
    "accented": 10,
}
_KINDS = tuple(_SHARES)
_MISSING = (None, None, None, "", "  ", "n/a", "NULL", "none")

Named = Callable[[Rows], pl.Series]


def addresses(rows: Rows, first: Named, last: Named) -> pl.Series:
    """Return an address, or a missing or invalid value, for each row.

    Parameters
    ----------
    rows
        The row numbers.
    first, last
        Return the names of rows in the form that addresses use.
    """
    kinds = _kinds(rows)
    owner = rows - (kinds == _KINDS.index("duplicate")).astype(np.uint64) * (rows > 0)
    parts = pl.DataFrame(
        {"first": first(owner), "last": last(owner), "number": owner, "domain": chosen(owner, 7, DOMAINS)}
    )
    local = pl.concat_str("first", pl.lit("."), "last", "number")
    clean = parts.select(pl.concat_str(local, pl.lit("@"), "domain")).to_series()
    # Dirty rows are generated twice, which is cheap because they are few.
    dirty = np.flatnonzero(kinds < len(_KINDS))
    soiled = parts[dirty].with_columns(local=local, missing=chosen(rows[dirty], 20, _MISSING), kind=kinds[dirty])
    places = np.arange(len(rows))
    places[dirty] = len(rows) + np.arange(len(dirty))
    return pl.concat([clean, soiled.select(_soiled()).to_series()]).gather(places)


def _kinds(rows: Rows) -> npt.NDArray[np.int64]:
    """Return the index of each row's kind among the shares; the index after the last is clean."""
    ends = np.cumsum(list(_SHARES.values()))
    return np.searchsorted(ends, (drawn(rows, 19) % np.uint64(1_000)).astype(np.int64), side="right")


def _soiled() -> pl.Expr:
    local, domain, at = pl.col("local"), pl.col("domain"), pl.lit("@")
    clean = pl.concat_str(local, at, domain)
    written = {
        "missing": pl.col("missing"),
        "no_at": pl.concat_str(local, domain),
        "inner_space": pl.concat_str(local.str.replace(".", " ", literal=True), at, domain),
        "bad_domain": pl.concat_str(local, at, domain.str.replace(".", ",", literal=True)),
        "many_at": pl.concat_str(local, at, at, domain),
        "upper": clean.str.to_uppercase(),
        "padded": pl.concat_str(pl.lit(" "), clean, pl.lit("\u00a0")),
        "tagged": pl.concat_str(local, pl.lit("+shop@"), domain),
        "accented": pl.concat_str(pl.lit("é"), local, at, domain),
    }
    soiled = clean
    for name, text in written.items():
        soiled = pl.when(pl.col("kind") == _KINDS.index(name)).then(text).otherwise(soiled)
    return soiled.alias("")
