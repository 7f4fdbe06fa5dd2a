"""Values that an e-mail column can hold, the hardest first."""

from __future__ import annotations

from hypothesis import strategies as st
from matching.scalar import MISSING, POISON

BLANK = "\t\r\n\x1c \x85\xa0\u1680\u2009\u200b\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
#: Dotless i, dotted capital I, sharp s in both cases, sigmas, the Kelvin and Angstrom signs, ligatures, full-width and
#: other compatibility forms that become @ + . , blanks or capitals, marks that combine, letters beyond 16 bits.
TRAPS = (
    "\u0131\u0130\u00df\u1e9e\u03a3\u03c3\u03c2\u212a\u212b\ufb01\uff20\ufe6b\uff0b\ufe62\uff0e\u2026\u2024"
    "\uff0c\uff1b\uff21\U0001d400\u210c\u00b2\u00bd\u00a8\u00b4\u0301\u0307\u0308\u0345\u20dd\u6f22\u00e9"
    "\u00c9\u0450\U0001d51e\U00010400\u01c5\u00ad\u200e\u0131\u037a"
)
#: Control, format and other invisible characters; the last two replace lost characters.
UNSEEN = (
    "\0\x07\x7f\x84\xad\u034f\u061c\u115f\u1160\u17b4\u180b\u180e\u200e\u202a\u2065\u2066\u3164\ufe0f\uffa0\ufff9"
    "\U000e0001\U000e0041\U000e0101\U0001d173\ufffc\ufffd"
)
LEGAL = "abcXYZ019._-+'!#"
ILLEGAL = '@()<>[]",;:\\/'

#: Characters that were assigned long ago, because Python and Polars may know different versions of Unicode.
ANY_CHARACTER = st.characters(codec="utf-8", max_codepoint=0x1FFFF, exclude_categories=("Cn", "Cs", "Co"))
NASTY = st.one_of(*(st.sampled_from(each) for each in (LEGAL, LEGAL, TRAPS, BLANK, UNSEEN, ILLEGAL)), ANY_CHARACTER)
some = st.text(NASTY, max_size=8)
blanks = st.text(st.sampled_from(BLANK + UNSEEN), max_size=2)
local = st.one_of(st.text(st.sampled_from(LEGAL), min_size=1, max_size=10), some)
domain = st.one_of(
    st.sampled_from(
        ["b.com", "B.Example.ORG", "münchen.de", "x-y.co_m", "b", "b.", ".b.com", "b..com", "b.c!m", "ß.de"]
    ),
    st.sampled_from(
        [
            "हिन्दी.भारत",
            "mu\u0308nchen.de",
            "இந்தியா.இந்தியா",
            "-b.com",
            "b-.com",
            "b.123",
            "b.१२",
            "\u0301b.com",
            "paral·lel.cat",
        ]
    ),
    st.lists(st.text(st.sampled_from("b7-_é\u0301\u093f१·"), max_size=3), max_size=4).map(".".join),
    some,
)
addresses = st.builds(lambda one, two: f"{one}@{two}", local, domain)
#: Lengths near the limits of 64 and 254 characters, which a rule can change: letters that become two, or disappear.
long_locals = st.builds(
    lambda letter, count, rest: f"{letter * count}{rest}@b.com",
    st.sampled_from(["a", "é", "ﬁ", "a\u0301", "漢", "İ", "a."]),
    st.sampled_from([20, 31, 32, 33, 62, 63, 64, 65, 66]),
    some,
)
long_ones = st.builds(
    lambda letter, count, one: f"{one}@{letter * count}.com",
    st.sampled_from(["b", "ö", "漢", "b."]),
    st.sampled_from([120, 124, 247, 248, 249, 250, 251]),
    local,
)
hashes = st.one_of(
    st.text(st.sampled_from("0123456789abcdefABCDEF"), min_size=63, max_size=65), st.sampled_from(sorted(POISON))
)
words = st.sampled_from(sorted(MISSING)).flatmap(
    lambda word: st.sampled_from([word, word.upper(), word.title(), f"x{word}"])
)
values = st.builds(
    lambda before, value, after: f"{before}{value}{after}",
    blanks,
    st.one_of(addresses, addresses, long_locals, long_ones, hashes, words, some),
    blanks,
)
