"""Near-SQL in conditions: detect it and suggest the correct SQL.

Used only after DuckDB has rejected a condition, because all of these patterns can occur in valid text or SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_TYPOGRAPHIC = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u201a\u201b", "'"))
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
_SIGNS = {"\u2265": ">=", "\u2264": "<=", "\u2260": "<>"}
_VALUE = r"(?=\s*(?:'|[-+]?\d))"

#: The hint for a word that may be a text or a misspelled column name.
UNQUOTED = "In SQL, a text is in single quotes"

Fix = str | Callable[[re.Match[str]], str]
#: What people write, the SQL for it, and the sentence about it.
_RULES: tuple[tuple[str, Fix, str], ...] = (
    (r"^\s*where\s+", "", "The word WHERE is not part of the condition"),
    (r"^\s*if\s+", "", "The word IF is not part of the condition"),
    (r"\s*;\s*$", "", "A condition has no semicolon"),
    (r"\s*&&\s*", " and ", "SQL writes 'and' for &&"),
    (r"\s*\|\|\s*", " or ", "SQL writes 'or' for ||"),
    (r"=<", "<=", "SQL writes <= for =<"),
    (r"=>", ">=", "SQL writes >= for =>"),
    (r"\bis\s+not\b(?!\s+(?:null|true|false|distinct))" + _VALUE, "<>", "SQL writes <> for 'is not'"),
    (r"\bis\b" + _VALUE, "=", "SQL writes = for 'is'"),
    (r"\bdoes\s+not\s+equal\b|\bnot\b" + _VALUE, "<>", "SQL writes <> for 'does not equal'"),
    (r"\bequals\b", "=", "SQL writes = for 'equals'"),
    (r"\bcontains\s+'((?:[^']|'')*)'", r"like '%\1%'", "SQL writes like '%...%' for 'contains'"),
    (r"\bstarts\s+with\s+'((?:[^']|'')*)'", r"like '\1%'", "SQL writes like '...%' for 'starts with'"),
    (r"\bends\s+with\s+'((?:[^']|'')*)'", r"like '%\1'", "SQL writes like '%...' for 'ends with'"),
    (
        r"\bin\s+('(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*|\d+(?:\s*,\s*\d+)+)",
        r"in (\1)",
        "SQL puts the values behind IN into parentheses",
    ),
    (r"\bbetween\s+(\S+)\s*,\s*(\S+)", r"between \1 and \2", "SQL writes 'and' between the two values"),
    (
        r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,])",
        lambda found: found.group().replace(",", ""),
        "A number is written without commas",
    ),
)


@dataclass(frozen=True)
class Slip:
    """A part of a condition that is not SQL.

    Parameters
    ----------
    explanation
        The correct SQL, in words.
    condition
        The corrected condition.
    """

    explanation: str
    condition: str


def find_slip(condition: str, columns: Sequence[str]) -> Slip | None:
    """Return what is not SQL in a rejected condition; None if nothing is found.

    Parameters
    ----------
    condition
        The original condition.
    columns
        All columns.
    """
    notes: list[str] = []
    fixed = _straight(condition, notes)
    for pattern, instead, words in _RULES:
        changed = _outside_quotes(fixed, pattern, instead)
        if changed != fixed:
            notes.append(words)
            fixed = changed
    if _quotes(fixed) % 2:
        notes.append("A text ends with a quote, and one is missing")
        fixed = f"{fixed.rstrip()}'"
    if not notes:
        fixed = _quoted_word(fixed, columns, notes)
    return Slip("; ".join(notes), fixed) if notes else None


def _straight(condition: str, notes: list[str]) -> str:
    """Replace the quotes, dashes and signs of word processors."""
    fixed = condition
    if (straight := fixed.translate(_TYPOGRAPHIC)) != fixed and "'" not in fixed:
        notes.append("Typographic quotes are not quotes in SQL")
        fixed = straight
    dashed = _outside_quotes(fixed, rf"[{_DASHES}](?=\s*\d)", "-")
    if dashed != fixed:
        notes.append("A typographic dash is not a minus sign")
        fixed = dashed
    for sign, operator in _SIGNS.items():
        changed = _outside_quotes(fixed, sign, f" {operator} ")
        if changed != fixed:
            notes.append(f"SQL writes {operator} for {sign}")
            fixed = re.sub(r"(?<=\S) {2,}| {2,}(?=\S)", " ", changed)
    return fixed


def _quoted_word(condition: str, columns: Sequence[str], notes: list[str]) -> str:
    """Quote a word after a comparison if it is not a column."""
    known = {each.casefold() for each in columns} | {
        "null",
        "true",
        "false",
        "current_date",
        "date",
        "not",
        "all",
        "any",
    }

    def fix(found: re.Match[str]) -> str:
        word = found[2]
        if word.casefold() in known or word.isdigit():
            return found.group()
        notes.append(UNQUOTED)
        return f"{found[1]}'{word}'"

    return _outside_quotes(condition, r"((?:=|<>|!=)\s*)([^\W\d]\w*)(?!\s*[\w(.'\"])", fix)


def _outside_quotes(text: str, pattern: str, instead: Fix) -> str:
    """Replace a pattern where it begins outside quotes."""

    def fix(found: re.Match[str]) -> str:
        if _quotes(text[: found.start()]) % 2:
            return found.group()
        return instead(found) if callable(instead) else found.expand(instead)

    return re.sub(pattern, fix, text, flags=re.IGNORECASE)


def _quotes(text: str) -> int:
    return text.count("'")
