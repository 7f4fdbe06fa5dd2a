from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_magics.errors import ArgumentError
from ci_magics.matching.normalize import STRIP, normalize

CASES = list(csv.DictReader((Path(__file__).parent / "email_cases.csv").open(encoding="utf-8", newline="")))
MISSING = {"", "none", "null", "nan", "<na>", "n/a", "undefined"}
POISON = {hashlib.sha256(word.encode()).hexdigest() for word in ("", "nan", "none", "null")}


def one(value: Any, normalization: str = "basic") -> tuple[Any, Any, Any]:
    row = normalize([value], normalization=normalization).to_pylist()[0]
    return row["normalized"], row["sha256"], row["reason"]


def row_by_row(value: str | None, rule: str) -> tuple[str | None, str | None, str | None]:
    """The rules once more, one value at a time, in plain Python."""
    if value is None or value.strip(STRIP).lower() in MISSING:
        return None, None, "missing"
    text = value.strip(STRIP).lower()
    if re.fullmatch("[0-9a-f]{64}", text):
        return (None, None, "poison_hash") if text in POISON else (None, text, None)
    if rule == "enhanced":
        text = _enhanced(text)
    reason = _reason(text, rule)
    return (None, None, reason) if reason else (text, hashlib.sha256(text.encode()).hexdigest(), None)


def _enhanced(text: str) -> str:
    text = "".join(letter for letter in text if letter not in STRIP)
    local, at, domain = text.partition("@")
    if not at:
        return text
    if not local.isascii():
        marks = unicodedata.normalize("NFKD", local)
        local = "".join(letter for letter in marks if not unicodedata.category(letter).startswith("M")).lower()
    return local.split("+")[0].replace(".", "") + at + domain


def _reason(text: str, rule: str) -> str | None:
    if text.count("@") != 1:
        return "many_at" if "@" in text else "no_at"
    if rule == "basic" and any(letter in STRIP for letter in text):
        return "inner_space"
    local, _, domain = text.partition("@")
    if not 1 <= len(local) <= 64 or any(letter in '()<>[]",;:\\' + STRIP for letter in local):
        return "bad_local"
    labels = domain.split(".")
    legal = all(
        label and all(letter in "abcdefghijklmnopqrstuvwxyz0123456789-_" or _is_letter(letter) for letter in label)
        for label in labels
    )
    return None if legal and len(labels) > 1 and len(text) <= 254 else "bad_domain"


def _is_letter(letter: str) -> bool:
    return not letter.isascii() and unicodedata.category(letter).startswith("L")


@pytest.mark.parametrize("case", CASES, ids=[str(number) for number in range(len(CASES))])
def test_known_cases(case: dict[str, str]) -> None:
    expected = tuple(case[name] or None for name in ("normalized", "sha256", "reason"))
    assert one(case["input"], case["normalization"]) == expected


letters = st.sampled_from(
    list("abZ09._-+@@@")
    + list(STRIP[:6])
    + list('()<>[]",;:\\ ÀéßİΣς漢\uff20\uff0b\uff0e…\uff41\u0301\u200b\ufeff\u00a0\u2028ﬁ²')
)


@given(st.lists(st.one_of(st.text(letters, max_size=24), st.text(max_size=12), st.none()), max_size=20))
@settings(max_examples=300, deadline=None)
def test_the_kernel_agrees_with_plain_python(values: list[str | None]) -> None:
    for rule in ("basic", "enhanced"):
        rows = normalize(pa.array(values, pa.string()), normalization=rule).to_pylist()
        got = [(row["normalized"], row["sha256"], row["reason"]) for row in rows]
        assert got == [row_by_row(value, rule) for value in values]


@pytest.mark.parametrize("character", list(STRIP), ids=[f"U+{ord(each):04X}" for each in STRIP])
def test_invisible_characters_go_at_both_ends(character: str) -> None:
    assert one(f"{character}a@b.com{character}")[0] == "a@b.com"
    assert one(f"a{character}@b.com")[2] == "inner_space"
    assert one(f"a{character}@b.com", "enhanced")[0] == "a@b.com"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nan", "missing"),
        ("<NA>", "missing"),
        ("@", "bad_local"),
        ("a b", "no_at"),
        ("a b@@c", "many_at"),
        ("a b@c", "inner_space"),
        ("a,b@c", "bad_local"),
        (f"{'a' * 65}@b.com", "bad_local"),
        ("a@b", "bad_domain"),
        ("a@b.", "bad_domain"),
        ("a@.b.com", "bad_domain"),
        ("a@b!.com", "bad_domain"),
        (f"a@{'b' * 250}.com", "bad_domain"),
        (sorted(POISON)[0].upper(), "poison_hash"),
    ],
)
def test_the_first_reason_that_fits_is_given(value: str, reason: str) -> None:
    assert one(value)[2] == reason


@pytest.mark.parametrize(
    "value", [f"{'a' * 64}@b.com", f"a@{'b' * 248}.com", "a@münchen.de", "a_b@x-y.co_m", "a'b@c.de"]
)
def test_what_is_legal_is_valid(value: str) -> None:
    assert one(value)[2] is None


def test_both_gives_two_hashes_and_a_reason_only_where_neither_rule_fits() -> None:
    table = normalize(["J.ö+x@b.com", "a b@c.com", "+x@c.com", "none"], normalization="both")
    rows = table.to_pylist()
    assert [row["reason"] for row in rows] == [None, None, None, "missing"]
    assert rows[0]["sha256"] == hashlib.sha256("j.ö+x@b.com".encode()).hexdigest()
    assert rows[0]["sha256_enhanced"] == hashlib.sha256(b"jo@b.com").hexdigest()
    assert (rows[1]["sha256"], rows[1]["sha256_enhanced"]) == (None, hashlib.sha256(b"ab@c.com").hexdigest())
    assert rows[2]["sha256_enhanced"] is None


SOME = ["A@b.com", None, " x@y.org ", "no", "Ü@z.de"]


@pytest.mark.parametrize(
    "column",
    [
        SOME,
        tuple(SOME),
        np.array(SOME, dtype=object),
        pd.Series(SOME, dtype=object),
        pd.Series(SOME, dtype="str"),
        pd.Series(SOME, dtype="string"),
        pd.Series(SOME, dtype=pd.ArrowDtype(pa.large_string())),
        pd.Series(SOME, dtype="category"),
        pd.Series(["x", *SOME], dtype=object)[1:],
        pl.Series(SOME),
        pl.Series(SOME, dtype=pl.Categorical),
        pa.array(SOME),
        pa.array(SOME, pa.large_string()),
        pa.array(SOME, pa.string_view()),
        pa.array(SOME).dictionary_encode(),
        pa.chunked_array([SOME[:2], [], SOME[2:]], pa.string()),
    ],
    ids=range(16),
)
def test_every_kind_of_column_gives_the_same(column: Any) -> None:
    assert normalize(column).to_pylist() == normalize(pa.array(SOME)).to_pylist()


def test_other_values_are_reasons() -> None:
    values = [1, 2.5, float("nan"), pd.NA, pd.NaT, b"a@b.com", "lone \ud800 surrogate@b.com", None]
    reasons = normalize(values).column("reason").to_pylist()
    assert reasons == ["no_at", "no_at", "missing", "missing", "missing", None, "inner_space", "missing"]


@pytest.mark.parametrize("empty", [[], pd.Series([], dtype=object), pa.array([], pa.null()), pa.array([None])])
def test_nothing_is_no_problem(empty: Any) -> None:
    assert normalize(empty).column("sha256").null_count == len(empty)


def test_an_unknown_rule_gets_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'enhanced'"):
        normalize([], normalization="enhancd")


def test_one_text_is_not_a_column() -> None:
    with pytest.raises(ArgumentError, match="not a column"):
        normalize("a@b.com")
