"""The kernel: from addresses to the text that is hashed, the hash, or the reason why there is none, for each rule.

Nearly all addresses of any column are plain: ASCII, one @, nothing that a rule forbids. Those are recognized by one
expression and need no further check; the others take the slow path.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.forking import require_threads
from ci_magics.in_memory import IN_MEMORY
from ci_magics.matching.careful import LONGEST, REASON, careful, sha256, split_at, without_tag_and_periods
from ci_magics.matching.characters import STRIP

#: Addresses that are valid without changes, once they are stripped and in lower case (ASCII).
#: A top-level name with a digit goes the slow path, like everything that is rare: it may be all digits.
_PLAIN = r"^[a-z0-9!#$%&'*/=?^_`{|}~.+-]{1,64}@(?:[a-z0-9_]+(?:-+[a-z0-9_]+)*\.)+[a-z_]+$"
#: Those of them whose local part the enhanced rule removes completely.
_NOTHING_LEFT = r"^\.*[+@]"


@dataclass(frozen=True)
class Hashed:
    """Addresses, normalized and hashed: plain ones, and the others.

    Both have the columns ``trimmed`` (stripped, in small letters), ``prehashed``, and for each rule ``text_RULE`` (null
    where invalid, and for a value that was a hash already), ``sha256_RULE`` (hexadecimal, null where invalid) and
    ``reason_RULE`` (null where valid). With the enhanced rule they have ``domain`` too (null where neither rule fits).

    Parameters
    ----------
    plain, others
        In the order of the addresses.
    is_plain
        Which of them each address is among.
    """

    plain: pl.DataFrame = field(repr=False)
    others: pl.DataFrame = field(repr=False)
    is_plain: npt.NDArray[np.bool_] = field(repr=False)

    def columns(self, *wanted: str | pl.Expr) -> pl.DataFrame:
        """Return some columns of all addresses, in their order."""
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
        others=careful(trimmed.filter(~is_plain), rules),
        is_plain=is_plain.to_numpy(),
    )


def _plain(trimmed: pl.Series, rules: tuple[str, ...]) -> pl.DataFrame:
    """Return the outcome for plain addresses; text that is the same under both rules is hashed once."""
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
