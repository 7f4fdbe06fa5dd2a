"""The rules of normalization once more: one value at a time, in plain Python, as they are written in words."""

from __future__ import annotations

import hashlib
import re
import unicodedata

BLANKS = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
MISSING = {"", "none", "null", "nan", "<na>", "n/a", "undefined"}
POISON = {hashlib.sha256(word.encode()).hexdigest() for word in ("", "nan", "none", "null")}
Judged = tuple[str | None, str | None, str | None]


def scalar(value: str | None, rule: str) -> Judged:
    """Return normalized text, hash and reason of one value."""
    text = re.sub(f"^[{BLANKS}]+|[{BLANKS}]+\\Z", "", value or "").lower()
    if text in MISSING:
        return None, None, "missing"
    if re.fullmatch("[0-9a-f]{64}", text):
        return (None, None, "poison_hash") if text in POISON else (None, text, None)
    text = enhanced(text) if rule == "enhanced" else text
    reason = why_not(text, rule)
    return (None, None, reason) if reason else (text, hashlib.sha256(text.encode()).hexdigest(), None)


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
    if not 1 <= len(local) <= 64 or re.search(f'[()<>\\[\\]",;:\\\\{BLANKS}]', local):
        return "bad_local"
    labels = domain.split(".")
    legal = all(label and all(is_legal(letter) for letter in label) for label in labels) and len(labels) > 1
    return None if legal and len(text) <= 254 else "bad_domain"


def is_legal(letter: str) -> bool:
    return letter.isalnum() or letter in "-_" if letter.isascii() else unicodedata.category(letter)[0] == "L"
