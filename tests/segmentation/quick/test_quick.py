from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_magics.errors import SegmentError
from ci_magics.segmentation.quick.frequent_values import FrequentValues
from ci_magics.segmentation.quick.percentiles import Percentiles
from ci_magics.segmentation.quick.segments import QuickSegments, quick_segments
from ci_magics.segmentation.rules.rows import RuleContext, read_rows

PEOPLE = pl.DataFrame(
    {
        "Id": [f"c{number}" for number in range(200)],
        "Country": ["NL" if number % 2 else "DE" if number % 3 else None for number in range(200)],
        "TotalSpend": [float(number) if number % 10 else None for number in range(200)],
        "Orders": [min(number // 50, 1) for number in range(200)],
        "Since": [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(200)],
        "Seen": [dt.datetime.fromisoformat("2024-01-01T10:00") + dt.timedelta(minutes=n) for n in range(200)],
        "Paid": [Decimal(number) / 4 for number in range(200)],
        "Consent": [number < 150 for number in range(200)],
    }
)
KINDS: dict[str, Any] = {
    "pandas": lambda frame, _folder: frame.to_pandas(),
    "polars": lambda frame, _folder: frame,
    "lazy": lambda frame, _folder: frame.lazy(),
    "pyarrow": lambda frame, _folder: frame.to_arrow(),
    "duckdb": lambda frame, _folder: duckdb.from_arrow(frame.to_arrow()),
    "file": lambda frame, folder: write_parquet(frame, folder / "people.parquet"),
}


def write_parquet(frame: pl.DataFrame, path: Path) -> str:
    frame.write_parquet(path)
    return str(path)


def sizes(quick: QuickSegments) -> list[tuple[str, int]]:
    return [(each.value, each.profiles) for each in quick.lines]


def selected(frame: Any, quick: QuickSegments) -> list[int]:
    """Return how many profiles each line's rule selects."""
    return [read_rows(frame, [quick.column], rule, RuleContext()).table().num_rows for rule in quick]


@pytest.mark.parametrize("kind", KINDS)
def test_categories_are_listed_and_numbers_divided_into_ranges(kind: str, tmp_path: Path) -> None:
    frame = KINDS[kind](PEOPLE, tmp_path)
    countries, spend = quick_segments(frame, "Country"), quick_segments(frame, "TotalSpend")
    assert sizes(countries) == [("NL", 100), ("DE", 66)]
    assert (countries.profiles, countries.empty) == (200, 34)
    assert [each.rule.text for each in countries.lines] == ["Country equals NL", "Country equals DE"]
    assert sizes(spend)[0] == ("less than 21.0", 18)
    assert sizes(spend)[-1] == ("181.0 or more", 18)
    assert sum(each.profiles for each in spend.lines) == 180


@pytest.mark.parametrize("column", PEOPLE.columns)
def test_line_size_equals_the_size_of_its_segment(column: str) -> None:
    quick = quick_segments(PEOPLE, column)
    assert len(quick) > 1
    assert selected(PEOPLE, quick) == [each.profiles for each in quick.lines]
    assert all(each.share == each.profiles / 200 for each in quick.lines)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-3, 30), st.floats(width=32)), max_size=60))
def test_ranges_cover_all_numbers_and_none_is_empty(values: list[float | None]) -> None:
    frame = pl.DataFrame({"n": pl.Series(values, dtype=pl.Float64)})
    quick = quick_segments(frame, "n")
    assert selected(frame, quick) == [each.profiles for each in quick.lines]
    assert all(each.profiles for each in quick.lines)
    assert sum(each.profiles for each in quick.lines) + quick.empty == quick.profiles == len(values)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", " ", "NL", "is null", "'x'", '"y"', "a\nb", None]), max_size=40))
def test_any_text_gets_a_line_whose_rule_finds_it(values: list[str | None]) -> None:
    frame = pl.DataFrame({"t": pl.Series(values, dtype=pl.String)})
    quick = quick_segments(frame, "t")
    found = {rule.root.values[0]: count for rule, count in zip(quick, selected(frame, quick), strict=True)}  # type: ignore[union-attr]
    assert found == {value: values.count(value) for value in set(values) - {None}}


def test_at_most_ten_values_are_listed_and_ties_are_sorted() -> None:
    frame = pl.DataFrame({"t": [letter for letter in "zyxwvutsrqponm"] + ["n"]})  # noqa: C416 - letters
    assert [value for value, _count in sizes(quick_segments(frame, "t"))] == list("nmopqrstuv")


def test_dates_and_times_are_divided_by_day_if_they_span_days() -> None:
    assert sizes(quick_segments(PEOPLE, "Since"))[0] == ("before 2024-01-21", 20)
    assert sizes(quick_segments(PEOPLE, "Seen"))[-1] == ("2024-01-01T13:00:00 or later", 20)
    hours = pl.DataFrame(
        {"Seen": [dt.datetime.fromisoformat("2024-01-01T10:00") + dt.timedelta(hours=n) for n in range(999)]}
    )
    assert sizes(quick_segments(hours.with_columns(pl.col("Seen").dt.replace_time_zone("Europe/Amsterdam")), "Seen"))[
        0
    ] == (
        "before 2024-01-05",
        86,
    )


def test_percentiles_can_be_chosen() -> None:
    assert sizes(quick_segments(PEOPLE, "Paid", percentiles=[50])) == [("less than 25.0", 100), ("25.0 or more", 100)]


def test_column_with_one_value_has_one_line() -> None:
    assert sizes(quick_segments(pl.DataFrame({"n": [7, 7, None]}), "n")) == [("any value", 2)]
    assert sizes(quick_segments(pl.DataFrame({"n": pl.Series([], dtype=pl.Int64)}), "n")) == []


def test_pandas_category_lists_its_values() -> None:
    assert sizes(quick_segments(pd.DataFrame({"c": pd.Categorical(["x", "y", "x"])}), "c")) == [("x", 2), ("y", 1)]


@pytest.mark.parametrize("values", [["jan@contoso.com", "x"], ["A" * 64, "x"], ["Jan <jan@contoso.com>"] * 3])
def test_addresses_and_their_hashes_are_never_shown(values: list[str]) -> None:
    with pytest.raises(SegmentError, match="holds e-mail addresses or hashes") as refused:
        quick_segments(pl.DataFrame({"Contact": values}), "Contact")
    assert "jan" not in str(refused.value)


def test_unknown_column_nested_column_and_unknown_line_are_refused() -> None:
    with pytest.raises(SegmentError, match="Did you mean 'Country'"):
        quick_segments(PEOPLE, "Contry")
    with pytest.raises(SegmentError, match="Quick segments cannot be made"):
        quick_segments(pa.table({"n": [[1], [2]]}), "n")
    quick = quick_segments(PEOPLE, "Country")
    with pytest.raises(SegmentError, match="There is no line 2") as refused:
        quick[2]
    assert refused.value.next_step == "The lines are 0 to 1."


def test_quick_segments_render_as_text_html_and_frame() -> None:
    quick = quick_segments(pl.DataFrame({"Tier": ["<b>"] * 3 + ["gold"]}), "Tier")
    assert repr(quick).splitlines() == [
        "Quick segments of Tier: 4 profiles, 0 without a value",
        "   Value  Profiles  Share  Rule",
        '0  <b>           3  75.0%  Tier equals "<b>"',
        "1  gold          1  25.0%  Tier equals gold",
    ]
    assert "&lt;b&gt;" in quick._repr_html_()
    assert "<b>75" not in quick._repr_html_()
    assert list(quick.to_frame().columns) == ["value", "profiles", "share", "rule"]
    assert quick[1] == quick.rule(1) == list(quick)[1]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=30), max_size=8), st.integers(1, 6))
def test_bounded_counter_keeps_every_frequent_value(batches: list[list[int]], capacity: int) -> None:
    seen, every = FrequentValues(capacity), [value for batch in batches for value in batch]
    for batch in batches:
        seen.add(pl.Series(batch, dtype=pl.Int64))
    most = seen.top(capacity)
    assert len(most) <= capacity
    assert {value for value in every if every.count(value) > len(every) / (capacity + 1)} <= set(most)


def test_sample_is_fair_and_independent_of_the_batches() -> None:
    def batches(size: int) -> Iterator[pl.Series]:
        values = pl.Series(range(100_000))
        return (values[start : start + size] for start in range(0, len(values), size))

    found = []
    for size in (1_000, 7_777, 100_000):
        spread = Percentiles(size=5_000)
        for batch in batches(size):
            spread.add(batch)
        found.append(spread.bounds([10, 50, 90]))
    assert found[0] == found[1] == found[2]
    assert found[0] == pytest.approx([10_000, 50_000, 90_000], abs=2_000)
