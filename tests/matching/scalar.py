"""The rules of normalization again: one value at a time, in plain Python, as the documentation words them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

BLANKS = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
BLANK_LETTERS = {chr(point) for point in range(0x10000) if re.match(f"[{BLANKS}]", chr(point))}
MISSING = {"", "none", "null", "nan", "<na>", "n/a", "undefined"}
POISON = {hashlib.sha256(word.encode()).hexdigest() for word in ("", "nan", "none", "null")}
Judged = tuple[str | None, str | None, str | None]


def scalar(value: str | None, rule: str) -> Judged:
    """Return normalized text, hash and reason of one value."""
    text = stripped(value or "").lower()
    if text in MISSING:
        return None, None, "missing"
    if re.fullmatch("[0-9a-f]{64}", text):
        return (None, None, "poison_hash") if text in POISON else (None, text, None)
    text = enhanced(text) if rule == "enhanced" else text
    reason = why_not(text, rule)
    return (None, None, reason) if reason else (text, hashlib.sha256(text.encode()).hexdigest(), None)


def stripped(text: str) -> str:
    kept = [place for place, letter in enumerate(text) if not (re.match(f"[{BLANKS}]", letter) or is_unseen(letter))]
    return text[kept[0] : kept[-1] + 1] if kept else ""


def is_unseen(letter: str) -> bool:
    """Control, format and default-ignorable characters, by their Unicode names and purposes."""
    name, point = unicodedata.name(letter, ""), ord(letter)
    named = ("VARIATION SELECTOR", "KHMER VOWEL INHERENT", "COMBINING GRAPHEME JOINER")
    filler = "HANGUL" in name and "FILLER" in name
    reserved = point == 0x2065 or 0xFFF0 <= point <= 0xFFF8 or point >> 12 == 0xE0
    return unicodedata.category(letter) in ("Cc", "Cf") or filler or reserved or any(each in name for each in named)


def enhanced(text: str) -> str:
    local, at, domain = re.sub(f"[{BLANKS}]", "", text).partition("@")
    letters = "".join(each for each in unicodedata.normalize("NFKD", local) if unicodedata.category(each)[0] != "M")
    return (letters.lower().partition("+")[0].replace(".", "") if at else local) + at + domain


def why_not(text: str, rule: str) -> str | None:
    local, _, domain = text.partition("@")
    if text.count("@") != 1:
        return "many_at" if "@" in text else "no_at"
    if rule == "basic" and re.search(f"[{BLANKS}]", text):
        return "inner_space"
    if any(letter in "\ufffc\ufffd" or (is_unseen(letter) and letter not in BLANK_LETTERS) for letter in text):
        return "hidden_character"
    if not 1 <= len(local) <= 64 or re.search(f'[()<>\\[\\]",;:\\\\{BLANKS}]', local):
        return "bad_local"
    labels = domain.split(".")
    legal = all(map(is_label, labels)) and len(labels) > 1 and not all(map(is_digit, labels[-1]))
    return None if legal and len(text) <= 254 else "bad_domain"


def is_label(label: str) -> bool:
    hyphens = label.startswith("-") or label.endswith("-")
    return bool(label) and not hyphens and not is_mark(label[0]) and all(map(is_legal, label))


def is_legal(letter: str) -> bool:
    if letter.isascii():
        return letter.isalnum() or letter in "-_"
    signs = "\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb"
    return letter in signs or unicodedata.category(letter)[0] == "L" or is_mark(letter) or is_digit(letter)


def is_mark(letter: str) -> bool:
    return unicodedata.category(letter) in ("Mn", "Mc")


def is_digit(letter: str) -> bool:
    return unicodedata.category(letter) == "Nd"
