"""What is remembered of addresses while they pass by: how many of each domain, and a few masked examples.

Both are the same in whatever order and number of batches the profiles come, so that a distributed engine arrives at
the very same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import polars as pl
import polars_hash as plh

from ci_magics.in_memory import IN_MEMORY
from ci_magics.matching.doubts import MISTYPED, is_mistyped
from ci_magics.matching.normalize import INVALID, Hashed, split_at

#: Domains of fewer profiles than this are never named.
SMALLEST_DOMAIN = 10
OTHER = "other"
SHOWN_DOMAINS = 50
EXAMPLES = 3
_REMEMBERED = 500_000
#: A missing value and a hash have nothing to show. A mistyped domain is one of a list of ours, and names nobody.
_SHOWN_REASONS = (*INVALID[2:], MISTYPED)


class Tally:
    """Count domains and keep examples, batch after batch."""

    def __init__(self) -> None:
        self._domains: Counter[str] = Counter()
        self._forgotten = 0
        self._examples = pl.DataFrame(schema=dict.fromkeys(("reason", "mark", "first", "domain"), pl.String))

    def add(self, addresses: Hashed) -> None:
        """Take a batch of addresses, hashed under both rules, into account."""
        counts = domain_counts(addresses)
        self._domains.update(dict(zip(counts["domain"].to_list(), counts["profiles"].to_list(), strict=True)))
        self._examples = _chosen(pl.concat([self._examples, example_values(addresses)]))
        self._forget_rare()

    def merge(self, other: Tally) -> None:
        """Take into account what somebody else has remembered of other batches."""
        self._domains.update(other._domains)
        self._forgotten += other._forgotten
        self._examples = _chosen(pl.concat([self._examples, other._examples]))
        self._forget_rare()

    def domains(self) -> dict[str, int]:
        """Return profiles by domain, most first; rare ones are together under ``other``."""
        return shown_domains(self._domains.items(), self._forgotten + sum(self._domains.values()))

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason: the first character and a domain that many share, nothing of a person."""
        return masked(self._examples.select("reason", "first", "domain").iter_rows(), self.domains())

    def contents(self) -> tuple[Counter[str], int, pl.DataFrame]:
        """Return all that is remembered: profiles by domain, how many are of forgotten ones, and the examples."""
        return self._domains, self._forgotten, self._examples

    def restore(self, domains: Counter[str], forgotten: int, examples: pl.DataFrame) -> None:
        """Remember what `contents` has returned instead of what there is."""
        self._domains, self._forgotten, self._examples = domains, forgotten, _chosen(examples)

    def _forget_rare(self) -> None:
        """Forget the domains seen once when there are very many: those are never named anyway."""
        if len(self._domains) <= _REMEMBERED:
            return
        rare = [name for name, count in self._domains.items() if count == 1]
        self._forgotten += len(rare)
        for name in rare:
            del self._domains[name]


def domain_counts(addresses: Hashed) -> pl.DataFrame:
    """Return how many profiles of a batch have each ``domain``, as ``profiles``."""
    domains = pl.concat([addresses.plain["domain"], addresses.others["domain"]]).drop_nulls()
    return domains.value_counts(name="profiles").cast({"profiles": pl.Int64})


def example_values(addresses: Hashed) -> pl.DataFrame:
    """Return a few invalid values of each reason, as much of them as may be shown.

    Returns
    -------
    polars.DataFrame
        ``reason``; ``mark``, by which they are put in order, a hash of the value; ``first``, its first character;
        ``domain``, what stands behind the @ where a valid address could have that, else empty, and null without @.
    """
    domain = split_at(pl.col("trimmed"))[1]
    invalid = addresses.others.lazy().filter(pl.col("reason_basic").cast(pl.String).is_in(_SHOWN_REASONS))
    marked = invalid.select(
        reason=pl.col("reason_basic").cast(pl.String),
        mark=plh.col("trimmed").chash.sha2_256().str.slice(0, 16),
        first=pl.col("trimmed").str.slice(0, 1).fill_null(""),
        domain=pl.when(domain.str.contains(r"^[^\s@]+\.[^\s@]+$")).then(domain).otherwise(domain.str.slice(0, 0)),
    )
    return _chosen(pl.concat([marked.collect(engine=IN_MEMORY), _mistyped_domains(addresses)]))


def _mistyped_domains(addresses: Hashed) -> pl.DataFrame:
    """Return the mistyped domains of a batch as examples, in which nothing is of a person."""
    domains = pl.concat([addresses.plain["domain"], addresses.others["domain"]]).drop_nulls().unique()
    found = domains.filter(is_mistyped(domains)).to_frame()
    return found.select(
        reason=pl.lit(MISTYPED),
        mark=plh.col("domain").chash.sha2_256().str.slice(0, 16),
        first=pl.lit(""),
        domain=pl.col("domain"),
    )


def shown_domains(counts: Iterable[tuple[str, int]], profiles: int) -> dict[str, int]:
    """Return the domains that may be named, most profiles first, and all others together.

    Parameters
    ----------
    counts
        Profiles by domain.
    profiles
        How many have a domain.
    """
    named = [(name, count) for name, count in counts if count >= SMALLEST_DOMAIN]
    shown = dict(sorted(named, key=lambda each: (-each[1], each[0]))[:SHOWN_DOMAINS])
    rest = profiles - sum(shown.values())
    return {**shown, **({OTHER: rest} if rest else {})}


def masked(examples: Iterable[tuple[str, str, str | None]], domains: Mapping[str, int]) -> dict[str, list[str]]:
    """Return examples (reason, first character, domain) by reason, in order of precedence, as they may be shown."""
    by_reason: dict[str, list[str]] = {reason: [] for reason in _SHOWN_REASONS}
    for reason, first, domain in examples:
        by_reason[reason].append(str(domain) if reason == MISTYPED else _mask(first, domain, domains))
    return {reason: shown for reason, shown in by_reason.items() if shown}


def _chosen(values: pl.DataFrame) -> pl.DataFrame:
    """Keep the first of each reason by their marks: by chance, but by the same chance everywhere."""
    return values.unique().sort("reason", "mark").group_by("reason", maintain_order=True).head(EXAMPLES)


def _mask(first: str, domain: str | None, domains: Mapping[str, int]) -> str:
    if first == "@" or not first.isprintable():
        first = ""
    if domain is None:
        return f"{first}***"
    return f"{first}***@{domain if domain in domains and domain != OTHER else OTHER}"
