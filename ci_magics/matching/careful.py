"""The slow path: classify any text, and give the exact reason where it has no hash."""

from __future__ import annotations

import polars as pl
import polars_hash as plh

from ci_magics.in_memory import IN_MEMORY
from ci_magics.matching.characters import BLANKS, HIDDEN, as_class

#: Why a value has no hash, in order of precedence.
INVALID = (
    *("missing", "poison_hash", "no_at", "many_at", "inner_space"),
    *("hidden_character", "bad_local", "bad_domain"),
)

_BLANKS = f"[{as_class(BLANKS)}]"
_HIDDEN = f"[{as_class(HIDDEN)}]"
_MISSING = ["", "none", "null", "nan", "<na>", "n/a", "undefined"]
#: SHA-256 of "", "nan", "none" and "null": what careless pipelines send for people without an address.
_POISON = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "9b2d5b4678781e53038e91ea5324530a03f27dc1d0e5f6c9bc9d493a23be9de0",
    "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe",
    "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
]
_HASH = "^[0-9a-f]{64}$"
_ILLEGAL_LOCAL = r'[()<>\[\]",;:\\' + as_class(BLANKS) + "]"
#: What a label of a domain name consists of, beside ASCII: the letters, marks and digits of all scripts, and the signs
#: that IDNA 2008 allows in some of them (RFC 5892, sections 2.6 and A.3 to A.7): Catalan, Greek, Hebrew, Tibetan,
#: Sindhi and Japanese. A label never begins with a mark (RFC 5891, section 4.2.3.2), nor begins or ends with a hyphen.
_FIRST = r"a-z0-9_\p{L}\p{Nd}\u{b7}\u{375}\u{5f3}\u{5f4}\u{6fd}\u{6fe}\u{f0b}\u{3007}\u{30fb}"
_LABEL = rf"[{_FIRST}](?:[{_FIRST}\p{{Mn}}\p{{Mc}}-]*[{_FIRST}\p{{Mn}}\p{{Mc}}])?"
_DOMAIN = rf"^(?:{_LABEL}\.)+{_LABEL}$"
#: A top-level name of digits only would be a part of an IP address (RFC 3696, section 2).
_NUMBERED = r"\.\p{Nd}+$"
LONGEST = 254
_LONGEST_LOCAL = 64


REASON = pl.Enum(INVALID)


def careful(trimmed: pl.Series, rules: tuple[str, ...]) -> pl.DataFrame:
    """Return the outcome for texts that are already stripped; see `ci_magics.matching.kernel.hashed`."""
    frame = trimmed.to_frame().lazy().with_columns(pl.col("trimmed").str.to_lowercase())
    # Materialized step by step: an expression that is written twice is computed twice.
    text = pl.col("trimmed")
    is_hash = (text.str.len_bytes() == 64) & text.str.contains(_HASH)
    frame = frame.with_columns(
        (text.is_null() | text.is_in(_MISSING)).alias("_missing"),
        is_hash.fill_null(value=False).alias("prehashed"),
    )
    frame = frame.with_columns((pl.col("prehashed") & text.is_in(_POISON)).alias("_poison"))
    for rule in rules:
        frame = _judged(frame, rule)
    if "enhanced" in rules:
        frame = frame.with_columns(domain=split_at(pl.coalesce(*(f"text_{rule}" for rule in rules)))[1])
    return frame.select(pl.exclude("^_.*$")).collect(engine=IN_MEMORY)


def sha256(text: pl.Expr) -> pl.Expr:
    """Return the hash of a text's UTF-8 in lower-case hexadecimal."""
    digest: pl.Expr = plh.CryptographicHashingNameSpace(text).sha2_256()
    return digest


def split_at(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return what stands before the first @ of a text and what stands after it, which is null where there is none."""
    parts = text.str.splitn("@", 2)
    return parts.struct.field("field_0"), parts.struct.field("field_1")


def without_tag_and_periods(local: pl.Expr) -> pl.Expr:
    """Return a local part up to the first +, without periods."""
    return local.str.replace(r"(?s)\+.*$", "").str.replace_all(".", "", literal=True)


def _judged(frame: pl.LazyFrame, rule: str) -> pl.LazyFrame:
    """Add reason, text and hash under one rule."""
    frame = frame.with_columns(_text=pl.col("trimmed")) if rule == "basic" else _enhanced(frame)
    local, domain = split_at(pl.col("_text"))
    frame = frame.with_columns(_local=local, _domain=domain)
    frame = frame.with_columns(_reason(rule).alias(f"reason_{rule}"))
    is_valid = pl.col(f"reason_{rule}").is_null()
    text = pl.when(is_valid & ~pl.col("prehashed")).then(pl.col("_text"))
    known = pl.when(is_valid & pl.col("prehashed")).then(pl.col("trimmed"))
    frame = frame.with_columns(text.alias(f"text_{rule}"))
    return frame.with_columns(pl.coalesce(sha256(pl.col(f"text_{rule}")), known).alias(f"sha256_{rule}"))


def _enhanced(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add the result of the enhanced rule; only the local part loses accents."""
    frame = frame.with_columns(_unspaced=pl.col("trimmed").str.replace_all(_BLANKS, ""))
    local, domain = split_at(pl.col("_unspaced"))
    frame = frame.with_columns(_local=local, _domain=domain)
    unaccented = pl.col("_local").str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    # Without an @ there is no local part to change; what comes out is judged like any other text.
    joined = pl.concat_str(without_tag_and_periods(unaccented), pl.lit("@"), pl.col("_domain"))
    return frame.with_columns(_text=pl.coalesce(joined, pl.col("_unspaced")))


def _reason(rule: str) -> pl.Expr:
    """Return the first reason that fits."""
    text, local, domain = pl.col("_text"), pl.col("_local"), pl.col("_domain")
    first_fitting = {
        "missing": pl.col("_missing"),
        "poison_hash": pl.col("_poison"),
        "": pl.col("prehashed"),
        "no_at": domain.is_null(),
        "many_at": domain.str.contains("@", literal=True),
        **({"inner_space": text.str.contains(_BLANKS)} if rule == "basic" else {}),
        "hidden_character": text.str.contains(_HIDDEN),
        "bad_local": _bad_local(local),
        "bad_domain": ~domain.str.contains(_DOMAIN) | domain.str.contains(_NUMBERED) | (text.str.len_chars() > LONGEST),
    }
    reason: pl.Expr = pl.lit(None, REASON)
    for name, fits in reversed(first_fitting.items()):
        reason = pl.when(fits).then(pl.lit(name or None, REASON)).otherwise(reason)
    return reason


def _bad_local(local: pl.Expr) -> pl.Expr:
    characters = local.str.len_chars()
    return (characters == 0) | (characters > _LONGEST_LOCAL) | local.str.contains(_ILLEGAL_LOCAL)
