from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matched_in_memory import InMemory, match_profiles
from run_settings import examples

from ci_magics.errors import ArgumentError
from ci_magics.matching.counting import count_profiles
from ci_magics.matching.coverage import Coverage, cover
from ci_magics.matching.expected import PastReach
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.keys import keys_of
from ci_magics.matching.matched import Matched
from ci_magics.sample import customers

EMAILS = ["a@contoso.com", "A@contoso.com", "b@contoso.com", "b+x@contoso.com", None, "bad", "x y@z.com", "ab" * 32]


def matched(emails: list[str | None]) -> Matched:
    return match_profiles(pa.table({"key": [f"k{number}" for number in range(len(emails))], "email": emails}))


def rows(result: Matched) -> pa.Table:
    assert isinstance(result.profiles, InMemory)
    return result.profiles.table


def hashes_of(result: Matched) -> HashList:
    return count_profiles(result.profiles, "basic", Scratch()).hashes


@pytest.fixture(scope="module")
def sample() -> Coverage:
    frame = customers(2_000)
    table = pa.table({"key": frame["CustomerId"], "email": pa.array(frame["EMail"], from_pandas=True)})
    return cover({"sample": match_profiles(table)})


def test_coverage_counts_every_profile_once() -> None:
    (numbers,) = cover({"s": matched(EMAILS)}).segments
    assert (numbers.rows, numbers.with_email, numbers.valid, numbers.unique) == (8, 7, 5, 4)
    assert {reason: count for reason, count in numbers.reasons.items() if count} == {
        "missing": 1,
        "no_at": 1,
        "inner_space": 1,
        "duplicate": 1,
    }
    assert numbers.rows == numbers.sendable + sum(numbers.reasons.values())
    assert numbers.prehashed == 1


@pytest.mark.parametrize(("rule", "hashes"), [("basic", 4), ("enhanced", 4), ("both", 5)])
def test_number_of_hashes_depends_on_the_rule(rule: str, hashes: int) -> None:
    (numbers,) = cover({"s": matched(EMAILS)}, normalization=rule).segments
    assert numbers.hashes == hashes
    assert numbers.differs == 1  # only the enhanced rule hashes the address with a blank


def test_address_rejected_by_one_rule_is_not_counted_as_different() -> None:
    (numbers,) = cover({"s": matched(["+tag@x.com", "a+b@x.com", "c@x.com"])}).segments
    assert (numbers.valid, numbers.differs) == (3, 1)  # under the enhanced rule, nothing remains of the first


def test_coverage_returns_a_count_by_name() -> None:
    coverage = cover({"one": matched(EMAILS), "two": matched(EMAILS)})
    assert coverage["missing"] == 2
    assert coverage["sendable"] == 8
    with pytest.raises(ArgumentError, match=r"does not count 'mising'\. Did you mean 'missing'"):
        coverage["mising"]


def test_sample_has_every_reason_except_the_rarest(sample: Coverage) -> None:
    (numbers,) = sample.segments
    assert [reason for reason, count in numbers.reasons.items() if not count] == [
        "hidden_character",
        "suppressed",
    ]
    assert numbers.rows == numbers.sendable + sum(numbers.reasons.values())


def test_coverage_compares_hashes_with_the_ledger() -> None:
    before, now = matched(["a@x.com", "b@x.com"]), matched(["b@x.com", "c@x.com", "d@x.com"])
    (numbers,) = cover({"s": now}, ledgers={"s": hashes_of(before)}).segments
    assert (numbers.new, numbers.gone, numbers.unchanged) == (2, 1, 1)


def test_overlap_is_computed_by_hash() -> None:
    both = cover({"one": matched(["a@x.com", "b@x.com"]), "two": matched(["B@x.com", "c@x.com"])})
    assert both.overlap == {("one", "two"): 1}


def test_coverage_warns_of_few_profiles_and_mixed_values() -> None:
    warnings = " ".join(cover({"s": matched(EMAILS)}).warnings)
    assert "fewer than 300" in warnings
    assert "mixed" in warnings


def test_coverage_output_contains_no_address(sample: Coverage) -> None:
    frame = customers(2_000)
    shown = " ".join([*map(str, sample._repr_mimebundle_().values()), sample.to_frame().to_string()])
    for email in frame["EMail"]:
        if isinstance(email, str) and "@" in email:
            assert email.strip() not in shown
    for local in frame["EMail"].dropna().str.split("@").str[0].str.strip():
        assert len(local) < 6 or local not in shown


def test_coverage_does_not_name_rare_domains() -> None:
    emails = [f"p{number}@contoso.com" for number in range(10)] + ["q@rare.example"] * 8 + ["x y@rare.example"]
    result = matched(emails)
    assert result.domains == {"contoso.com": 10, "other": 9}
    assert result.examples == {"inner_space": ["x***@other"]}


def test_picture_is_an_image_with_alt_text() -> None:
    bundle = cover({"<b>&": matched(EMAILS)}, destination="EMULATOR: nothing left this machine")._repr_mimebundle_()
    html = bundle["text/html"]
    assert "<b>&" not in html
    alt = re.search(r'<img alt="([^"]*)"', html)
    assert alt is not None
    assert "sendable 4 (50.0%)" in alt.group(1)
    data = re.search(r"base64,([^\"]+)", html)
    assert data is not None
    ElementTree.fromstring(  # noqa: S314 - our own picture
        base64.b64decode(data.group(1))
    )
    assert bundle["text/plain"].startswith("EMULATOR: nothing left this machine")


def test_segment_name_is_escaped() -> None:
    name = "<script>alert(1)</script>"
    bundle = cover({name: matched(EMAILS), "b\x00\n": matched(EMAILS)})._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert "\x00" not in bundle["text/html"] + bundle["text/plain"] + bundle["image/svg+xml"]
    ElementTree.fromstring(bundle["image/svg+xml"])  # noqa: S314 - our own picture


def test_coverage_text_contains_everything_known() -> None:
    more = [f"p{number}@contoso.com" for number in range(20)]
    now, before = matched([*EMAILS, *more]), matched(["a@contoso.com", "z@x.com"])
    shown = repr(
        cover(
            {"Big": now, "Small": before},
            ledgers={"Big": hashes_of(before)},
            earlier=[PastReach(1_000, 500), PastReach(1_000, 600)],
            remarks={"Small": "Small: something to know."},
            destination="EMULATOR: nothing left this machine",
        )
    )
    for words in (
        "EMULATOR: nothing left this machine\nCoverage of 'Big' (basic)",
        "28  ####################  Profiles (100.0%)",
        "1  no_at: no @ (b***)",
        "With a different hash under enhanced than under basic: 1 (3.6%).",
        "Already hashed, by an unknown rule: 1 (3.6%).",
        "Domains: contoso.com 24 (96.0%), other 1 (4.0%).",
        "Against the audience: unchanged 1 (4.2%), new 23 (95.8%), gone 1 (50.0%).",
        "'Big' and 'Small' share 1 hash (4.2% of 'Big' and 50.0% of 'Small').",
        "! Small: something to know.",
        "! Big: plain addresses and hashes are mixed; sending both must be allowed.",
        "Expected match of 'Big': 12 (42.9%) to 14 (50.0%), based on 2 earlier audiences of this account.",
    ):
        assert words in shown


def test_unknown_expected_match_is_explained() -> None:
    without_account = cover({"s": matched(EMAILS)})
    assert "Without an account, it is not known" in without_account.expected_match
    without_sizes = cover({"s": matched(EMAILS)}, destination="x", normalization="both")
    assert (
        "not known how many of them Microsoft can match until an audience of this account"
        in without_sizes.expected_match
    )
    assert without_sizes.segments[0].expected is None


@pytest.mark.parametrize(
    ("earlier", "low", "high"),
    [([(100, 50)], 5, 5), ([(100, 50), (10, 20)], 5, 10), ([(100, 0)], 0, 0), ([(0, 0), (10, 7)], 7, 7)],
)
def test_earlier_audiences_give_a_range_of_expected_matches(
    earlier: list[tuple[int, int]], low: int, high: int
) -> None:
    ten = matched([f"p{number}@contoso.com" for number in range(10)])
    (numbers,) = cover({"s": ten}, earlier=[PastReach(*each) for each in earlier]).segments
    assert numbers.expected is not None
    assert (numbers.expected.low, numbers.expected.high) == (low, high)
    assert numbers.expected.audiences == sum(sent > 0 for sent, _reached in earlier)


def test_many_profiles_are_too_many_only_for_customer_insights() -> None:
    numbers = cover({"s": matched(EMAILS)}).segments[0]
    (warning,) = replace(numbers, rows=500_001, sendable=400_000, prehashed=0).warnings
    assert warning == "s: more than 500,000 profiles: fine here, too many for Customer Insights."
    assert replace(numbers, rows=500_000, sendable=300, prehashed=0).warnings == ()


def test_summary_is_machine_readable() -> None:
    coverage = cover({"one": matched(EMAILS), "two": matched(EMAILS)}, earlier=[PastReach(10, 5)])
    bundle = coverage._repr_mimebundle_()
    assert "application/json" not in bundle  # JupyterLab would show it instead of the picture
    assert json.loads(json.dumps(bundle[Coverage.summary_type()])) == coverage.to_dict()
    assert coverage._repr_mimebundle_(include={"application/json"})["application/json"] == coverage.to_dict()
    first = coverage.to_dict()["segments"][0]
    assert first["rows"] == first["sendable"] + sum(first["reasons"].values())
    assert first["expected"] == {"low": 2, "high": 2, "audiences": 1}
    assert coverage.to_dict()["overlap"] == [{"segments": ["one", "two"], "hashes": 4}]


def test_equal_coverage_renders_equally() -> None:
    first, second = (cover({"a": matched(EMAILS), "b": matched(EMAILS[:3])}) for _ in range(2))
    assert first._repr_mimebundle_() == second._repr_mimebundle_()


def test_html_uses_only_colors_of_the_theme(sample: Coverage) -> None:
    page = re.sub("<img[^>]*>", "", sample._repr_mimebundle_()["text/html"])
    assert not re.search(r"(?<![\w-])(?:background-)?color:", page)
    assert "border" in page
    assert all("var(--jp-" in declared for declared in re.findall("border-(?:bottom|left):[^;']*", page))


def test_html_starts_with_a_picture_and_compares_segments() -> None:
    one = cover({"a": matched(EMAILS)}, destination="x")._repr_mimebundle_()["text/html"]
    assert one.startswith("<div><b>x</b></div><img ")
    assert one.count("<img ") == 1
    three = cover({name: matched(EMAILS) for name in "abc"})._repr_mimebundle_()["text/html"]
    assert three.startswith("<img ")
    assert three.count("<img ") == 2


LOCAL = st.text(alphabet="жшщюяЖШ", min_size=2, max_size=8)
VALUES = st.one_of(
    LOCAL,
    st.text(alphabet="жшщюяЖШ@@ +;\t", min_size=2, max_size=12),  # a domain without a period is not legal
    st.builds("{}@{}".format, LOCAL, st.sampled_from(["contoso.com", "fabrikam", "@contoso.com", "con toso.com", ""])),
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=40))
def test_at_most_one_character_of_a_person_is_shown(values: list[str]) -> None:
    coverage = cover({"one": matched(list(values)), "two": matched(list(values[:3]))}, normalization="both")
    bundle = coverage._repr_mimebundle_()
    shown = [base64.b64decode(each).decode() for each in re.findall('base64,([^"]+)', bundle["text/html"])]
    shown += [*map(str, bundle.values()), json.dumps(coverage.to_dict(), ensure_ascii=False)]
    shown += [coverage.to_frame().to_string(), coverage.expected_match, " ".join(coverage.warnings)]
    assert len(shown) == 10
    assert not re.search("[\u0410-\u044f]{2}", " ".join(shown))  # our own texts have no Cyrillic letters


def test_value_without_a_first_character_shows_nothing() -> None:
    result = matched(["@contoso.com", "\ue000ab cd", *(f"p{number}@contoso.com" for number in range(10))])
    assert result.examples == {"no_at": ["***"], "bad_local": ["***@contoso.com"]}


def test_frame_has_the_same_counts() -> None:
    frame = cover({"s": matched(EMAILS)}).to_frame().set_index("measure")
    assert frame.loc["sendable", "count"] == 4
    assert frame.loc["sendable", "share"] == 0.5


def test_frame_has_every_measure() -> None:
    coverage = cover(
        {"one": matched(EMAILS), "two": matched(EMAILS[:3])},
        ledgers={"one": hashes_of(matched(EMAILS[:2]))},
        earlier=[PastReach(10, 5)],
    )
    frame = coverage.to_frame()
    assert frame.columns.tolist() == ["segment", "kind", "measure", "count", "share"]
    assert frame["segment"].unique().tolist() == ["one", "two"]
    assert set(frame["kind"]) == {"count", "reason", "hashes", "people", "domain", "overlap"}
    assert frame["share"].between(0, 1).all()
    one = frame[frame["segment"] == "one"].set_index(["kind", "measure"])
    assert one.loc["reason", "count"].sum() + one.loc[("count", "sendable"), "count"] == len(EMAILS)
    assert one.loc[("hashes", "unchanged"), "count"] == 1
    assert one.loc[("overlap", "two"), "count"] == 2
    assert one.loc[("overlap", "two"), "share"] == 0.5
    assert one.loc[("people", "expected_low"), "count"] == 2


def test_keys_are_found_by_hash() -> None:
    result = matched(["a@x.com", "A@x.com", "b@x.com"])
    keys = keys_of(result.profiles, "basic", hashes_of(result).all())
    assert sorted(keys.rows()) == [(0, "k0"), (0, "k1"), (1, "k2")]


def test_key_that_looks_like_an_address_is_stored_as_its_hash() -> None:
    table = rows(match_profiles(pa.table({"key": ["A@x.com", "k2"], "email": ["a@x.com", "b@x.com"]})))
    assert table["key"].to_pylist()[1] == "k2"
    assert "@" not in table["key"].to_pylist()[0]


def test_matched_table_contains_no_address() -> None:
    table = rows(matched(EMAILS))
    texts = [value for row in table.to_pylist() for value in row.values() if isinstance(value, str)]
    assert texts
    assert not any("@" in text for text in texts)
