from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from ci_magics.matching.counting import count_profiles
from ci_magics.matching.coverage import Coverage, cover
from ci_magics.matching.hash_list import HashList, Scratch, as_array, as_series
from ci_magics.matching.keys import keys_of
from ci_magics.matching.matched import InMemory, Matched, match_profiles
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


def test_every_profile_is_counted_once() -> None:
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
def test_hashes_depend_on_the_rule(rule: str, hashes: int) -> None:
    (numbers,) = cover({"s": matched(EMAILS)}, normalization=rule).segments
    assert numbers.hashes == hashes
    assert numbers.differs == 2


def test_the_sample_has_every_reason(sample: Coverage) -> None:
    (numbers,) = sample.segments
    assert [reason for reason, count in numbers.reasons.items() if not count] == ["suppressed"]
    assert numbers.rows == numbers.sendable + sum(numbers.reasons.values())


def test_the_ledger_tells_new_from_gone() -> None:
    before, now = matched(["a@x.com", "b@x.com"]), matched(["b@x.com", "c@x.com", "d@x.com"])
    (numbers,) = cover({"s": now}, ledgers={"s": hashes_of(before)}).segments
    assert (numbers.new, numbers.gone, numbers.unchanged) == (2, 1, 1)


def test_segments_overlap_by_hash() -> None:
    both = cover({"one": matched(["a@x.com", "b@x.com"]), "two": matched(["B@x.com", "c@x.com"])})
    assert both.overlap == {("one", "two"): 1}


def test_few_profiles_and_mixed_values_are_warned_about() -> None:
    warnings = " ".join(cover({"s": matched(EMAILS)}).warnings)
    assert "fewer than 300" in warnings
    assert "mixed" in warnings


def test_no_address_is_in_any_output(sample: Coverage) -> None:
    frame = customers(2_000)
    shown = " ".join([repr(sample), *sample._repr_mimebundle_().values(), sample.to_frame().to_string()])
    for email in frame["EMail"]:
        if isinstance(email, str) and "@" in email:
            assert email.strip() not in shown
    for local in frame["EMail"].dropna().str.split("@").str[0].str.strip():
        assert len(local) < 6 or local not in shown


def test_rare_domains_are_not_named() -> None:
    emails = [f"p{number}@contoso.com" for number in range(10)] + ["q@rare.example"] * 8 + ["x y@rare.example"]
    result = matched(emails)
    assert result.domains == {"contoso.com": 10, "other": 9}
    assert result.examples == {"inner_space": ["x•••@other"]}


def test_the_picture_is_an_image_with_words() -> None:
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


def test_a_frame_says_the_same() -> None:
    frame = cover({"s": matched(EMAILS)}).to_frame().set_index("measure")
    assert frame.loc["sendable", "profiles"] == 4
    assert frame.loc["sendable", "share"] == 0.5


def test_hashes_find_their_keys_again() -> None:
    result = matched(["a@x.com", "A@x.com", "b@x.com"])
    keys = keys_of(result.profiles, "basic", hashes_of(result).all())
    assert sorted(keys.rows()) == [(0, "k0"), (0, "k1"), (1, "k2")]


def test_a_key_that_looks_like_an_address_is_kept_as_its_hash() -> None:
    table = rows(match_profiles(pa.table({"key": ["A@x.com", "k2"], "email": ["a@x.com", "b@x.com"]})))
    assert table["key"].to_pylist()[1] == "k2"
    assert "@" not in table["key"].to_pylist()[0]


def test_no_address_is_kept() -> None:
    table = rows(matched(EMAILS))
    texts = [value for row in table.to_pylist() for value in row.values() if isinstance(value, str)]
    assert texts
    assert not any("@" in text for text in texts)


def test_hashes_survive_the_way_through_a_column() -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (100, 32), dtype=np.uint8)
    assert (as_array(as_series(hashes)) == hashes).all()
    assert (as_array(as_series(hashes)[10:20]) == hashes[10:20]).all()
