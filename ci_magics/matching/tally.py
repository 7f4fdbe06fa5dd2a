"""What is remembered of addresses while they pass by: how many of each domain, and a few masked examples."""

from __future__ import annotations

from collections import Counter

import polars as pl

from ci_magics.matching.normalize import INVALID

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

    def add(self, matched: pl.DataFrame) -> None:
        """Take a batch into account: normalized text, reasons, and ``_raw`` as it was."""
        domain = pl.coalesce("text_basic", "text_enhanced").str.splitn("@", 2).struct.field("field_1")
        counts = matched.select(domain.alias("domain").drop_nulls().value_counts()).unnest("domain")
        self._domains.update(dict(zip(counts["domain"].to_list(), counts["count"].to_list(), strict=True)))
        if len(self._domains) > _REMEMBERED:
            self._forget_rare()
        for reason in _SHOWN_REASONS:
            known = self._examples.setdefault(reason, [])
            if len(known) < _EXAMPLES:
                known += _starts(matched, reason, _EXAMPLES - len(known))

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
        """Forget the domains seen once: so many are never named anyway."""
        rare = [name for name, count in self._domains.items() if count == 1]
        self._forgotten += len(rare)
        for name in rare:
            del self._domains[name]


def _starts(matched: pl.DataFrame, reason: str, count: int) -> list[tuple[str, str | None]]:
    """Return the first character and what stands behind the @, of some values."""
    text = pl.col("_raw").str.strip_chars().str.to_lowercase()
    rows = matched.filter(pl.col("reason_basic") == reason).head(count)
    return list(
        rows.select(
            text.str.slice(0, 1).fill_null(""), text.str.splitn("@", 2).struct.field("field_1").alias("domain")
        ).iter_rows()
    )


def _mask(first: str, domain: str | None, domains: dict[str, int]) -> str:
    if first == "@" or not first.isprintable():
        first = ""
    if domain is None:
        return f"{first}•••"
    return f"{first}•••@{domain if domain in domains and domain != OTHER else OTHER}"
