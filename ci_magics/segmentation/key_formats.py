"""Describe the format of keys without showing any, to explain why the keys of two segments never match."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.key_text import key_text

_SAMPLE = 1_000
_MAX_PARTS = 7
_HASH = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"-?[0-9]+[.,][0-9]+")


def format_of_keys(keys: Any) -> str:
    """Return the format of most of the first thousand keys of an Arrow column; empty if there is no key.

    All keys of one format have the same description: ``whole numbers of 4 digits``, ``text such as letters-digits``.
    It contains no letter or digit of a key.
    """
    if pa.types.is_null(keys.type):
        return ""
    texts = [each for each in key_text(keys.drop_null()[:_SAMPLE]).to_pylist() if each is not None]
    forms = Counter(map(_form, texts))
    if not forms:
        return ""
    form = min(forms, key=lambda each: (-forms[each], each))
    if form != "whole numbers":
        return form
    lengths = sorted({len(each.lstrip("-")) for each in texts if _form(each) == form})
    shortest, longest = lengths[0], lengths[-1]
    if longest == 1:
        return f"{form} of 1 digit"
    return f"{form} of {longest} digits" if shortest == longest else f"{form} of {shortest} to {longest} digits"


def _form(text: str) -> str:
    for pattern, name in ((_INTEGER, "whole numbers"), (_HASH, "hashes"), (_UUID, "UUIDs")):
        if pattern.fullmatch(text):
            return name
    if _NUMBER.fullmatch(text):
        return "numbers with a decimal point"
    if not text.strip():
        return "blank text"
    if text != text.strip():
        return "text with spaces around it"
    if text.isdigit():
        return "digits that begin with zero"
    parts = ["".join(group) if kind == "" else kind for kind, group in groupby(text, _kind)]
    return f"text such as {''.join(parts)}" if len(parts) <= _MAX_PARTS else "text"


def _kind(character: str) -> str:
    if character.isdigit():
        return "digits"
    return "letters" if character.isalpha() else ""
