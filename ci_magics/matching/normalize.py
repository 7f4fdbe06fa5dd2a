"""From e-mail addresses to the hashes that Microsoft Advertising matches.

Three rules have a name. ``basic`` trims and lower-cases, as the connectors of the field do. ``enhanced`` is the rule
that Microsoft publishes for enhanced conversions (help page "Enhanced conversions", guide "UET Conversion API").
``both`` gives the two hashes of each profile. Hashes are SHA-256 of UTF-8, lower-case hexadecimal (page "Customer List
Item Record").
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import polars as pl
import pyarrow as pa

from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.matching.careful import INVALID as INVALID
from ci_magics.matching.characters import STRIP as STRIP
from ci_magics.matching.kernel import hashed
from ci_magics.matching.parallel import in_parallel
from ci_magics.matching.text_column import kept_text, pieces, text_column

Normalization = Literal["basic", "enhanced", "both"]
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)


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
    return pa.table({column.name: kept_text(column) for column in frame})
