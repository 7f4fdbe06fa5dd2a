"""What is remembered of addresses while they pass by: how many of each domain, and a few masked examples."""

from __future__ import annotations

from collections import Counter

import polars as pl

from ci_magics.matching.careful import INVALID, split_at
from ci_magics.matching.kernel import Hashed

#: Domains of fewer profiles than this are never named.
SMALLEST_DOMAIN = 10
OTHER = "other"
_SHOWN_DOMAINS = 50
_EXAMPLES = 3
_REMEMBERED = 500_000
#: A missing value and a hash have nothing to show.
_SHOWN_REASONS = INVALID[2:]


class Tally:
    """Count domains and keep examples, batch after batch."""

    def __init__(self) -> None:
        self._domains: Counter[str] = Counter()
        self._forgotten = 0
        self._examples: dict[str, list[tuple[str, str | None]]] = {}

    def add(self, addresses: Hashed) -> None:
        """Take a batch of addresses, hashed under both rules, into account."""
        domains = pl.concat([addresses.plain["domain"], addresses.others["domain"]]).drop_nulls()
        counts = domains.value_counts()
        self._domains.update(dict(zip(counts["domain"].to_list(), counts["count"].to_list(), strict=True)))
        self._forget_rare()
        for reason in _SHOWN_REASONS:
            self._examples[reason] = _starts(addresses.others, reason)

    def merge(self, later: Tally) -> None:
        """Take into account what somebody else has remembered of later batches."""
        self._domains.update(later._domains)
        self._forgotten += later._forgotten
        self._forget_rare()
        for reason, starts in later._examples.items():
            self._examples[reason] = [*self._examples.get(reason, ()), *starts][:_EXAMPLES]

    def domains(self) -> dict[str, int]:
        """Return profiles by domain, most first; rare ones are together under ``other``."""
        named = [(name, count) for name, count in self._domains.items() if count >= SMALLEST_DOMAIN]
        shown = dict(sorted(named, key=lambda each: (-each[1], each[0]))[:_SHOWN_DOMAINS])
        rest = self._forgotten + sum(self._domains.values()) - sum(shown.values())
        return {**shown, **({OTHER: rest} if rest else {})}

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason: the first character and a domain that many share, nothing of a person."""
        domains = self.domains()
        return {
            reason: [_mask(first, domain, domains) for first, domain in starts]
            for reason, starts in self._examples.items()
            if starts
        }

    def _forget_rare(self) -> None:
        """Forget the domains seen once when there are very many: those are never named anyway."""
        if len(self._domains) <= _REMEMBERED:
            return
        rare = [name for name, count in self._domains.items() if count == 1]
        self._forgotten += len(rare)
        for name in rare:
            del self._domains[name]


def _starts(others: pl.DataFrame, reason: str) -> list[tuple[str, str | None]]:
    """Return the first character and what stands behind the @, of some values."""
    rows = others.filter(pl.col("reason_basic") == reason).head(_EXAMPLES)
    return list(
        rows.select(pl.col("trimmed").str.slice(0, 1), split_at(pl.col("trimmed"))[1].alias("domain")).iter_rows()
    )


def _mask(first: str, domain: str | None, domains: dict[str, int]) -> str:
    if domain is None:
        return f"{first}•••"
    return f"{first}•••@{domain if domain in domains and domain != OTHER else OTHER}"
