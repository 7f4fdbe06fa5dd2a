from __future__ import annotations

from typing import TYPE_CHECKING, Any

import contoso
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ci_magics as ci
from ci_magics.activation.comparison.verdict import difference_interval, share_interval
from ci_magics.errors import CiError, ConsentError, ExportRefusedError, SegmentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

NAMES = ("All (basic)", "All (enhanced)")


def email_of(number: int) -> str:
    return f"first.p{number}@contoso.com"


def segment(count: int, plain: int = 0, **columns: Any) -> Any:
    """Create a segment of people whose hash depends on the rule, and of some whose hash does not."""
    emails = [email_of(number) for number in range(count)] + [contoso.email_of(number) for number in range(plain)]
    frame = pd.DataFrame({"Id": range(len(emails)), "EMail": emails, **columns})
    return ci.segment("All", frame, show=lambda _sentence: None)


def compare(**options: Any) -> Any:
    return ci.compare_normalizations("All", to=contoso.NAME, show=lambda _sentence: None, **options)


def add_known_people(emulator: RunningEmulator, rule: str, numbers: range) -> None:
    """Let Microsoft know some people by the hash of one rule."""
    emulator.control("POST", "/people", [email_of(number) for number in numbers])
    emulator.control("POST", "/settings", {"match_rule": rule})


@pytest.fixture(autouse=True)
def _connected(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator
    assert workspace
    contoso.connect()


@pytest.mark.parametrize("rule", ["basic", "enhanced"])
def test_comparison_finds_the_rule_that_microsoft_uses(emulator: RunningEmulator, rule: str) -> None:
    segment(2_400)
    add_known_people(emulator, rule, range(1_500))
    first = compare()
    assert first.better is None
    assert "run the comparison again after" in first.conclusion
    emulator.control("POST", "/clock", {"advance_hours": 48})
    second = compare()
    assert second.better == rule
    assert f"Microsoft matches {rule} better here" in second.conclusion
    assert sum(each.size for each in second.sides if each.rule == rule) > 600
    low, high = second.interval
    assert low < high
    assert (low > 0) == (rule == "enhanced")


def test_second_comparison_sends_nothing(emulator: RunningEmulator) -> None:
    segment(1_300)
    compare()
    sent = contoso.calls(emulator, "ApplyCustomerListUserData")
    runs = len(list(ci.open_workspace().store.runs))
    assert compare().basic.run is None
    assert contoso.calls(emulator, "ApplyCustomerListUserData") == sent
    assert len(list(ci.open_workspace().store.runs)) == runs


def test_only_people_whose_hashes_differ_are_sent_each_under_one_rule(emulator: RunningEmulator) -> None:
    segment(1_300, plain=500)
    comparison = compare()
    basic, enhanced = (emulator.members(name) for name in NAMES)
    people = {email_of(number) for number in range(1_300)}
    plain = {email.replace(".", "", 1) for email in people}
    assert basic < {contoso.hash_of(each) for each in people}
    assert enhanced < {contoso.hash_of(each) for each in plain}
    in_basic = {each for each in people if contoso.hash_of(each) in basic}
    in_enhanced = {each for each in people if contoso.hash_of(each.replace(".", "", 1)) in enhanced}
    assert in_basic | in_enhanced == people
    assert not in_basic & in_enhanced
    assert (comparison.basic.people, comparison.enhanced.people) == (len(in_basic), len(in_enhanced))
    assert abs(len(in_basic) - 650) < 100


def test_spellings_of_one_address_stay_together(emulator: RunningEmulator) -> None:
    segment(1_300)
    compare()
    before = emulator.members(NAMES[0])
    spelled = [email_of(n) for n in range(1_300)] + [f"f.irst.p{n}+x@contoso.com" for n in range(1_300)]
    ci.segment("All", pd.DataFrame({"Id": range(2_600), "EMail": spelled}), show=lambda _sentence: None)
    comparison = compare()
    assert comparison.differing == 1_300
    assert len(emulator.members(NAMES[0])) == 2 * len(before)
    assert before < emulator.members(NAMES[0])
    assert len(emulator.members(NAMES[1])) == comparison.enhanced.people


def test_dry_run_sends_nothing(emulator: RunningEmulator) -> None:
    segment(1_300)
    comparison = compare(dry_run=True)
    assert emulator.audiences() == {}
    assert comparison.differing == 1_300
    assert [each.plan.audiences[0].adds for each in comparison.sides] == [each.people for each in comparison.sides]
    assert "Nothing was sent" in repr(comparison)


def test_dry_run_without_obstacles_is_ready() -> None:
    segment(1_300)
    comparison = compare(dry_run=True)
    assert (comparison.verdict.state, comparison.obstacle) == ("Ready", None)
    assert repr(comparison).splitlines()[1] == "Ready"


def _few(_emulator: RunningEmulator) -> None:
    segment(1_199, plain=2_000)


def _refused(_emulator: RunningEmulator) -> None:
    segment(2_000, MarketingConsent=[number % 4 != 0 for number in range(2_000)])


def _foreign(emulator: RunningEmulator) -> None:
    segment(1_300)
    contoso.foreign_list(emulator, NAMES[1])


def _withdrawn(_emulator: RunningEmulator) -> None:
    segment(1_300)
    ci.connect(contoso.NAME, withdraw=True, show=lambda _sentence: None)


def _long_name(_emulator: RunningEmulator) -> None:
    emails = [email_of(number) for number in range(1_300)]
    ci.segment("All", pd.DataFrame({"Id": range(1_300), "EMail": emails}), show=lambda _sentence: None)
    ci.segments.rename("All", "x" * 120)


@pytest.mark.parametrize(
    ("prepared", "code", "words"),
    [
        (_few, "too_few_differ", "Only 1,199 people"),
        (_refused, None, "MarketingConsent"),
        (_foreign, "audience_not_ours", "not filled from here"),
        (_withdrawn, None, "data privacy"),
        (_long_name, "name_too_long", "128 characters"),
    ],
)
def test_dry_run_reports_what_would_stop_the_comparison(
    prepared: Callable[[RunningEmulator], None], code: str | None, words: str, emulator: RunningEmulator
) -> None:
    prepared(emulator)
    name = ci.open_workspace().store.segments.names()[0]
    before = set(emulator.audiences())

    def comparing(**options: Any) -> Any:
        return ci.compare_normalizations(name, to=contoso.NAME, show=lambda _sentence: None, **options)

    comparison = comparing(dry_run=True)
    verdict = comparison.verdict
    assert verdict.state == "Blocked"
    assert words in verdict.reason.sentence
    assert code in (None, verdict.reason.code)
    for shown in (repr(comparison), comparison._repr_html_()):
        assert "Blocked" in shown
        assert words in shown
    assert comparison.better is None
    assert list(comparison.to_frame()["audience"]) == [f"{name} (basic)", f"{name} (enhanced)"]
    with pytest.raises(CiError) as refused:
        comparing()
    assert refused.value.code == verdict.reason.code
    assert set(emulator.audiences()) == before


def test_too_few_differing_people_are_refused() -> None:
    segment(1_199, plain=2_000)
    with pytest.raises(SegmentError, match="Only 1,199 people"):
        compare()


def test_people_who_did_not_consent_are_not_counted(emulator: RunningEmulator) -> None:
    segment(2_000, MarketingConsent=[number % 4 != 0 for number in range(2_000)])
    with pytest.raises(ExportRefusedError, match="MarketingConsent"):
        compare()
    assert emulator.audiences() == {}
    comparison = compare(consent="MarketingConsent")
    assert comparison.differing == 1_500
    assert [len(emulator.members(each.audience)) for each in comparison.sides] == [
        each.people for each in comparison.sides
    ]


def test_guard_on_one_audience_stops_both(emulator: RunningEmulator) -> None:
    segment(1_300)
    contoso.foreign_list(emulator, NAMES[1])
    with pytest.raises(ExportRefusedError, match="not filled from here"):
        compare()
    assert set(emulator.audiences()) == {NAMES[1]}


def test_nothing_is_sent_without_consent(emulator: RunningEmulator) -> None:
    segment(1_300)
    ci.connect("Other", customer_id="222", account_id="112", agree=False)
    with pytest.raises(ConsentError):
        ci.compare_normalizations("All", to="Other")
    assert emulator.audiences() == {}


def test_sizes_from_before_the_last_push_are_ignored(emulator: RunningEmulator) -> None:
    segment(2_400)
    add_known_people(emulator, "enhanced", range(2_400))
    compare()
    emulator.control("POST", "/clock", {"advance_hours": 48})
    segment(2_500)
    assert compare(dry_run=True).better is None
    assert compare().better is None
    assert compare().better == "enhanced"


def test_too_few_matched_people_are_inconclusive(emulator: RunningEmulator) -> None:
    segment(2_400)
    add_known_people(emulator, "enhanced", range(200))
    compare()
    emulator.control("POST", "/clock", {"advance_hours": 48})
    comparison = compare()
    assert comparison.better is None
    assert comparison.interval is None
    assert "Fewer than 300" in comparison.conclusion


def test_equal_sizes_are_inconclusive(emulator: RunningEmulator) -> None:
    segment(2_400)
    emulator.control("POST", "/settings", {"match_rate": 0.5})
    compare()
    emulator.control("POST", "/clock", {"advance_hours": 48})
    comparison = compare()
    assert comparison.better is None
    assert comparison.interval[0] < 0 < comparison.interval[1]
    assert "do not tell" in comparison.conclusion


def test_every_display_shows_the_destination_and_counts() -> None:
    segment(1_300)
    comparison = compare()
    for shown in (repr(comparison), comparison._repr_html_()):
        assert "EMULATOR: nothing left this machine" in shown
        assert "1,300 people" in shown
        assert all(name in shown for name in NAMES)
        assert "not counted yet" in shown
        assert "@" not in shown
    frame = comparison.to_frame()
    assert list(frame["rule"]) == ["basic", "enhanced"]
    assert frame["people"].sum() == 1_300


def test_name_that_becomes_too_long_is_refused() -> None:
    emails = [email_of(number) for number in range(1_300)]
    ci.segment("x" * 120, pd.DataFrame({"Id": range(1_300), "EMail": emails}))
    with pytest.raises(SegmentError, match="128 characters"):
        ci.compare_normalizations("x" * 120, to=contoso.NAME)


def test_interval_of_a_difference_equals_the_published_one() -> None:
    """Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10."""
    assert difference_interval((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval((9, 10), (3, 10)) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert difference_interval((10, 10), (0, 20)) == pytest.approx((0.6791, 1.0), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_share_is_inside_its_interval(share: tuple[int, int]) -> None:
    low, high = share_interval(*share)
    assert 0 <= low <= share[0] / share[1] + 1e-12
    assert share[0] / share[1] - 1e-12 <= high <= 1
    assert low < high
