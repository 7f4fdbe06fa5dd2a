"""``$name`` in conditions and rules is always a value, whatever it contains."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_settings import examples

from ci_magics.errors import CiError, SegmentError
from ci_magics.segmentation.parameters import bound, names_in_condition
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.words import names_in_rule

VALUES: list[tuple[Any, Any]] = [
    (5, 5),
    (-5, -5),
    (10**30, 10**30),
    (True, True),
    (None, None),
    (0.1, 0.1),
    (1e300, 1e300),
    (float("inf"), float("inf")),
    (Decimal("1.50"), Decimal("1.50")),
    (Decimal("-1E+3"), Decimal(-1000)),
    ("it's", "it's"),
    ("a $b {c} -- d", "a $b {c} -- d"),
    ("x' OR '1'='1", "x' OR '1'='1"),
    ("tab\tline\nnul\0end\\", "tab\tline\nnul\0end\\"),
    (np.int8(3), 3),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.datetime64("2026-01-31"), dt.datetime(2026, 1, 31)),  # noqa: DTZ001
    (np.datetime64("NaT"), None),
    (pd.NA, None),
    (pd.NaT, None),
    (pd.Timestamp("2026-01-31 14:30"), dt.datetime(2026, 1, 31, 14, 30)),  # noqa: DTZ001
    (dt.date(2026, 1, 31), dt.date(2026, 1, 31)),
    (dt.datetime(2026, 1, 31, 1, 2, 3, 4), dt.datetime(2026, 1, 31, 1, 2, 3, 4)),  # noqa: DTZ001
    (dt.time(14, 30), dt.time(14, 30)),
    (uuid.UUID(int=7), str(uuid.UUID(int=7))),
    (pa.scalar(7), 7),
    (["a", "b"], ["a", "b"]),
    ((1, 2), [1, 2]),
    ({"b", "a"}, ["a", "b"]),
    (range(3), [0, 1, 2]),
    (np.array([1, 2]), [1, 2]),
    (pd.Series(["a", None]), ["a", None]),
    (pd.Index([1, 2]), [1, 2]),
    (pl.Series(["a"]), ["a"]),
    (pa.array([1]), [1]),
    ({"k": 1}.keys(), ["k"]),
    ([], []),
]


@pytest.mark.parametrize(("value", "read"), VALUES, ids=[f"{type(each).__name__} to {read!r}" for each, read in VALUES])
def test_duckdb_reads_exactly_the_bound_value(value: Any, read: Any) -> None:
    found = duckdb.sql(f"SELECT {bound('$it', {'it': value})}").fetchall()[0][0]
    if read is None:
        assert found is None
    else:
        assert found == read
        assert isinstance(found, int) == isinstance(read, int)


@given(st.one_of(st.text(), st.integers(-(2**127), 2**127 - 1), st.floats(allow_nan=False), st.dates(), st.booleans()))
@settings(max_examples=examples(200), deadline=None)
def test_value_never_becomes_sql(value: Any) -> None:
    rows = duckdb.sql(f"SELECT {bound('$it', {'it': value})}, 'end'").fetchall()
    assert rows == [(value, "end")]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("x > $least", ["least"]),
        ("x>$least and y=$least or z<$most", ["least", "most"]),
        ("x = '$least'", []),
        ('"$least" > 1', []),
        ("x = 'it''s $least' and y > $y", ["y"]),
        ("x > 1 -- $least\nand y > $y", ["y"]),
        ("x /* $least */ > 1", []),
        ("x = $$a $b$$", []),
        ("x = $tag$a $b$tag$", []),
        ("x = e'\\' $least'", []),
        ("x > $5", []),
        ("x IN ($a, $b)", ["a", "b"]),
        ("x > $größe", ["größe"]),
    ],
)
def test_dollar_in_quotes_or_comments_is_text(condition: str, names: list[str]) -> None:
    assert names_in_condition(condition) == names
    left = bound(condition, dict.fromkeys(["least", "most", "y", "a", "b", "größe"], 1))
    assert left.count("$") == condition.count("$") - sum(condition.count(f"${name}") for name in names)


@pytest.mark.parametrize("form", ["c IN $list", "c IN ($list)", "c in ( $list )", "list_contains($list, c)"])
@pytest.mark.parametrize("values", [["NL", "BE"], ["N'L", "NL"], [], ("BE",)])
def test_list_is_bound_in_every_usual_form(form: str, values: list[str]) -> None:
    frame = pa.table({"c": ["NL", "BE", "DE", "N'L"]})
    for negated in ("", "NOT "):
        condition = f"{negated}({bound(form, {'list': values})})"
        found = duckdb.from_arrow(frame).filter(condition).fetchall()
        assert {row[0] for row in found} == {
            each for each in frame["c"].to_pylist() if (each in values) != bool(negated)
        }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"x", "is a bytes"),
        ({"a": 1}, "is a dict"),
        (object(), "is a object"),
        (pd.DataFrame({"a": [1]}), "is a frame"),
        (2**127, "128 bits"),
        ("\ud800", "half of a character"),
        (Decimal(10) ** 40, "38 digits"),
        ([1, [2]], "is a list"),
    ],
)
def test_unsupported_value_is_refused_without_showing_it(value: Any, said: str) -> None:
    with pytest.raises(SegmentError, match=said):
        bound("x > $it", {"it": value})


def test_parameter_without_a_value_suggests_the_nearest() -> None:
    with pytest.raises(SegmentError, match=r"no value for \$leest. Did you mean \$least\?"):
        bound("x > $leest", {"least": 1})
    with pytest.raises(SegmentError, match=r"Did you mean \$least\?"):
        Rule.parse("x > $leest", {"least": 1})


@pytest.mark.parametrize(
    ("rule", "values", "text"),
    [
        ("TotalSpend > $least", {"least": 500}, "TotalSpend > 500"),
        ("Country is any of $ones", {"ones": ["NL", "B E"]}, 'Country is any of NL, "B E"'),
        ("Country is any of DE, $ones", {"ones": ("NL",)}, "Country is any of DE, NL"),
        ("Country equals $c", {"c": "NL and x > 1"}, 'Country equals "NL and x > 1"'),
        ("Name contains $part", {"part": 'it\'s "x"'}, 'Name contains "it\'s ""x"""'),
        ("Spend between $a and $b", {"a": Decimal("1.5"), "b": np.int64(3)}, "Spend between 1.5 and 3"),
        ("Born > $day", {"day": dt.date(2026, 1, 31)}, "Born > 2026-01-31"),
        ("At > $at", {"at": pd.Timestamp("2026-01-31 14:30")}, "At > 2026-01-31T14:30:00"),
        ("Seen within the last $n days", {"n": 90}, "Seen within the last 90 days"),
        ("Born month of $m", {"m": ["March", 4]}, "Born month of March, April"),
        ("Opt equals $yes", {"yes": True}, "Opt equals true"),
        ("Price equals '$least'", {"least": 1}, 'Price equals "$least"'),
        ("Price equals $5", {}, 'Price equals "$5"'),
    ],
)
def test_rule_stores_the_values(rule: str, values: dict[str, Any], text: str) -> None:
    parsed = Rule.parse(rule, values)
    assert parsed.text == text
    assert Rule.parse(parsed.text) == parsed
    assert set(names_in_rule(rule)) == set(values) - ({"least"} if "'" in rule else set())


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("$c equals 1", {"c": "Country"}),
        ("Country equals $ones", {"ones": ["NL"]}),
        ("Country equals $c", {"c": None}),
        ("Country is any of $ones", {"ones": []}),
        ("Day within the last $n days", {"n": "many"}),
        ("Day month of $m", {"m": 13}),
        ("x > $x", {"x": float("nan")}),
        ("x > $x", {"x": 2**70}),
        ("x > $x", {"x": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}),
        ("x > $x", {"x": dt.time(1)}),
        ("x > $x", {}),
    ],
)
def test_value_that_does_not_fit_a_rule_is_refused(rule: str, values: dict[str, Any]) -> None:
    with pytest.raises(SegmentError) as caught:
        Rule.parse(rule, values)
    assert isinstance(caught.value, CiError)
    assert caught.value.next_step
