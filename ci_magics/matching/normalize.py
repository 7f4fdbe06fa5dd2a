"""The kernel: from e-mail addresses to the hashes that Microsoft Advertising matches, Arrow in and Arrow out.

Three rules have a name. ``basic`` trims and lower-cases, as the connectors of the field do. ``enhanced`` is the rule
that Microsoft publishes for enhanced conversions (help page "Enhanced conversions", guide "UET Conversion API").
``both`` gives the two hashes of each profile. Hashes are SHA-256 of UTF-8, lower-case hexadecimal (page "Customer List
Item Record").
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import polars as pl
import polars_hash as plh
import pyarrow as pa

from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.matching.text_column import text_column

Normalization = Literal["basic", "enhanced", "both"]
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)

#: Why a value has no hash, in order of precedence.
INVALID = ("missing", "poison_hash", "no_at", "many_at", "inner_space", "bad_local", "bad_domain")

#: White space and invisible characters that are stripped at both ends.
STRIP = "".join(
    map(
        chr,
        [
            *range(0x09, 0x0E),
            *range(0x1C, 0x21),
            0x85,
            0xA0,
            0x1680,
            *range(0x2000, 0x200E),
            0x2028,
            0x2029,
            0x202F,
            0x205F,
            0x2060,
            0x3000,
            0xFEFF,
        ],
    )
)
_BLANKS = f"[{STRIP}]"
_MISSING = ["", "none", "null", "nan", "<na>", "n/a", "undefined"]
#: SHA-256 of "", "nan", "none" and "null": what careless pipelines send for people without an address.
_POISON = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "9b2d5b4678781e53038e91ea5324530a03f27dc1d0e5f6c9bc9d493a23be9de0",
    "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe",
    "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
]
_HASH = "^[0-9a-f]{64}$"
_ILLEGAL_LOCAL = r'[()<>\[\]",;:\\' + STRIP + "]"
_ASCII_DOMAIN = r"^(?:[a-z0-9_-]+\.)+[a-z0-9_-]+$"
_ANY_DOMAIN = r"^(?:[a-z0-9_\p{L}-]+\.)+[a-z0-9_\p{L}-]+$"
_LONGEST = 254
_LONGEST_LOCAL = 64

_REASON = pl.Enum(INVALID)


def normalize(emails: Any, *, normalization: str = "basic") -> pa.Table:
    """Normalize and hash e-mail addresses.

    Parameters
    ----------
    emails
        A list, a Series or an Arrow column.
    normalization
        ``basic``, ``enhanced`` or ``both``.

    Returns
    -------
    pyarrow.Table
        One row per value: ``normalized`` (null where invalid, and for a value that was a hash already), ``sha256``
        (null where invalid) and ``reason`` (null where valid). With ``both`` these are those of ``basic``, and
        ``sha256_enhanced`` is added; a value that is valid under either rule has no reason.

    Raises
    ------
    ArgumentError
        The normalization is unknown, or the values are not a column of text.
    """
    require_normalization(normalization)
    frame = hashed(pl.DataFrame({"email": pl.from_arrow(text_column(emails))}), rules_of(normalization)).collect()
    first = rules_of(normalization)[0]
    reason = pl.col(f"reason_{first}")
    columns = {"normalized": pl.col(f"text_{first}"), "sha256": pl.col(f"sha256_{first}")}
    if normalization == "both":
        reason = pl.when(pl.col("sha256_enhanced").is_null()).then(reason)
        columns["sha256_enhanced"] = pl.col("sha256_enhanced")
    chosen = frame.select(**columns, reason=reason.cast(pl.String))
    order = ["normalized", "sha256", "reason", *(["sha256_enhanced"] if normalization == "both" else [])]
    return chosen.select(order).to_arrow(compat_level=pl.CompatLevel.oldest())


def require_normalization(normalization: str) -> None:
    """Refuse a rule that has no name here.

    Raises
    ------
    ArgumentError
        Naming the nearest rule and all of them.
    """
    if normalization in NORMALIZATIONS:
        return
    nearest = nearest_name(str(normalization), NORMALIZATIONS)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(
        f"There is no normalization '{normalization}'.{hint}",
        f"Use one of: {', '.join(NORMALIZATIONS)}.",
        code="unknown_normalization",
    )


def rules_of(normalization: str) -> tuple[str, ...]:
    """Return the single rules that a normalization consists of."""
    return ("basic", "enhanced") if normalization == "both" else (normalization,)


def hashed(profiles: pl.DataFrame | pl.LazyFrame, rules: tuple[str, ...]) -> pl.LazyFrame:
    """Add normalized text, hash and reason under each rule to a frame with a column ``email`` of text.

    The columns added are ``prehashed``, and for each rule ``text_RULE``, ``sha256_RULE`` (hexadecimal) and
    ``reason_RULE``. The column ``email`` is dropped.
    """
    trimmed = pl.col("email").str.strip_chars(STRIP).str.to_lowercase()
    frame = profiles.lazy().with_columns(trimmed.alias("_text")).drop("email")
    # Materialized step by step: an expression that is written twice is computed twice.
    is_hash = (pl.col("_text").str.len_bytes() == 64) & pl.col("_text").str.contains(_HASH)
    frame = frame.with_columns(
        (pl.col("_text").is_null() | pl.col("_text").is_in(_MISSING)).alias("_missing"),
        is_hash.fill_null(value=False).alias("prehashed"),
    )
    frame = frame.with_columns((pl.col("prehashed") & pl.col("_text").is_in(_POISON)).alias("_poison"))
    if "enhanced" in rules:
        frame = _enhanced_text(frame)
    for rule in rules:
        frame = _judged(frame, rule, already="basic" if rules[0] == "basic" != rule else None)
    return frame.drop("_text", "_missing", "_poison", "_enhanced", strict=False)


def _enhanced_text(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add what the enhanced rule makes of a trimmed, lower-cased value; only the local part loses accents."""
    unspaced = pl.col("_text").str.replace_all(_BLANKS, "")
    frame = frame.with_columns(unspaced.alias("_unspaced"))
    parts = pl.col("_unspaced").str.splitn("@", 2)
    frame = frame.with_columns(
        parts.struct.field("field_0").alias("_local"), parts.struct.field("field_1").alias("_domain")
    )
    is_ascii = pl.col("_local").str.len_bytes() == pl.col("_local").str.len_chars()
    plain = pl.when(is_ascii).then(None).otherwise(pl.col("_local"))
    unaccented = plain.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    frame = frame.with_columns(pl.coalesce(unaccented, pl.col("_local")).alias("_local"))
    local = pl.col("_local").str.replace(r"(?s)\+.*$", "").str.replace_all(".", "", literal=True)
    joined = pl.concat_str(local, pl.lit("@"), pl.col("_domain"))
    # Without an @ there is no local part to change; what comes out is judged like any other value.
    return frame.with_columns(pl.coalesce(joined, pl.col("_unspaced")).alias("_enhanced")).drop(
        "_unspaced", "_local", "_domain"
    )


def _judged(frame: pl.LazyFrame, rule: str, already: str | None) -> pl.LazyFrame:
    """Add reason, text and hash of one rule; what another rule has hashed already is not hashed again."""
    source = "_text" if rule == "basic" else "_enhanced"
    text = pl.col(source)
    parts = text.str.splitn("@", 2)
    frame = frame.with_columns(
        parts.struct.field("field_0").alias("_local"), parts.struct.field("field_1").alias("_domain")
    )
    reason = f"reason_{rule}"
    frame = frame.with_columns(_reason(rule, source).cast(_REASON).alias(reason))
    valid = pl.col(reason).is_null() & ~pl.col("prehashed")
    frame = frame.with_columns(pl.when(valid).then(text).alias(f"text_{rule}")).drop("_local", "_domain")
    known: pl.Expr = pl.when(pl.col("prehashed") & pl.col(reason).is_null()).then(pl.col("_text"))
    if already:
        same = pl.col(f"text_{rule}") == pl.col(f"text_{already}")
        frame = frame.with_columns(pl.when(~same.fill_null(value=False)).then(pl.col(f"text_{rule}")).alias("_new"))
        known = pl.when(same).then(pl.col(f"sha256_{already}")).otherwise(known)
    else:
        frame = frame.with_columns(pl.col(f"text_{rule}").alias("_new"))
    digest = plh.col("_new").chash.sha2_256()
    return frame.with_columns(pl.coalesce(digest, known).alias(f"sha256_{rule}")).drop("_new")


def _reason(rule: str, source: str) -> pl.Expr:
    text, local, domain = pl.col(source), pl.col("_local"), pl.col("_domain")
    first_fitting = [
        ("missing", pl.col("_missing")),
        ("poison_hash", pl.col("_poison")),
        (None, pl.col("prehashed")),
        ("no_at", domain.is_null()),
        ("many_at", domain.str.contains("@", literal=True)),
        *([("inner_space", text.str.contains(_BLANKS))] if rule == "basic" else []),
        ("bad_local", _bad_local(local)),
        ("bad_domain", _bad_domain(text, domain)),
    ]
    reason: pl.Expr = pl.lit(None, pl.String)
    for name, fits in reversed(first_fitting):
        reason = pl.when(fits).then(pl.lit(name, pl.String)).otherwise(reason)
    return reason


def _bad_local(local: pl.Expr) -> pl.Expr:
    characters = local.str.len_chars()
    return (characters == 0) | (characters > _LONGEST_LOCAL) | local.str.contains(_ILLEGAL_LOCAL)


def _bad_domain(text: pl.Expr, domain: pl.Expr) -> pl.Expr:
    legal = domain.str.contains(_ASCII_DOMAIN) | domain.str.contains(_ANY_DOMAIN)
    return ~legal | (text.str.len_chars() > _LONGEST)
