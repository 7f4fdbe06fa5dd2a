"""Placeholders and mistyped domains: which addresses get a warning, and above all which do not."""

from __future__ import annotations

import string
from itertools import pairwise

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matched_in_memory import InMemory, match_profiles
from run_settings import examples

from ci_magics.errors import ArgumentError
from ci_magics.matching.coverage import Coverage, cover
from ci_magics.matching.doubts import mistyped
from ci_magics.matching.matched import Matched, matched_schema
from ci_magics.matching.packed import pack, unpack

PLACEHOLDERS = (
    *("test@test.com", "noemail@noemail.com", "none@none.com", "no@email.com", "x@x.com", "a@a.a", "xx@xx.xx"),
    *("donotreply@shop.com", "no-reply@shop.de", "no.e-mail@klant.nl", "NoEmail2@Gmail.com", " Test@Test.com "),
    *("jane@example.com", "jane@example.org", "jane@shop.test", "jane@shop.invalid", "jane@pc.localhost"),
    *("123@123.com", "foo@bar.com", "name@domain.com", "asdf@asdf.com", "aaa@aaa.com", "na@na.com", "abc@xyz.com"),
    *("max.mustermann@web.de", "not_provided@contoso.com", "user@company.com", "email@email.com", "test@gmail.com"),
    *(
        "keine@email.de",
        "geen@mail.nl",
        "sin.correo@correo.es",
        "fake@fake.com",
        "unknown@unknown.com",
        "test1@test.nl",
    ),
)
#: Real addresses of people and offices that look odd.
REAL = (
    *("mueller@mueller.de", "info@info.de", "me@mueller.de", "123456@qq.com", "13800000000@139.com", "noel@gmail.com"),
    *("nora@none-such.com", "test@contoso.com", "testa@gmail.com", "ann@exampleshop.com", "bo@test.de", "joe@mail.com"),
    *("nona@hotmail.com", "anon@contoso.com", "abba@abba-fans.se", "demo@northwindtraders.com"),
    *("fakeeh@contoso.com", "dummyson@contoso.com", "nullin@contoso.com", "mail@mueller.de", "bar@hotel.com"),
)
SLIPS = {
    "gmail.com": "gmial.com gmal.com gamil.com gmaill.com gnail.com gmail.con gmail.co gmai.com ggmail.com gmail.cm",
    "hotmail.com": "hotmial.com hotmal.com homail.com hotmil.com hotmail.con hotmaill.com hitmail.com",
    "yahoo.com": "yaho.com yahooo.com yhoo.com yahoo.con yahoo.co",
    "outlook.com": "outlok.com outloook.com outlook.cmo",
    "icloud.com": "iclod.com icould.com",
    "live.com": "live.con",
    "aol.com": "aol.con",
    "t-online.de": "t-onlne.de",
    "hotmail.co.uk": "hotmial.co.uk hotmail.couk",
    "googlemail.com": "googlemial.com",
    "wanadoo.fr": "wanado.fr",
    "comcast.net": "comcst.net",
}
MISTYPED = {slip: meant for meant, slips in SLIPS.items() for slip in slips.split()}
REAL_DOMAINS = (
    *(
        "gmail.com",
        "googlemail.com",
        "mail.com",
        "email.com",
        "ymail.com",
        "hotmail.com",
        "hotmail.co",
        "hotmail.co.uk",
    ),
    *("hotmail.be", "me.com", "mac.com", "aol.com", "aol.de", "gmx.de", "gmx.net", "gmx.com", "web.de", "live.nl"),
    *(
        "msn.com",
        "yahoo.com.au",
        "yahoo.co.jp",
        "outlook.be",
        "icloud.com",
        "cloud.com",
        "mail.ru",
        "ya.ru",
        "gmail.de",
    ),
    *(
        "proton.me",
        "pm.me",
        "free.fr",
        "orange.fr",
        "orage.fr",
        "libera.it",
        "contoso.com",
        "kpnmail.nl",
        "t-online.de",
    ),
)


def matched(emails: list[str]) -> Matched:
    return match_profiles(pa.table({"key": [f"k{number}" for number in range(len(emails))], "email": emails}))


def covered(emails: list[str], normalization: str = "basic") -> Coverage:
    return cover({"S": matched(emails)}, normalization=normalization)


def doubtful(emails: list[str], what: str) -> list[str]:
    """Return the addresses that are listed under a warning."""
    return [emails[int(key[1:])] for key in covered(emails).profiles(what)["key"]]


def test_placeholders_are_listed_and_real_addresses_are_not() -> None:
    assert doubtful([*PLACEHOLDERS, *REAL], "placeholder") == list(PLACEHOLDERS)


def test_mistyped_domains_are_listed_with_their_correction() -> None:
    emails = [f"jo.smith{number}@{domain}" for number, domain in enumerate([*MISTYPED, *REAL_DOMAINS])]
    assert covered(emails).profiles("mistyped")["meant"].tolist() == list(MISTYPED.values())
    assert doubtful(emails, "mistyped") == emails[: len(MISTYPED)]


@pytest.mark.parametrize("name", ["gmail", "hotmail", "outlook", "yahoo", "icloud"])
def test_typo_is_one_letter_and_never_the_first(name: str) -> None:
    left_out = {name[:place] + name[place + 1 :] for place in range(1, len(name))}
    swapped = {
        name[:place] + two + one + name[place + 2 :] for place, (one, two) in enumerate(pairwise(name)) if one != two
    }
    other = {
        name[:place] + letter + name[place + 1 :] for place in range(1, len(name)) for letter in string.ascii_lowercase
    }
    for slip in (left_out | swapped | other) - {name}:
        assert mistyped().get(f"{slip}.com") in (f"{name}.com", None)
    known = {slip for slip in (left_out | swapped | other) - {name} if f"{slip}.com" in mistyped()}
    assert len(known) > 0.97 * len((left_out | swapped | other) - {name})
    assert not any(f"{letter}{name[1:]}.com" in mistyped() for letter in string.ascii_lowercase)


def test_warnings_change_no_address() -> None:
    table = matched(["jo@gmial.com", "test@test.com"]).profiles
    assert isinstance(table, InMemory)
    assert table.table["reason_basic"].to_pylist() == [None, None]
    again = match_profiles(pa.table({"key": ["k0"], "email": ["jo@gmial.com"]})).profiles
    assert isinstance(again, InMemory)
    assert again.table["sha256_basic"][0] == table.table["sha256_basic"][0]


def test_warnings_count_and_show_no_address() -> None:
    emails = [
        "jo@gmial.com",
        "ann@gmial.com",
        "bo@hotmial.com",
        "test@test.com",
        *(f"c{n}@contoso.com" for n in range(300)),
    ]
    (placeholders, typos) = covered(emails).warnings
    assert "1 placeholder, such as" in placeholders
    assert "3 addresses with a domain that is probably mistyped" in typos
    assert "gmail.com 2, hotmail.com 1" in typos
    assert "gmial.com" in typos
    for words in (repr(covered(emails)), covered(emails)._repr_html_(), str(covered(emails).to_dict())):
        assert not any(email in words for email in emails)
        assert "hotmial.com" in words


def test_warnings_are_counted_in_every_output() -> None:
    coverage = covered(["jo@gmial.com", "test@test.com", "test@test.com", "bad"])
    (numbers,) = coverage.segments
    assert (numbers.placeholders, dict(numbers.mistyped)) == (2, {"gmail.com": 1})
    frame = coverage.to_frame()
    counts = dict(frame[frame["kind"] == "count"][["measure", "count"]].to_numpy())
    assert (counts["placeholder"], counts["mistyped"]) == (2, 1)
    (document,) = coverage.to_dict()["segments"]
    assert (document["placeholders"], document["mistyped"]) == (2, {"gmail.com": 1})


def test_only_valid_addresses_get_warnings() -> None:
    emails = ["te st@test.com", "jo smith@gmial.com", "test@@test.com"]
    assert covered(emails).profiles("mistyped").empty
    assert doubtful(emails, "placeholder") == []
    assert covered(emails, "enhanced").profiles("mistyped")["key"].tolist() == ["k1"]
    assert covered(emails, "both").segments[0].mistyped == {"gmail.com": 1}


def test_profiles_can_be_listed_by_any_reason() -> None:
    coverage = cover({"A": matched(["bad", "a@contoso.com", "a b@c.com"]), "B": matched(["worse"])})
    assert coverage.profiles("no_at").to_numpy().tolist() == [["A", "k0"], ["B", "k0"]]
    assert coverage.profiles("inner_space").to_numpy().tolist() == [["A", "k2"]]
    assert list(coverage.profiles("mistyped").columns) == ["segment", "key", "meant"]
    with pytest.raises(ArgumentError, match="Did you mean 'placeholder'"):
        coverage.profiles("placeholders")


def test_segment_of_an_earlier_version_has_no_warnings() -> None:
    profiles = matched(["test@test.com", "bad"]).profiles
    assert isinstance(profiles, InMemory)
    old = cover({"S": Matched(InMemory(profiles.table.drop_columns("doubt")), {}, {})})
    assert old.segments[0].placeholders == 0
    assert old.profiles("placeholder").empty
    assert old.profiles("no_at")["key"].tolist() == ["k1"]


@given(st.lists(st.sampled_from([*PLACEHOLDERS, *REAL, "jo@gmial.com", "ü@gmal.com", "bad"]), max_size=12))
@settings(max_examples=examples(40), deadline=None)
def test_warning_depends_only_on_the_address(emails: list[str]) -> None:
    alone = {email: covered([email]).segments[0] for email in emails}
    (together,) = covered(emails).segments
    assert together.placeholders == sum(alone[email].placeholders for email in emails)
    assert sum(together.mistyped.values()) == sum(sum(alone[email].mistyped.values()) for email in emails)


def test_listed_keys_are_as_stored() -> None:
    frame = cover({"S": match_profiles(pa.table({"key": ["test@test.com"], "email": ["test@test.com"]}))})
    listed = frame.profiles("placeholder")
    assert isinstance(listed, pd.DataFrame)
    assert "@" not in listed.to_string()


def test_packed_batch_contains_warnings_and_mistyped_domains() -> None:
    profiles = pa.RecordBatch.from_pydict({"key": ["a", "b"], "email": ["jo@gmial.com", "test@test.com"]})
    (carried,) = pack(_UnchangedRecipe(), [profiles])  # type: ignore[arg-type]  # it needs only profiles
    (back,) = unpack(carried.column("batch")[0].as_py())
    assert back.cast(matched_schema(profiles.schema)).column("doubt").to_pylist() == ["gmail.com", "placeholder"]
    assert [(each["reason"], each["domain"]) for each in carried.column("examples")[0].as_py()] == [
        ("mistyped", "gmial.com")
    ]


class _UnchangedRecipe:
    """A recipe that returns profiles unchanged."""

    def profiles(self, batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        return batches
