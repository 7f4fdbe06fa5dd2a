"""Invisible characters: which are stripped from an address, and which make it invalid.

The sets follow Unicode 16: the general categories Cc (control) and Cf (format) of ``UnicodeData.txt``, and the property
``Default_Ignorable_Code_Point`` of ``DerivedCoreProperties.txt``. They are written out because Python knows only the
categories, in whatever version of Unicode it was built with.
"""

from __future__ import annotations

Ranges = tuple[tuple[int, int], ...]

#: White space, and what spreadsheets and web pages use as such.
_BLANKS: Ranges = (
    *((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200D)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x2060), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_CONTROL: Ranges = ((0x00, 0x1F), (0x7F, 0x9F))
_FORMAT: Ranges = (
    *((0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2)),
    *((0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F), (0xFEFF, 0xFEFF)),
    *((0xFFF9, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3)),
    *((0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F)),
)
_DEFAULT_IGNORABLE: Ranges = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
#: Placeholders for a lost character or object: an address that contains one is no longer the original address.
_REPLACEMENT: Ranges = ((0xFFFC, 0xFFFD),)


def _points(*sets: Ranges) -> frozenset[int]:
    return frozenset(point for ranges in sets for first, last in ranges for point in range(first, last + 1))


def _text(points: frozenset[int]) -> str:
    return "".join(map(chr, sorted(points)))


#: Characters that separate or pad addresses.
BLANKS = _text(_points(_BLANKS))
#: What is stripped at both ends of an address.
STRIP = _text(_points(_BLANKS, _CONTROL, _FORMAT, _DEFAULT_IGNORABLE))
#: Non-blank characters that make an address invalid when they are inside it.
HIDDEN = _text(_points(_CONTROL, _FORMAT, _DEFAULT_IGNORABLE, _REPLACEMENT) - _points(_BLANKS))


def as_class(characters: str) -> str:
    """Return characters, in the order of their code points, as the class of a regular expression, without brackets.

    Runs are written as ranges, so that four thousand characters stay a short pattern.
    """
    runs: list[list[int]] = []
    for point in map(ord, characters):
        if runs and point == runs[-1][1] + 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in runs)
