"""Collect domain counts and a few masked examples while addresses stream by.

The result does not depend on the order or the number of batches, so a distributed engine gets exactly the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import polars as pl
import polars_hash as plh

from ci_magics.in_memory import IN_MEMORY
from ci_magics.matching.doubts import MISTYPED, is_mistyped
from ci_magics.matching.normalize import INVALID, Hashed, split_at

#: Domains with fewer profiles than this are never named.
SMALLEST_DOMAIN = 10
OTHER = "other"
SHOWN_DOMAINS = 50
EXAMPLES = 3
_REMEMBERED = 500_000
#: A missing value and a hash have nothing to show. A mistyped domain comes from our list, so it reveals nobody.
_SHOWN_REASONS = (*INVALID[2:], MISTYPED)


class Tally:
    """Count domains and keep examples, batch by batch."""

    def __init__(self) -> None:
        self._domains: Counter[str] = Counter()
        self._forgotten = 0
        self._examples = pl.DataFrame(schema=dict.fromkeys(("reason", "mark", "first", "domain"), pl.String))

    def add(self, addresses: Hashed) -> None:
        """Add a batch of addresses, hashed under both rules."""
        counts = domain_counts(addresses)
        self._domains.update(dict(zip(counts["domain"].to_list(), counts["profiles"].to_list(), strict=True)))
        self._examples = _chosen(pl.concat([self._examples, example_values(addresses)]))
        self._forget_rare()

    def merge(self, other: Tally) -> None:
        """Add the result of another tally, for other batches."""
        self._domains.update(other._domains)
        self._forgotten += other._forgotten
        self._examples = _chosen(pl.concat([self._examples, other._examples]))
        self._forget_rare()

    def domains(self) -> dict[str, int]:
        """Return the number of profiles by domain, most frequent first; rare domains are grouped under ``other``."""
        return shown_domains(self._domains.items(), self._forgotten + sum(self._domains.values()))

    def examples(self) -> dict[str, list[str]]:
        """Return masked values by reason: the first character and a frequent domain, with no personal data."""
        return masked(self._examples.select("reason", "first", "domain").iter_rows(), self.domains())

    def contents(self) -> tuple[Counter[str], int, pl.DataFrame]:
        """Return the state: profiles by domain, the number of profiles of dropped domains, and the examples."""
        return self._domains, self._forgotten, self._examples

    def restore(self, domains: Counter[str], forgotten: int, examples: pl.DataFrame) -> None:
        """Replace the state by one that `contents` returned.

        Parameters
        ----------
        domains
            The number of profiles by domain.
        forgotten
            The number of profiles of dropped domains.
        examples
            The example values, as `example_values` returns them.
        """
        self._domains, self._forgotten, self._examples = domains, forgotten, _chosen(examples)

    def _forget_rare(self) -> None:
        """Drop the domains seen once if there are very many; rare domains are never named anyway."""
        if len(self._domains) <= _REMEMBERED:
            return
        rare = [name for name, count in self._domains.items() if count == 1]
        self._forgotten += len(rare)
        for name in rare:
            del self._domains[name]


def domain_counts(addresses: Hashed) -> pl.DataFrame:
    """Return the number of profiles of a batch by ``domain``, as ``profiles``."""
    domains = pl.concat([addresses.plain["domain"], addresses.others["domain"]]).drop_nulls()
    return domains.value_counts(name="profiles").cast({"profiles": pl.Int64})


def example_values(addresses: Hashed) -> pl.DataFrame:
    """Return a few invalid values for each reason, reduced to what may be shown.

    Returns
    -------
    polars.DataFrame
        ``reason``; ``mark``, a hash of the value that defines the order; ``first``, its first character; ``domain``,
        the part after the @ if it could be a valid domain, else empty, and null without @.
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
    """Return the mistyped domains of a batch as examples, which contain no personal data."""
    domains = pl.concat([addresses.plain["domain"], addresses.others["domain"]]).drop_nulls().unique()
    found = domains.filter(is_mistyped(domains)).to_frame()
    return found.select(
        reason=pl.lit(MISTYPED),
        mark=plh.col("domain").chash.sha2_256().str.slice(0, 16),
        first=pl.lit(""),
        domain=pl.col("domain"),
    )


def shown_domains(counts: Iterable[tuple[str, int]], profiles: int) -> dict[str, int]:
    """Return the domains that may be named, most frequent first, and the total of all others.

    Parameters
    ----------
    counts
        The number of profiles by domain.
    profiles
        The number of profiles that have a domain.
    """
    named = [(name, count) for name, count in counts if count >= SMALLEST_DOMAIN]
    shown = dict(sorted(named, key=lambda each: (-each[1], each[0]))[:SHOWN_DOMAINS])
    rest = profiles - sum(shown.values())
    return {**shown, **({OTHER: rest} if rest else {})}


def masked(examples: Iterable[tuple[str, str, str | None]], domains: Mapping[str, int]) -> dict[str, list[str]]:
    """Return masked examples by reason, in order of precedence.

    Parameters
    ----------
    examples
        Tuples of reason, first character, and domain (None without @).
    domains
        The domains that may be named.
    """
    by_reason: dict[str, list[str]] = {reason: [] for reason in _SHOWN_REASONS}
    for reason, first, domain in examples:
        by_reason[reason].append(str(domain) if reason == MISTYPED else _mask(first, domain, domains))
    return {reason: shown for reason, shown in by_reason.items() if shown}


def _chosen(values: pl.DataFrame) -> pl.DataFrame:
    """Keep the examples with the lowest marks for each reason: a random choice that is the same everywhere."""
    return values.unique().sort("reason", "mark").group_by("reason", maintain_order=True).head(EXAMPLES)


def _mask(first: str, domain: str | None, domains: Mapping[str, int]) -> str:
    if first == "@" or not first.isprintable():
        first = ""
    if domain is None:
        return f"{first}***"
    return f"{first}***@{domain if domain in domains and domain != OTHER else OTHER}"
