from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.choices import value_choices
from ci_magics.segmentation.rules.counts import inspect_rules
from ci_magics.segmentation.rules.rows import RuleContext

PEOPLE = pd.DataFrame(
    {
        "Id": ["a", "b", "c", "d"],
        "TotalSpend": [1.0, 600.0, 700.0, None],
        "Country": ["NL", "BE", "DE", None],
    }
)


def counts(rules: Any, frame: Any = PEOPLE, **given: Any) -> list[tuple[str, str, int, int]]:
    found = inspect_rules(frame, rules, RuleContext(**given))
    return [(each.joined, each.rule, each.profiles, each.cumulative) for each in found.counts]


@pytest.mark.parametrize("key", [None, "Id"])
def test_each_part_is_counted_alone_and_cumulatively(key: str | None) -> None:
    assert counts("TotalSpend > 5 except Country = BE union Country is null", key=key) == [
        ("", "TotalSpend > 5", 2, 2),
        ("except", "Country equals BE", 1, 1),
        ("union", "Country is null", 1, 2),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("TotalSpend > 5 and Country = BE", [("", 2, 2), ("and", 1, 1)]),
        ("TotalSpend > 5 or Country = NL", [("", 2, 2), ("or", 1, 3)]),
        ("not TotalSpend > 5", [("", 2, 2)]),
        (
            ["TotalSpend > 5", "not Country = BE", "Country = DE"],
            [("", 2, 2), ("intersect", 3, 1), ("intersect", 1, 1)],
        ),
        (["TotalSpend > 5 and Country = BE"], [("", 2, 2), ("and", 1, 1)]),
    ],
)
def test_parts_come_from_the_outermost_operator(rule: Any, expected: list[tuple[str, int, int]]) -> None:
    assert [(joined, own, together) for joined, _rule, own, together in counts(rule)] == expected


def test_profiles_are_counted_instead_of_rows_if_there_is_a_key() -> None:
    visits = pa.table({"Id": ["a", "a", "b"], "Shop": ["x", "y", "x"]})
    rule = "Shop = x intersect Shop = y"
    assert [each[2:] for each in counts(rule, visits, key="Id")] == [(2, 2), (1, 1)]
    assert [each[2:] for each in counts(rule, visits)] == [(2, 2), (1, 0)]


def test_earlier_segments_are_counted_too() -> None:
    found = counts("'Big' and not 'Out'", key="Id", members={"Big": ["a", "b", "zz"], "Out": ["b"]})
    assert found == [("", "'Big'", 2, 2), ("and", "not 'Out'", 3, 1)]
    assert counts("'Nobody'", key="Id", members={"Nobody": []}) == [("", "'Nobody'", 0, 0)]


def test_counts_render_as_text_html_and_frame() -> None:
    found = inspect_rules(PEOPLE, 'Country = "<b>" or TotalSpend > 5')
    assert repr(found).splitlines() == [
        "    Rule                  Profiles  Cumulative",
        "    all profiles                 4           4",
        '    Country equals "<b>"         0           0',
        "or  TotalSpend > 5               2           2",
    ]
    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert found.to_frame().to_dict("list")["cumulative"] == [0, 2]


def test_unknown_column_is_refused_and_the_columns_are_listed() -> None:
    with pytest.raises(SegmentError, match="There is no column 'Contry'") as refused:
        inspect_rules(PEOPLE, "Contry = NL and TotalSpend > 5")
    assert refused.value.next_step == "The columns are Id, TotalSpend, Country."


FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.DataFrame,
    "polars lazy": lambda frame: pl.DataFrame(frame).lazy(),
    "pyarrow": pa.Table.from_pandas,
    "duckdb": duckdb.from_df,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_column_with_few_values_offers_them_sorted(kind: str) -> None:
    frame = FRAMES[kind](PEOPLE)
    assert value_choices(frame, "Country") == ["BE", "DE", "NL"]
    assert value_choices(frame, "TotalSpend") == [1.0, 600.0, 700.0]


def test_a_category_offers_its_values() -> None:
    assert value_choices(PEOPLE.astype({"Country": "category"}), "Country") == ["BE", "DE", "NL"]


@pytest.mark.parametrize(("values", "offered"), [(199, 199), (200, 0)])
def test_column_with_many_values_offers_none(values: int, offered: int) -> None:
    assert len(value_choices(pd.DataFrame({"n": [*range(values), *range(values)]}), "n")) == offered


def test_values_are_offered_from_the_first_rows_only() -> None:
    frame = pd.DataFrame({"n": [1] * 10_000 + list(range(500))})
    assert value_choices(frame, "n") == [1]


def test_nested_and_missing_columns_offer_nothing() -> None:
    assert value_choices(pa.table({"n": [[1], [2]]}), "n") == []
    assert value_choices(pa.table({"n": pa.nulls(3)}), "n") == []
    with pytest.raises(SegmentError, match="Did you mean 'Country'"):
        value_choices(PEOPLE, "Contry")


def test_files_are_counted_and_offer_values_too(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    PEOPLE.to_csv(path, index=False)
    assert counts("TotalSpend > 5 and not Country = BE", str(path)) == [
        ("", "TotalSpend > 5", 2, 2),
        ("and", "not Country equals BE", 3, 1),
    ]
    assert value_choices(path, "Country") == ["BE", "DE", "NL"]
