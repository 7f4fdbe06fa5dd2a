"""Case folding with the same result in Python, which folds the values of a rule, and in DuckDB.

The two lower-case a few letters differently: a capital sigma at the end of a word, a dotted capital I, and letters
of a Unicode version that one of them does not know. These letters are replaced first; then both give the same result.
So Istanbul equals İSTANBUL, a dotless i is a different letter, the capital ẞ equals ß but not ss, and all sigmas are
equal.
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
#: Letters that the engines lower-case differently, with their replacements.
AMBIGUOUS = {"İ": "i", "Σ": _SIGMA, "ς": _SIGMA}
#: Capitals that are too new for some engine, with their replacements.
NEW = "".join(map(chr, _CAPITALS))
NEW_REPLACEMENTS = "".join(map(chr, _CAPITALS.values()))
_TABLE = str.maketrans("".join(AMBIGUOUS) + NEW, "".join(AMBIGUOUS.values()) + NEW_REPLACEMENTS)


def fold_case(text: str) -> str:
    """Fold a text for comparisons that ignore case."""
    return text.translate(_TABLE).lower()
