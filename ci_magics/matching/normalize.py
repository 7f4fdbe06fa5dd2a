"""Turn e-mail addresses into the hashes that Microsoft Advertising matches, or a reason why there is none.

Three rules have a name. ``basic`` trims and lower-cases, like most Customer Match connectors. ``enhanced`` is the rule
that Microsoft publishes for enhanced conversions (help page "Enhanced conversions", guide "UET Conversion API").
``both`` gives the two hashes of each profile. Hashes are SHA-256 of UTF-8, lower-case hexadecimal (page "Customer List
Item Record").

Nearly all addresses are plain: ASCII, one @, nothing that a rule forbids. One pattern recognizes them.
The others take the slow path, which finds the exact reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.forking import require_threads
from ci_magics.in_memory import IN_MEMORY
from ci_magics.matching.characters import BLANKS, HIDDEN, STRIP, as_class
from ci_magics.matching.parallel import in_parallel
from ci_magics.matching.text_column import compact_text, pieces, text_column

Normalization = Literal["basic", "enhanced", "both"]
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)

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
#: What a label of a domain name consists of, in addition to ASCII: the letters, marks and digits of all scripts, and
#: the signs that IDNA 2008 allows in some of them (RFC 5892, sections 2.6 and A.3 to A.7): Catalan, Greek, Hebrew,
#: Tibetan, Sindhi and Japanese. A label never begins with a mark (RFC 5891, section 4.2.3.2), nor begins or ends with a
#: hyphen.
_FIRST = r"a-z0-9_\p{L}\p{Nd}\u{b7}\u{375}\u{5f3}\u{5f4}\u{6fd}\u{6fe}\u{f0b}\u{3007}\u{30fb}"
_LABEL = rf"[{_FIRST}](?:[{_FIRST}\p{{Mn}}\p{{Mc}}-]*[{_FIRST}\p{{Mn}}\p{{Mc}}])?"
_DOMAIN = rf"^(?:{_LABEL}\.)+{_LABEL}$"
#: A top-level name of digits only would be a part of an IP address (RFC 3696, section 2).
_NUMBERED = r"\.\p{Nd}+$"
LONGEST = 254
_LONGEST_LOCAL = 64
REASON = pl.Enum(INVALID)
#: Addresses that are valid without changes, once they are stripped and in lower case (ASCII).
#: A top-level name with a digit takes the slow path, like everything that is rare, because it may be all digits.
_PLAIN = r"^[a-z0-9!#$%&'*/=?^_`{|}~.+-]{1,64}@(?:[a-z0-9_]+(?:-+[a-z0-9_]+)*\.)+[a-z_]+$"
#: Those of them whose local part the enhanced rule removes completely.
_NOTHING_LEFT = r"^\.*[+@]"


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
    done = in_parallel(lambda piece: _normalized(text_column(piece), normalization), pieces(emails))
    return pa.concat_tables([_normalized(pa.array([], pa.large_string()), normalization), *done])


def require_normalization(normalization: str) -> None:
    """Require a known normalization.

    Raises
    ------
    ArgumentError
        It is unknown; the message suggests the nearest name and lists all of them.
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


def _normalized(emails: pa.Array, normalization: str) -> pa.Table:
    rules = rules_of(normalization)
    first = rules[0]
    reason = pl.col(f"reason_{first}").cast(pl.String).alias("reason")
    columns = [pl.col(f"text_{first}").alias("normalized"), pl.col(f"sha256_{first}").alias("sha256")]
    if normalization == "both":
        columns += [pl.when(pl.col("sha256_enhanced").is_null()).then(reason), pl.col("sha256_enhanced")]
    else:
        columns += [reason]
    frame = hashed(emails, rules).columns(*columns)
    return pa.table({column.name: compact_text(column) for column in frame})


@dataclass(frozen=True)
class Hashed:
    """Addresses, normalized and hashed: plain ones, and the others.

    Both have the columns ``trimmed`` (stripped, in lower case), ``prehashed``, and for each rule ``text_RULE`` (null
    where invalid, and for a value that was a hash already), ``sha256_RULE`` (hexadecimal, null where invalid) and
    ``reason_RULE`` (null where valid). With the enhanced rule, they also have ``domain`` (null if invalid under both).

    Parameters
    ----------
    plain, others
        The two kinds, each in the order of the addresses.
    is_plain
        For each address, whether it is plain.
    """

    plain: pl.DataFrame = field(repr=False)
    others: pl.DataFrame = field(repr=False)
    is_plain: npt.NDArray[np.bool_] = field(repr=False)

    def columns(self, *wanted: str | pl.Expr) -> pl.DataFrame:
        """Return some columns of all addresses, in the original order."""
        plain = self.plain.select(*wanted)
        if not self.others.height:
            return plain
        places = np.empty(len(self.is_plain), dtype=np.uint32)
        places[self.is_plain] = np.arange(plain.height, dtype=np.uint32)
        places[~self.is_plain] = np.arange(plain.height, len(places), dtype=np.uint32)
        return pl.concat([plain, self.others.select(*wanted)], rechunk=True)[places]


def hashed(emails: pa.Array, rules: tuple[str, ...]) -> Hashed:
    """Normalize and hash addresses under some rules.

    Parameters
    ----------
    emails
        Text.
    rules
        ``basic``, ``enhanced``, or both in this order.
    """
    require_threads()
    trimmed = pl.Series("trimmed", pl.from_arrow(pc.ascii_lower(pc.utf8_trim(emails, STRIP))), pl.String)
    is_plain = trimmed.str.contains(_PLAIN) & (trimmed.str.len_bytes() <= LONGEST)
    if "enhanced" in rules:
        is_plain &= ~trimmed.str.contains(_NOTHING_LEFT)
    is_plain = is_plain.fill_null(value=False)
    return Hashed(
        plain=_plain(trimmed.filter(is_plain), rules),
        others=_slow_path(trimmed.filter(~is_plain), rules),
        is_plain=is_plain.to_numpy(),
    )


def _plain(trimmed: pl.Series, rules: tuple[str, ...]) -> pl.DataFrame:
    """Hash plain addresses; a text that is the same under both rules is hashed once."""
    frame = trimmed.to_frame().lazy().with_columns(prehashed=pl.lit(value=False))
    if "enhanced" in rules:
        local, domain = split_at(pl.col("trimmed"))
        frame = frame.with_columns(_local=local, domain=domain)
    for rule in rules:
        frame = frame.with_columns(
            _plain_text(rule).alias(f"text_{rule}"), pl.lit(None, REASON).alias(f"reason_{rule}")
        )
        frame = frame.with_columns(_plain_hash(rule, rules).alias(f"sha256_{rule}"))
    return frame.select(pl.exclude("^_.*$")).collect(engine=IN_MEMORY)


def _plain_text(rule: str) -> pl.Expr:
    if rule == "basic":
        return pl.col("trimmed")
    return pl.concat_str(without_tag_and_periods(pl.col("_local")), pl.lit("@"), pl.col("domain"))


def _plain_hash(rule: str, rules: tuple[str, ...]) -> pl.Expr:
    text = pl.col(f"text_{rule}")
    if rule == rules[0]:
        return sha256(text)
    other = pl.when(text != pl.col(f"text_{rules[0]}")).then(text)
    return pl.coalesce(sha256(other), pl.col(f"sha256_{rules[0]}"))


def _slow_path(trimmed: pl.Series, rules: tuple[str, ...]) -> pl.DataFrame:
    """Classify and hash texts that are already stripped; see `hashed`."""
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
        frame = _classify(frame, rule)
    if "enhanced" in rules:
        frame = frame.with_columns(domain=split_at(pl.coalesce(*(f"text_{rule}" for rule in rules)))[1])
    return frame.select(pl.exclude("^_.*$")).collect(engine=IN_MEMORY)


def sha256(text: pl.Expr) -> pl.Expr:
    """Return the hash of a text's UTF-8 in lower-case hexadecimal."""
    digest: pl.Expr = plh.CryptographicHashingNameSpace(text).sha2_256()
    return digest


def split_at(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the parts of a text before and after the first @; the second is null if there is no @."""
    parts = text.str.splitn("@", 2)
    return parts.struct.field("field_0"), parts.struct.field("field_1")


def without_tag_and_periods(local: pl.Expr) -> pl.Expr:
    """Return a local part up to the first +, without periods."""
    return local.str.replace(r"(?s)\+.*$", "").str.replace_all(".", "", literal=True)


def _classify(frame: pl.LazyFrame, rule: str) -> pl.LazyFrame:
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
    # Without an @ there is no local part to change; the result is classified like any other text.
    joined = pl.concat_str(without_tag_and_periods(unaccented), pl.lit("@"), pl.col("_domain"))
    return frame.with_columns(_text=pl.coalesce(joined, pl.col("_unspaced")))


def _reason(rule: str) -> pl.Expr:
    """Return the first reason that applies."""
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
