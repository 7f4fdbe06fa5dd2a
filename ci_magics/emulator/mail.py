"""E-mail addresses as they stand in real profiles: mostly clean, and dirty in every way that was ever seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ci_magics.emulator.drawing import Rows, chosen, drawn
from ci_magics.emulator.names import DOMAINS

_PLAIN = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ß": "ss",
    "é": "e",
    "ë": "e",
    "í": "i",
    "á": "a",
    "ó": "o",
    " ": "",
    "'": "",
}
#: In thousandths of all rows, one after the other; what is left is clean.
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
_MISSING = (None, None, None, "", "  ", "n/a", "NULL", "none")

Named = Callable[[Rows], pl.Series]


def addresses(rows: Rows, first: Named, last: Named) -> pl.Series:
    """Return an address for each row, or what stands in its place."""
    kind = _kinds(rows)
    owner = rows - (kind == list(_SHARES).index("duplicate")).astype(np.uint64) * (rows > 0)
    frame = pl.DataFrame(
        {
            "first": first(owner).str.to_lowercase(),
            "last": last(owner).str.to_lowercase(),
            "number": owner,
            "domain": chosen(owner, 7, DOMAINS),
            "missing": chosen(rows, 20, _MISSING),
            "kind": kind,
        }
    )
    plain = pl.concat_str(
        pl.concat_str("first", pl.lit("."), "last").str.replace_many(list(_PLAIN), list(_PLAIN.values())), "number"
    )
    return frame.lazy().with_columns(local=plain).select(_soiled()).collect().to_series()


def _kinds(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return for each row the place of its kind among the shares."""
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
    kinds = list(_SHARES)
    soiled = clean
    for name, text in written.items():
        soiled = pl.when(pl.col("kind") == kinds.index(name)).then(text).otherwise(soiled)
    return soiled
