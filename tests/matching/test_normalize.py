from __future__ import annotations

import csv
import hashlib
import sys
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matched_in_memory import match_profiles
from matching.scalar import POISON, Judged, is_unseen, scalar
from matching.values import values
from run_settings import examples

from ci_magics.errors import ArgumentError
from ci_magics.matching import text_column
from ci_magics.matching.characters import BLANKS, HIDDEN, STRIP
from ci_magics.matching.normalize import normalize
from ci_magics.segmentation.segment import build_segment

CASES = list(csv.DictReader((Path(__file__).parent / "email_cases.csv").open(encoding="utf-8", newline="")))
RULES = ("basic", "enhanced")


def judged(column: Any, normalization: str = "basic") -> list[Judged]:
    rows = normalize(column, normalization=normalization).to_pylist()
    return [(row["normalized"], row["sha256"], row["reason"]) for row in rows]


def one(value: Any, normalization: str = "basic") -> Judged:
    return judged([value], normalization)[0]


def readable(value: str | None) -> str | None:
    """Return the text with unpaired surrogates escaped."""
    return value if value is None else value.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("case", CASES, ids=[str(number) for number in range(len(CASES))])
def test_known_address_is_normalized_as_listed(case: dict[str, str]) -> None:
    expected = tuple(case[name] or None for name in ("normalized", "sha256", "reason"))
    assert one(case["input"], case["normalization"]) == expected


@given(st.lists(st.one_of(values, values, st.none()), max_size=12))
@settings(max_examples=examples(500), deadline=None)
def test_kernel_agrees_with_plain_python_on_any_text(texts: list[str | None]) -> None:
    basic, enhanced = ([scalar(text, rule) for text in texts] for rule in RULES)
    assert judged(pa.array(texts, pa.string())) == basic
    assert judged(pa.array(texts, pa.string()), "enhanced") == enhanced
    both = normalize(pa.array(texts, pa.string()), normalization="both").to_pylist()
    assert [row["normalized"] for row in both] == [each[0] for each in basic]
    assert [(row["sha256"], row["sha256_enhanced"]) for row in both] == [
        (each[1], other[1]) for each, other in zip(basic, enhanced, strict=True)
    ]
    assert [row["reason"] for row in both] == [
        None if other[1] else each[2] for each, other in zip(basic, enhanced, strict=True)
    ]


@given(st.lists(values, min_size=1, max_size=8))
@settings(max_examples=examples(200), deadline=None)
def test_matched_segment_has_the_same_hashes_and_reasons(texts: list[str]) -> None:
    kept = match_profiles(pa.table({"key": pa.array(range(len(texts))), "email": texts})).profiles.table.to_pylist()  # type: ignore[attr-defined]
    for rule in RULES:
        expected = [scalar(text, rule) for text in texts]
        assert [row[f"sha256_{rule}"] and row[f"sha256_{rule}"].hex() for row in kept] == [each[1] for each in expected]
        assert [row[f"reason_{rule}"] for row in kept] == [each[2] for each in expected]


@given(st.lists(st.one_of(values, st.text(max_size=9).map(lambda text: f"a\ud800{text}@b.com")), max_size=5))
@settings(max_examples=examples(150), deadline=None)
def test_unencodable_python_text_is_normalized_too(texts: list[str]) -> None:
    for rule in RULES:
        assert judged(pd.Series(texts, dtype=object), rule) == [scalar(readable(text), rule) for text in texts]


EVERY_CHARACTER = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]


def test_stripped_characters_match_the_unicode_properties() -> None:
    """Python may know an older Unicode than Polars, so characters that Python has not assigned are not compared."""
    padding = set(BLANKS)
    every = pl.Series(EVERY_CHARACTER)
    assert set(every.filter(every.str.contains(r"[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]"))) - padding == (
        set(STRIP) - padding
    )
    assigned = [each for each in EVERY_CHARACTER if unicodedata.category(each) != "Cn" and each not in padding]
    assert [each for each in assigned if is_unseen(each)] == [each for each in assigned if each in STRIP]
    assert set(STRIP) - padding == set(HIDDEN) - {"\ufffc", "\ufffd"}


def test_invisible_characters_are_stripped_at_both_ends() -> None:
    wrapped = [f"{each}{each}A@b.com{each}" for each in STRIP]
    alone = [each * 2 for each in STRIP]
    for rule in RULES:
        assert {each[0] for each in judged(wrapped, rule)} == {"a@b.com"}
        assert {each[2] for each in judged(alone, rule)} == {"missing"}


def test_inner_blanks_are_a_reason_that_the_enhanced_rule_removes() -> None:
    inside = [f"a{each}@b.c{each}om" for each in BLANKS]
    assert {each[2] for each in judged(inside)} == {"inner_space"}
    assert {each[0] for each in judged(inside, "enhanced")} == {"a@b.com"}


def test_inner_invisible_character_is_a_reason_under_every_rule() -> None:
    domains = [f"a@b{each}b.com" for each in HIDDEN]
    for rule in RULES:
        assert {each[2] for each in judged(domains, rule)} == {"hidden_character"}
    locals_ = [f"a{each}a@b.com" for each in HIDDEN]
    assert {each[2] for each in judged(locals_)} == {"hidden_character"}
    # The enhanced rule drops combining marks of the local part, and some of these characters are combining marks.
    marks = [unicodedata.category(each) == "Mn" for each in HIDDEN]
    assert [each[2] for each in judged(locals_, "enhanced")] == [None if mark else "hidden_character" for mark in marks]


@pytest.mark.parametrize("value", ["\ufffda@b.com", "a@b.com\ufffd", "\ufffca@b.com"])
def test_replacement_character_is_a_reason_even_at_the_ends(value: str) -> None:
    assert [one(value, rule)[2] for rule in RULES] == ["hidden_character"] * 2


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
        ("a@-b.com", "bad_domain"),
        ("a@b-.com", "bad_domain"),
        ("a@c.-b.com", "bad_domain"),
        ("a@b.com-", "bad_domain"),
        ("a@-", "bad_domain"),
        ("a@b.123", "bad_domain"),
        ("a@192.168.0.1", "bad_domain"),
        ("a@[192.168.0.1]", "bad_domain"),
        ("a@भारत.१२", "bad_domain"),
        ("a@\u0301b.com", "bad_domain"),
        ("a@b\u3002com", "bad_domain"),
        ("a@b\u20dd.com", "bad_domain"),
        ("a b\u200e@c.com", "inner_space"),
        ("a\u200e,@c", "hidden_character"),
        ("a\u200e@@c", "many_at"),
        (f"a@{'b' * 250}.com", "bad_domain"),
        (sorted(POISON)[0].upper(), "poison_hash"),
    ],
)
def test_first_reason_that_applies_is_given(value: str, reason: str) -> None:
    assert one(value)[2] == reason


@pytest.mark.parametrize(
    "value",
    [
        *[f"{'a' * 64}@b.com", f"a@{'b' * 248}.com", "a@münchen.de", "a_b@x-y.co_m", "a'b@c.de", "a@mu\u0308nchen.de"],
        *["a@हिन्दी.भारत", "a@उदाहरण.परीक्षा", "a@இந்தியா.இந்தியா", "a@ไทย.ไทย", "a@বাংলা.ভারত", "a@ලංකා.com", "a@မြန်မာ.com"],
        *["a@xn--mnchen-3ya.de", "a@b.xn--p1ai", "a@1.com", "a@4-u.com", "a@b--c.com", "a@b.c0m", "a@b.1a", "a@_b.com"],
        *[
            "a@paral·lel.cat",
            "a@ドメイン・ネーム.jp",
            "a@१२३.भारत",
            "a@۴.ایران",
            "a@हिन्दी१.com",
            "a@עברית.com",
            "a@ཇ་.com",
        ],
    ],
)
def test_legal_address_is_valid(value: str) -> None:
    assert one(value)[2] is None


@pytest.mark.parametrize(
    ("value", "normalized"),
    [
        ("İ@b.com", "i@b.com"),  # the dot above is a mark
        ("\u0131@b.com", "\u0131@b.com"),  # dotless i
        ("ΑΣ@b.com", "ας@b.com"),
        ("ẞ@b.com", "ß@b.com"),
        ("\u212a@b.com", "k@b.com"),
        ("\uff21.\uff22\uff0bshop@b.com", "ab@b.com"),
        ("e\u0301@b.com", "e@b.com"),
        ("é@b.com", "e@b.com"),
        ("a@bé.com", "a@bé.com"),
    ],
)
def test_case_folding_is_independent_of_the_engine(value: str, normalized: str) -> None:
    assert one(value, "enhanced")[0] == normalized


def test_compatibility_forms_are_checked_after_normalization() -> None:
    assert one("a\uff20b@c.com", "enhanced")[2] == "many_at"
    assert one("\u2026@c.com", "enhanced")[2] == "bad_local"
    assert one("+shop@c.com", "enhanced")[2] == "bad_local"
    assert one("a\uff1bb@c.com", "enhanced")[2] == "bad_local"


def test_both_rules_give_two_hashes_and_a_reason_only_if_both_fail() -> None:
    table = normalize(["J.ö+x@b.com", "a b@c.com", "+x@c.com", "none"], normalization="both")
    rows = table.to_pylist()
    assert [row["reason"] for row in rows] == [None, None, None, "missing"]
    assert rows[0]["sha256"] == hashlib.sha256("j.ö+x@b.com".encode()).hexdigest()
    assert rows[0]["sha256_enhanced"] == hashlib.sha256(b"jo@b.com").hexdigest()
    assert (rows[1]["sha256"], rows[1]["sha256_enhanced"]) == (None, hashlib.sha256(b"ab@c.com").hexdigest())
    assert rows[2]["sha256_enhanced"] is None


def test_hash_is_lowercased_and_never_hashed_again() -> None:
    digest = hashlib.sha256(b"a@b.com").hexdigest()
    for rule in RULES:
        assert judged([f" {digest.upper()}\n", "a@b.com"], rule) == [(None, digest, None), ("a@b.com", digest, None)]


SOME: list[Any] = [
    *["A@b.com", None, " x@y.org ", "no", "Ü@z.de", "a@@b.com", "a b@c.com", "a.b+c@d.com", "a;b@c.com", "a@b", "nan"],
    *[hashlib.sha256(b"a@b.com").hexdigest(), sorted(POISON)[1], "\ufeffE\u0301@b.com", "İ@ß.de", "漢@漢.com"],
]
PIECES: list[tuple[str, Callable[[], Any]]] = [
    ("list", lambda: SOME),
    ("tuple", lambda: tuple(SOME)),
    ("numpy object", lambda: np.array(SOME, dtype=object)),
    ("pandas object", lambda: pd.Series(SOME, dtype=object)),
    ("pandas object, other index", lambda: pd.Series(["x", *SOME], dtype=object)[1:]),
    ("pandas object, reversed twice", lambda: pd.Series(SOME[::-1], dtype=object)[::-1]),
    ("pandas str", lambda: pd.Series(SOME, dtype="str")),
    ("pandas string", lambda: pd.Series(SOME, dtype="string")),
    ("pandas python string", lambda: pd.Series(SOME, dtype="string[python]")),
    ("pandas arrow", lambda: pd.Series(SOME, dtype=pd.ArrowDtype(pa.large_string()))),
    ("pandas category", lambda: pd.Series(SOME, dtype="category")),
    ("pandas index", lambda: pd.Index(SOME, dtype=object)),
    ("polars", lambda: pl.Series(SOME)),
    ("polars categorical", lambda: pl.Series(SOME, dtype=pl.Categorical)),
    ("polars object", lambda: pl.Series(SOME, dtype=pl.Object)),
    ("polars in two chunks", lambda: pl.concat([pl.Series(SOME[:5]), pl.Series(SOME[5:])], rechunk=False)),
    ("arrow", lambda: pa.array(SOME)),
    ("arrow large", lambda: pa.array(SOME, pa.large_string())),
    ("arrow view", lambda: pa.array(SOME, pa.string_view())),
    ("arrow dictionary", lambda: pa.array(SOME).dictionary_encode()),
    ("arrow dictionary of large", lambda: pa.array(SOME, pa.large_string()).dictionary_encode()),
    ("arrow chunks", lambda: pa.chunked_array([SOME[:2], [], SOME[2:]], pa.string())),
    ("arrow dictionary chunks", lambda: pa.chunked_array([SOME[:4], SOME[4:]], pa.string()).dictionary_encode()),
    ("arrow slice", lambda: pa.array(["x", *SOME, "y"]).slice(1, len(SOME))),
    ("arrow bytes", lambda: pa.array([each and each.encode() for each in SOME], pa.binary())),
    ("arrow run ends", lambda: pa.RunEndEncodedArray.from_arrays(range(1, len(SOME) + 1), pa.array(SOME))),
    ("duckdb", lambda: duckdb.from_arrow(pa.table({"EMail": SOME}))),
    ("arrow table", lambda: pa.table({"EMail": SOME})),
    ("polars frame", lambda: pl.DataFrame({"EMail": SOME})),
    ("pandas frame", lambda: pd.DataFrame({"EMail": pd.Series(SOME, dtype=object)})),
]


@pytest.fixture(params=[1_000, 3])
def _pieces_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_column, "PIECE", request.param)


@pytest.mark.matrix
@pytest.mark.usefixtures("_pieces_of")
@pytest.mark.parametrize(("kind", "column"), PIECES, ids=[kind for kind, _column in PIECES])
def test_column_of_any_kind_gives_the_same_result(kind: str, column: Callable[[], Any]) -> None:
    for rule in RULES:
        assert judged(column(), rule) == [scalar(value, rule) for value in SOME], kind


class Unreadable:
    def __ne__(self, other: object) -> Any:
        return np.array([True, False])

    def __str__(self) -> str:
        raise RuntimeError


def test_values_of_other_types_get_reasons() -> None:
    nothing = [float("nan"), np.float32("nan"), Decimal("NaN"), pd.NA, pd.NaT, np.datetime64("NaT"), None]
    assert {reason for _text, _hash, reason in judged(nothing)} == {"missing"}
    numbers = [1, 2.5, True, Decimal("1.5"), 10**30, np.int8(3), pd.Timestamp("2026-11-24"), [1], np.array([1, 2])]
    assert {reason for _text, _hash, reason in judged([*numbers, "x"])} == {"no_at"}
    assert judged([1, 2]) == judged([1.5, None])[:1] * 2
    mixed = [b"a@b.com", b"\xff@b.com", "lone \ud800 surrogate@b.com", Unreadable(), "a@b.com"]
    assert [reason for _text, _hash, reason in judged(mixed)] == [None, "bad_local", "inner_space", "missing", None]


def test_invalid_utf8_in_arrow_is_checked_by_its_bytes() -> None:
    broken = pa.array([b"\xff@b.com"]).view(pa.string())
    assert [reason for _text, _hash, reason in judged([broken[0], pa.scalar("a@b.com")])] == ["bad_local", None]
    assert [reason for _text, _hash, reason in judged(broken)] == ["bad_local"]


def test_mixed_column_of_a_segment_is_normalized_like_a_mixed_list() -> None:
    values = ["A@b.com", b"a@b.com", 1, 2.5, float("nan"), pd.NA, None, "a\ud800@b.com"]
    rows = build_segment("S", pd.DataFrame({"EMail": pd.Series(values, dtype=object)})).rows.table()
    kept = match_profiles(rows).profiles.table.to_pylist()  # type: ignore[attr-defined]
    assert [row["reason_basic"] for row in kept] == [reason for _text, _hash, reason in judged(values)]
    assert [row["sha256_basic"] for row in kept[:2]] == [hashlib.sha256(b"a@b.com").digest()] * 2


@pytest.mark.parametrize("empty", [[], pd.Series([], dtype=object), pa.array([], pa.null()), pa.array([None])])
def test_empty_column_is_normalized(empty: Any) -> None:
    table = normalize(empty, normalization="both")
    assert table.column("sha256").null_count == len(empty)
    assert table.column_names == ["normalized", "sha256", "reason", "sha256_enhanced"]


def test_unknown_rule_suggests_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'enhanced'"):
        normalize([], normalization="enhancd")


@pytest.mark.parametrize("value", ["a@b.com", b"a@b.com", 1, iter([])])
def test_value_that_is_not_a_column_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="not a column"):
        normalize(value)


@pytest.mark.parametrize("kind", [pa.table, pl.DataFrame, pd.DataFrame])
def test_frame_with_several_columns_is_refused(kind: Callable[[Any], Any]) -> None:
    with pytest.raises(ArgumentError, match="2 columns"):
        normalize(kind({"Id": [1], "EMail": ["a@b.com"]}))
