"""Preview with an account: what is new there, and the expected size of the audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contoso import NAME, calls, connect, export, fail, planned, segment

import ci_magics as ci
from ci_magics.activation.plans.account_view import AccountView, view_account
from ci_magics.display.numbers import format_count
from ci_magics.matching.expected import Expected
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("emulator", "workspace")

DAYS_LATER = {"advance_hours": 48}


def sized(emulator: RunningEmulator, *counts: int) -> None:
    """Fill audiences, and let Microsoft count the people it knows."""
    connect()
    for number, count in enumerate(counts):
        export(segment(count, name=f"Earlier {number}"))
    emulator.control("POST", "/clock", DAYS_LATER)


def test_everything_is_new_in_an_account_without_the_audience(emulator: RunningEmulator) -> None:
    connect()
    before = len(emulator.operations())
    (numbers,) = ci.preview(segment(400), to=NAME).segments
    assert (numbers.new, numbers.gone, numbers.unchanged) == (400, 0, 0)
    assert len(emulator.operations()) == before  # nothing was sent from here, so nothing is requested


def test_nothing_is_compared_without_an_account() -> None:
    (numbers,) = ci.preview(segment(400)).segments
    assert (numbers.new, numbers.gone, numbers.unchanged, numbers.expected) == (None, None, None, None)


def test_new_gone_and_unchanged_equal_those_of_the_plan() -> None:
    connect()
    export(segment(400))
    changed = segment(400, start=30)
    coverage = ci.preview(changed, to=NAME)
    (numbers,) = coverage.segments
    assert (numbers.new, numbers.gone, numbers.unchanged) == (30, 30, 370)
    assert "unchanged 370 (92.5%), new 30 (7.5%), gone 30 (7.5%)" in repr(coverage)
    assert "unchanged 370 (92.5%), new 30 (7.5%), gone 30 (7.5%)" in coverage._repr_mimebundle_()["text/html"]
    (plan,) = planned(changed).audiences
    assert (plan.adds, plan.removes, plan.unchanged) == (30, 30, 370)


def test_expected_match_is_the_range_of_earlier_audiences(emulator: RunningEmulator) -> None:
    sized(emulator, 400, 900)
    sizes = {each.audience: each.search_size or 0 for each in ci.status().audiences}
    (numbers,) = ci.preview(segment(1_000), to=NAME).segments
    low, high = sorted((round(1_000 * sizes["Earlier 0"] / 400), round(1_000 * sizes["Earlier 1"] / 900)))
    assert numbers.expected == Expected(low, high, 2)
    assert 0 < low < high
    assert format_count(low) in ci.preview("All", to=NAME)._repr_mimebundle_()["text/html"]


def test_audience_without_a_size_is_not_used(emulator: RunningEmulator) -> None:
    connect()
    export(segment(400))
    coverage = ci.preview("All", to=NAME)
    assert coverage.segments[0].expected is None
    assert "not known how many of them Microsoft can match until an audience of this account" in coverage.expected_match
    assert calls(emulator, "GetAudiencesByIds") > 0


def test_audience_with_other_normalization_or_few_members_is_not_used(emulator: RunningEmulator) -> None:
    sized(emulator, 400, 200)
    assert ci.preview("Earlier 0", to=NAME).segments[0].expected is not None
    coverage = ci.preview("Earlier 0", to=NAME, normalization="enhanced")
    assert coverage.segments[0].expected is None
    assert coverage.segments[0].new is None
    assert "filled with the normalization basic" in coverage.warnings[0]
    known = ci.preview("Earlier 1", to=NAME).segments[0].expected
    assert known is not None
    assert known.audiences == 1


def test_nothing_is_requested_without_consent(emulator: RunningEmulator) -> None:
    sized(emulator, 400)
    ci.connect(NAME, withdraw=True)
    before = len(emulator.operations())
    (numbers,) = ci.preview("Earlier 0", to=NAME).segments
    assert numbers.expected is None
    assert numbers.unchanged == 400
    assert len(emulator.operations()) == before


@pytest.mark.parametrize("fault", ["117", "106", "http_502_html"])
def test_unavailable_service_is_skipped_without_waiting(emulator: RunningEmulator, fault: str) -> None:
    sized(emulator, 400)
    before = calls(emulator, "GetAudiencesByIds")
    fail(emulator, "GetAudiencesByIds", *[fault] * 5)
    (numbers,) = ci.preview("Earlier 0", to=NAME).segments
    assert numbers.expected is None
    assert numbers.unchanged == 400
    assert calls(emulator, "GetAudiencesByIds") == before + 1


def test_preview_never_asks_to_sign_in(
    workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sized(emulator, 400)
    asked: list[bool] = []

    def refused(*_anything: object, ask: bool, **_options: object) -> None:
        asked.append(ask)
        raise ci.CiError("Nobody is signed in.")

    monkeypatch.setattr("ci_magics.activation.plans.account_view.open_services", refused)
    view = view_account(workspace, workspace.connections[NAME])
    assert asked == [False]
    assert view == AccountView(tuple(workspace.audiences))


def test_audience_of_an_ended_emulator_is_not_compared(
    another_emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    export(segment(400))
    monkeypatch.setenv("CI_MAGICS_EMULATOR", another_emulator.base_url)
    (numbers,) = ci.preview("All", to=NAME).segments
    assert (numbers.new, numbers.gone, numbers.unchanged) == (400, 0, 0)


def test_lost_ledger_is_mentioned(workspace: Workspace) -> None:
    connect()
    export(segment(400))
    (record,) = workspace.audiences
    workspace.ledgers.remove(record.id)
    coverage = ci.preview("All", to=NAME)
    assert coverage.segments[0].new is None
    assert coverage.warnings == (
        "All: it is no longer known what its audience holds, so new hashes cannot be counted.",
    )


def test_several_segments_are_compared_with_their_overlap() -> None:
    connect()
    several = [segment(400 + 100 * number, name=f"S{number}") for number in range(8)]
    coverage = ci.preview(*several, to=NAME, normalization="both")
    assert len(coverage.overlap) == 28
    assert coverage.overlap["S0", "S7"] == 400
    frame = coverage.to_frame()
    assert (frame["kind"] == "overlap").sum() == 56
    assert coverage._repr_mimebundle_()["text/html"].count("<img ") == 2
