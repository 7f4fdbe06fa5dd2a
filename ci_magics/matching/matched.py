"""Matched profiles: for each profile its key, its hash under each rule, or the reason it has none. No address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ci_magics.matching.normalize import INVALID, hashed, rules_of
from ci_magics.matching.text_column import text_column

#: Domains of fewer profiles than this are never named.
SMALLEST_DOMAIN = 10
OTHER = "other"
_SHOWN_DOMAINS = 50
_EXAMPLES = 3

Hashes = npt.NDArray[np.uint8]
"""SHA-256 values, shape (n, 32)."""


@dataclass(frozen=True)
class Matched:
    """What is kept of a segment's profiles.

    Parameters
    ----------
    table
        One row per profile: ``key``, ``prehashed``, and for each rule ``reason_RULE`` (null where valid) and
        ``sha256_RULE`` (32 bytes, null where invalid); further columns as they came in.
    domains
        Profiles by domain, most first; rare domains are together under ``other``.
    examples
        A few masked values for each reason.
    """

    table: pa.Table = field(repr=False)
    domains: Mapping[str, int]
    examples: Mapping[str, list[str]]


def match_profiles(profiles: pa.Table) -> Matched:
    """Match profiles under both rules.

    Parameters
    ----------
    profiles
        Columns ``key`` and ``email``, and any others, which are passed through. A key that looks like an address
        is replaced by its hash.
    """
    frame = pl.DataFrame(
        [
            kept_keys(profiles["key"]),
            pl.Series("email", pl.from_arrow(text_column(profiles["email"]))),
            *(pl.Series(name, pl.from_arrow(profiles[name])) for name in profiles.column_names[2:]),
        ]
    )
    others = profiles.column_names[2:]
    matched = hashed(frame.with_columns(pl.col("email").alias("_raw")), rules_of("both")).collect()
    parts = _parts(matched)
    domains = _domains(parts)
    table = matched.select(
        "key",
        "prehashed",
        *[column for rule in rules_of("both") for column in (f"reason_{rule}", _binary(f"sha256_{rule}"))],
        *others,
    ).to_arrow(compat_level=pl.CompatLevel.oldest())
    return Matched(table, domains, _examples(parts, domains))


def sendable_hashes(table: pa.Table, normalization: str) -> Hashes:
    """Return the hashes that a segment stands for, each once, in the order in which they first appear."""
    return as_array(_hash_column(table, normalization).unique(maintain_order=True))


def keys_of(table: pa.Table, normalization: str, hashes: Hashes) -> pl.DataFrame:
    """Return the keys of the profiles that some hashes stand for.

    Returns
    -------
    polars.DataFrame
        Columns ``position`` (in ``hashes``) and ``key``; a hash that two profiles share appears twice, and one that
        no profile has any more has no key.
    """
    wanted = pl.DataFrame({"hash": as_series(hashes), "position": np.arange(len(hashes))})
    keys = pl.Series("key", pl.from_arrow(table["key"]))
    columns = [pl.DataFrame({"key": keys, "hash": _column(table, rule)}) for rule in rules_of(normalization)]
    found = wanted.join(pl.concat(columns), on="hash", how="left")
    return found.select("position", "key").unique(maintain_order=True).sort("position", maintain_order=True)


def as_array(hashes: pl.Series) -> Hashes:
    """Return a column of 32-byte values as rows of bytes."""
    arrow = hashes.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.binary(32))
    packed = np.frombuffer(arrow.buffers()[1] or b"", dtype=np.uint8)
    return packed.reshape(-1, 32)[arrow.offset : arrow.offset + len(arrow)]


def as_series(hashes: Hashes) -> pl.Series:
    """Return rows of bytes as a column."""
    packed = pa.py_buffer(np.ascontiguousarray(hashes))
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(hashes), [None, packed])
    return pl.Series("hash", pl.from_arrow(array.cast(pa.large_binary())))


def _hash_column(table: pa.Table, normalization: str) -> pl.Series:
    columns = [_column(table, rule) for rule in rules_of(normalization)]
    if len(columns) == 1:
        return columns[0].drop_nulls()
    pairs = pl.DataFrame({"basic": columns[0], "enhanced": columns[1]})
    return pairs.select(pl.concat_list("basic", "enhanced").explode()).to_series().drop_nulls()


def _column(table: pa.Table, rule: str) -> pl.Series:
    return pl.Series("hash", pl.from_arrow(table[f"sha256_{rule}"].cast(pa.large_binary())))


def _binary(column: str) -> pl.Expr:
    return pl.col(column).str.decode("hex")


def kept_keys(keys: pa.ChunkedArray) -> pl.Series:
    """Return keys as they are kept: those that look like an address as their hash."""
    column = pl.Series("key", pl.from_arrow(keys))
    if column.dtype != pl.String or not column.str.contains("@", literal=True).any():
        return column
    import polars_hash as plh

    digest = plh.col("key").str.strip_chars().str.to_lowercase().chash.sha2_256()  # type: ignore[attr-defined]  # plugin
    return column.to_frame().select(
        pl.when(pl.col("key").str.contains("@", literal=True)).then(digest).otherwise(pl.col("key")).alias("key")
    )["key"]


def _parts(matched: pl.DataFrame) -> pl.DataFrame:
    """Return each value's first character, its domain where it has one, and its reason under the basic rule."""
    text = pl.coalesce("text_basic", pl.col("_raw").str.strip_chars().str.to_lowercase())
    return matched.select(
        pl.coalesce("text_basic", "text_enhanced").str.splitn("@", 2).struct.field("field_1").alias("domain"),
        text.str.slice(0, 1).alias("first"),
        text.str.splitn("@", 2).struct.field("field_1").alias("written"),
        "reason_basic",
    )


def _domains(parts: pl.DataFrame) -> dict[str, int]:
    counts = parts.select(pl.col("domain").drop_nulls().value_counts(sort=True)).unnest("domain")
    named = counts.filter(pl.col("count") >= SMALLEST_DOMAIN).sort(["count", "domain"], descending=[True, False])
    shown = named.head(_SHOWN_DOMAINS)
    rest = int(counts["count"].sum()) - int(shown["count"].sum())
    domains = dict(zip(shown["domain"].to_list(), shown["count"].to_list(), strict=True))
    return {**domains, **({OTHER: rest} if rest else {})}


def _examples(parts: pl.DataFrame, domains: Mapping[str, int]) -> dict[str, list[str]]:
    """Return masked values: the first character and a domain that many share; nothing that points to a person."""
    examples: dict[str, list[str]] = {}
    for reason in INVALID[2:]:  # a missing value and a hash have nothing to show
        rows = parts.filter(pl.col("reason_basic") == reason).head(_EXAMPLES)
        masked = [_mask(row["first"], row["written"], domains) for row in rows.to_dicts()]
        if masked:
            examples[reason] = masked
    return examples


def _mask(first: str | None, domain: str | None, domains: Mapping[str, int]) -> str:
    start = f"{first or ''}•••"
    if domain is None:
        return start
    return f"{start}@{domain if domain in domains and domain != OTHER else OTHER}"
