"""Ignoring case: one folding that Python, which folds the values of a rule, and DuckDB implement identically.

They lower-case a few letters differently: what a capital sigma at the end of a word becomes, what a dotted capital I
becomes, and the letters that came with a version of Unicode one of them does not know. Those are replaced first, then
their own lower-casing gives the same. So: Istanbul and İSTANBUL are the same, a dotless i is none, the capital ẞ is the
small ß and neither is ss, and all sigmas are one.
"""

from __future__ import annotations

#: Capital and small letters that Unicode 15 to 17 added.
_CAPITALS = {
    **{0x10D50 + n: 0x10D70 + n for n in range(22)},  # Garay
    **{0x16EA0 + n: 0x16EBB + n for n in range(25)},  # Beria Erfe
    0x1C89: 0x1C8A,
    0xA7CB: 0x0264,
    0xA7CC: 0xA7CD,
    0xA7CE: 0xA7CF,
    0xA7D2: 0xA7D3,
    0xA7D4: 0xA7D5,
    0xA7DA: 0xA7DB,
    0xA7DC: 0x019B,
}
_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
#: Letters that engines lower-case differently, and what they become.
UNSETTLED = {"İ": "i", "Σ": _SIGMA, "ς": _SIGMA}
#: Capitals that are too new for some engine, and what they become.
NEW = "".join(map(chr, _CAPITALS))
NEW_REPLACEMENTS = "".join(map(chr, _CAPITALS.values()))
_TABLE = str.maketrans("".join(UNSETTLED) + NEW, "".join(UNSETTLED.values()) + NEW_REPLACEMENTS)


def folded(text: str) -> str:
    """Return a text as it is compared when case is ignored."""
    return text.translate(_TABLE).lower()
