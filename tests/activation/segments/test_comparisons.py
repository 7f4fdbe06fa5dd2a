"""Overlap and differentiators of two segments."""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest
from contoso import email_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.errors import NotFoundError, SegmentError

if TYPE_CHECKING:
    from ci_magics.segmentation.segment import Segment

pytestmark = pytest.mark.usefixtures("workspace")

NUMBERS = st.frozensets(st.integers(0, 9))
COLUMNS = {"Id": pl.String, "EMail": pl.String, "Country": pl.String, "TotalSpend": pl.Int64}


def people(numbers: Any) -> pl.DataFrame:
    chosen = sorted(numbers)
    return pl.DataFrame(
        {
            "Id": [f"k{number}" for number in chosen],
            "EMail": [email_of(number) for number in chosen],
            "Country": ["NL" if number % 2 else "DE" for number in chosen],
            "TotalSpend": chosen,
        },
        schema=COLUMNS,
    )


def made(name: str, numbers: Any, **options: Any) -> Segment:
    return ci.segment(name, people(numbers), show=lambda _sentence: None, **options)


def pictures(shown: Any) -> list[str]:
    data = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", shown._repr_html_())
    return [base64.b64decode(each).decode() for each in data]


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS, NUMBERS)
def test_overlap_is_that_of_the_keys(one: frozenset[int], two: frozenset[int]) -> None:
    found = ci.overlap(made("One", one), made("Two", two))
    assert (found.first_size, found.second_size) == (len(one), len(two))
    assert (found.only_first, found.shared, found.only_second) == (len(one - two), len(one & two), len(two - one))
    assert found.jaccard == (len(one & two) / len(one | two) if one | two else 0)
    assert ci.overlap("Two", "One").jaccard == found.jaccard


def test_overlap_renders_as_text_table_and_picture() -> None:
    made("<One>", range(4)), made("Two", range(2, 8))
    found = ci.overlap("<One>", "Two")
    assert repr(found) == ("Overlap of '<One>' and 'Two': 2 only in <One>, 2 in both, 4 only in Two; Jaccard 0.250")
    assert found.to_frame()["profiles"].tolist() == [2, 2, 4]
    (picture,) = pictures(found)
    assert "only in &lt;One&gt; 2 (25.0%), in both 2 (25.0%), only in Two 4 (50.0%)" in picture
    assert "<One>" not in found._repr_html_() + picture


def test_segments_without_a_common_key_column_are_not_compared() -> None:
    made("One", range(3))
    ci.segment("Nameless", people(range(3)).drop("Id"))
    ci.segment("Other", people(range(3)).rename({"Id": "ContactId"}))
    for name, words in (("Nameless", "has no key"), ("Other", "is ContactId, and here")):
        for refused in (lambda name=name: ci.overlap("One", name), lambda name=name: differ("One", name)):
            with pytest.raises(SegmentError, match=words):
                refused()
    with pytest.raises(NotFoundError, match="Did you mean 'One'"):
        ci.overlap("One", "Ona")


def differ(first: Any, second: Any, frame: Any = None, **options: Any) -> Any:
    return ci.differentiators(first, second, people(range(100)) if frame is None else frame, **options)


def test_value_with_the_largest_difference_comes_first() -> None:
    made("Odd", range(1, 80, 2)), made("All", range(80))
    found = differ("Odd", "All")
    first, second = found.lines[:2]
    assert {(each.column, each.value) for each in (first, second)} == {("Country", "NL"), ("Country", "DE")}
    by_value = {each.value: each for each in found.lines}
    assert (by_value["NL"].first, by_value["NL"].second) == (40, 40)
    assert (by_value["NL"].first_share, by_value["NL"].second_share) == (1.0, 0.5)
    assert (by_value["NL"].ratio, by_value["NL"].difference) == (2.0, 0.5)
    assert (by_value["DE"].ratio, by_value["DE"].words) == (0.0, "only in the second")
    differences = [abs(each.difference) for each in found.lines]
    assert differences == sorted(differences, reverse=True)


@pytest.mark.slow
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS.filter(bool), NUMBERS.filter(bool))
def test_counts_equal_those_of_a_segment_of_rule_and_segment(one: frozenset[int], two: frozenset[int]) -> None:
    made("One", one), made("Two", two)
    frame = people(range(12))
    found = differ("One", "Two", frame)
    assert (found.first_found, found.second_found) == (len(one), len(two))
    for each in found.lines:
        for name, count in (("One", each.first), ("Two", each.second)):
            rule = f"'{name}' and ({each.rule.text})"
            allowed = {"allow_empty": True, "allow_shrink": True}
            assert ci.segment("X", frame, rule=rule, show=lambda _sentence: None, **allowed).rows == count


def test_differentiators_render_as_text_table_frame_and_picture() -> None:
    made("Poor", range(50)), made("Rich <b>", range(50, 120))
    found = differ("Poor", "Rich <b>")
    assert "Ordered by the difference of the two shares." in repr(found)
    assert "The frame has 50 of 50 profiles, and 50 of 70 profiles." in repr(found)
    assert found.to_frame()["ratio"].max() == math.inf
    (picture,) = pictures(found)
    assert "TotalSpend: less than 10 10 (20.0%) and 0 (0.0%)" in picture
    assert "<b>" not in picture
    assert "Rich <b>" not in found._repr_html_()


def test_addresses_keys_and_single_people_are_not_compared() -> None:
    frame = people(range(300)).with_columns(Contact=pl.col("EMail").str.to_uppercase(), Phone=pl.col("Id") + "!")
    ci.segment("One", frame.head(200), email="EMail"), ci.segment("Two", frame.tail(200), email="EMail")
    found = differ("One", "Two", frame)
    assert {each.column for each in found.lines} == {"Country", "TotalSpend"}
    assert "@" not in repr(found) + found._repr_html_()


def test_columns_can_be_chosen_and_are_limited() -> None:
    made("One", range(5)), made("Two", range(3, 9))
    wide = people(range(10)).with_columns(**{f"c{number}": pl.col("TotalSpend") for number in range(60)})
    assert differ("One", "Two", wide).left_out == 12
    assert "12 other columns were not compared" in repr(differ("One", "Two", wide))
    chosen = differ("One", "Two", wide, columns=["c59"])
    assert ({each.column for each in chosen.lines}, chosen.left_out) == ({"c59"}, 0)
    with pytest.raises(SegmentError, match="Did you mean 'c59'"):
        differ("One", "Two", wide, columns=["c599"])


def test_frame_with_unique_keys_is_needed() -> None:
    made("One", range(5)), made("Two", range(3, 9))
    frame = people(range(10))
    with pytest.raises(SegmentError, match="Id has 10 repeated values in the frame") as refused:
        differ("One", "Two", pl.concat([frame, frame]))
    assert "drop_duplicates()" in refused.value.next_step
    with pytest.raises(SegmentError, match="No profile of the segment 'One' is in the frame"):
        differ("One", "Two", people(range(6, 10)))
    with pytest.raises(SegmentError, match="There is no column 'Id'"):
        differ("One", "Two", frame.drop("Id"))
    nobody = pl.concat([frame, frame.with_columns(Id=pl.lit(None, pl.String)).head(2)])
    assert differ("One", "Two", nobody).first_found == 5
    text = pd.DataFrame({"Id": pd.Categorical([f"k{number}" for number in range(9)]), "n": range(9)})
    assert differ("One", "Two", text).second_found == 6
    with pytest.raises(SegmentError, match="No profile of the segment 'One' is in the frame"):
        differ("One", "Two", frame.with_columns(Id=pl.col("TotalSpend")))
