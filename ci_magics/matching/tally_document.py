"""Serialize a tally, so that resumed reading ends with the same statistics as uninterrupted reading.

A rare domain may identify a person, so a domain that would never be shown is stored as a hash.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import polars as pl

from ci_magics.matching.doubts import MISTYPED
from ci_magics.matching.tally import SMALLEST_DOMAIN, Tally

_EXAMPLE = ("reason", "mark", "first", "domain")
_HASHED = "#"


def tally_to_document(tally: Tally) -> dict[str, Any]:
    """Return a tally as a JSON document."""
    domains, forgotten, examples = _named(tally)
    safe = {name: _safe(name, count) for name, count in domains.items()}
    rows = [
        [reason, mark, first, safe.get(domain, _hashed(domain)) if domain and reason != MISTYPED else domain]
        for reason, mark, first, domain in examples.select(_EXAMPLE).iter_rows()
    ]
    return {
        "domains": {safe[name]: count for name, count in domains.items()},
        "forgotten": forgotten,
        "examples": rows,
    }


def tally_from_document(document: dict[str, Any]) -> Tally:
    """Return the tally of a document; a hashed domain gets its name back if it occurs again."""
    examples = pl.DataFrame(document["examples"], schema=dict.fromkeys(_EXAMPLE, pl.String), orient="row")
    tally = Tally()
    tally.restore(Counter(document["domains"]), int(document["forgotten"]), examples)
    return tally


def restore_domain_names(tally: Tally) -> Tally:
    """Restore the names of hashed domains that occurred again; the others stay hashed."""
    tally.restore(*_named(tally))
    return tally


def _named(tally: Tally) -> tuple[Counter[str], int, pl.DataFrame]:
    """Merge the counts of hashed domains into those of their names, if the names are known."""
    domains, forgotten, examples = tally.contents()
    names = {_hashed(name): name for name in domains if not name.startswith(_HASHED)}
    counted: Counter[str] = Counter()
    for name, count in domains.items():
        counted[names.get(name, name)] += count
    return counted, forgotten, examples.with_columns(pl.col("domain").replace(names)) if names else examples


def _safe(name: str, count: int) -> str:
    return name if count >= SMALLEST_DOMAIN or name.startswith(_HASHED) else _hashed(name)


def _hashed(name: str) -> str:
    return name if name.startswith(_HASHED) else _HASHED + hashlib.sha256(name.encode()).hexdigest()[:16]
