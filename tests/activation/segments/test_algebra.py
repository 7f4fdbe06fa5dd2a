from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from contoso import connect, email_of, export, hash_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.errors import NotFoundError, SegmentError
from ci_magics.segmentation.segment import Segment

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

PEOPLE = st.frozensets(st.integers(0, 9))


def made(name: str, numbers: frozenset[int] | set[int], key: str = "Id") -> Segment:
    chosen = sorted(numbers)
    frame = pl.DataFrame(
        {key: [f"k{number}" for number in chosen], "EMail": [email_of(number) for number in chosen]},
        schema={key: pl.String, "EMail": pl.String},
    )
    return ci.segment(name, frame, key=key, show=lambda _sentence: None)


def keys(workspace: Workspace, segment: Segment) -> list[int]:
    batches = workspace.snapshots.batches(segment.id, ["key"])
    return [int(key[1:]) for batch in batches for key in batch.column(0).to_pylist()]


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE, PEOPLE, PEOPLE)
def test_segments_are_sets_of_keys(
    workspace: Workspace, one: frozenset[int], two: frozenset[int], three: frozenset[int]
) -> None:
    a, b, c = made("A", one), made("B", two), made("It's C", three)
    for rule, text, expected in (
        (a | b, "'A' or 'B'", one | two),
        (a & b & c, "'A' and 'B' and 'It''s C'", one & two & three),
        (a - c, "'A' and not 'It''s C'", one - three),
        ((a | b) - c, "('A' or 'B') and not 'It''s C'", (one | two) - three),
    ):
        segment = ci.segment("X", rule, allow_empty=True, allow_shrink=True, show=lambda _sentence: None)
        found = keys(workspace, segment)
        assert len(found) == len(set(found)) == segment.rows
        assert set(found) == expected
        again = ci.segment("Y", rule=text, allow_empty=True, allow_shrink=True, show=lambda _sentence: None)
        assert keys(workspace, again) == found
        assert segment.rule == text


def test_profile_of_several_segments_comes_from_the_first(emulator: RunningEmulator) -> None:
    connect()
    one = ci.segment("One", pl.DataFrame({"Id": ["a"], "EMail": ["first@contoso.com"]}))
    two = ci.segment("Two", pl.DataFrame({"Id": ["a", "b"], "EMail": ["second@contoso.com", "b@contoso.com"]}))
    export(ci.segment("Both", one | two))
    assert emulator.members("Both") == {hash_of("first@contoso.com"), hash_of("b@contoso.com")}


def test_consent_missing_in_one_segment_is_not_given(emulator: RunningEmulator) -> None:
    connect()
    frame = pl.DataFrame({"Id": ["a", "b"], "EMail": ["a@contoso.com", "b@contoso.com"], "OptIn": [True, False]})
    both = ci.segment("Both", ci.segment("One", frame) | made("Two", {3}))
    assert both.consent.columns == ("OptIn",)
    export(both, consent="OptIn")
    assert emulator.members("Both") == {hash_of("a@contoso.com")}


def test_segments_with_different_keys_are_refused() -> None:
    one, two = made("One", {1}), made("Two", {1}, key="Number")
    with pytest.raises(SegmentError, match="key of the segment 'Two' is Number, and here it is Id"):
        ci.segment("X", one & two)
    numbers = ci.segment("Three", pl.DataFrame({"Id": [1], "EMail": ["a@contoso.com"]}))
    assert ci.segment("X", one & numbers, show=lambda _sentence: None).rows == 0
    nameless = ci.segment("Four", pl.DataFrame({"EMail": ["a@contoso.com"]}))
    with pytest.raises(SegmentError, match="has no key"):
        ci.segment("X", one - nameless)


def test_rule_over_columns_needs_a_frame() -> None:
    made("One", {1})
    with pytest.raises(SegmentError, match="uses the column Country, so it needs a frame"):
        ci.segment("X", rule="'One' and Country equals NL")
    with pytest.raises(NotFoundError, match="Did you mean 'One'"):
        ci.segment("X", rule="'Ono'")


def test_segments_combine_only_with_segments_and_rules() -> None:
    with pytest.raises(TypeError):
        made("One", {1}) & 3  # type: ignore[operator]
