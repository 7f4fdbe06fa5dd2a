from __future__ import annotations

import pandas as pd
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import columns_in_sql, find_email_column, key_candidates, mentions
from ci_magics.segmentation.segment import build_segment


@pytest.mark.parametrize(
    "column", ["EMail", "Email", "e-mail", "E_MAIL", "EmailAddress", "emailaddress1", "primaryEmail", "Contact email"]
)
def test_only_column_named_like_an_address_is_found(column: str) -> None:
    assert find_email_column(["Id", column, "MailingList", "EmailOptOut"], None) == column


def test_several_email_columns_are_never_guessed_from() -> None:
    with pytest.raises(SegmentError) as refused:
        find_email_column(["Id", "Work email", "HomeEmail"], None)
    assert "Work email, HomeEmail" in refused.value.sentence
    assert refused.value.next_step == 'Name the right one: email="Work email".'


def test_columns_are_listed_if_none_is_named_like_an_address() -> None:
    with pytest.raises(SegmentError, match="The columns are Id, Phone") as refused:
        find_email_column(["Id", "Phone"], None)
    assert "email=" in refused.value.next_step


def test_long_list_of_columns_is_shortened() -> None:
    with pytest.raises(SegmentError, match=r"c28, c29 and 170 more\."):
        find_email_column([f"c{number}" for number in range(200)], None)


def test_table_without_columns_has_no_email_column() -> None:
    with pytest.raises(SegmentError, match="The columns are none"):
        build_segment("S", pd.DataFrame())


def test_requested_column_can_have_any_name() -> None:
    assert find_email_column(["EMail", "Contact"], "Contact") == "Contact"


@pytest.mark.parametrize(
    ("asked", "nearest"), [("EMial", "EMail"), ("email", "EMail"), ("totalspend", "TotalSpend"), ("Phone", None)]
)
def test_nearest_column_is_suggested(asked: str, nearest: str | None) -> None:
    with pytest.raises(SegmentError, match=f"There is no column '{asked}'") as refused:
        find_email_column(["EMail", "TotalSpend", "Id"], asked)
    assert ("Did you mean" in refused.value.sentence) is (nearest is not None)
    assert f"'{nearest or asked}'" in refused.value.sentence
    assert "EMail, TotalSpend, Id" in refused.value.next_step


def test_address_given_as_column_name_is_not_repeated() -> None:
    with pytest.raises(SegmentError) as refused:
        find_email_column(["EMail"], "jan@contoso.com")
    assert "@" not in str(refused.value)


def test_key_candidates_are_sorted_by_preference() -> None:
    assert key_candidates(["Id", "Name", "CONTACT ID", "customer_id"]) == ["customer_id", "CONTACT ID", "Id"]


@pytest.mark.parametrize(
    ("condition", "uses"),
    [
        ("marketingconsent", True),
        ('"MarketingConsent" = true', True),
        ("not c.MarketingConsent", True),
        ("OldMarketingConsent", False),
        (None, False),
    ],
)
def test_condition_mentions_a_column_in_any_case(condition: str | None, *, uses: bool) -> None:
    assert mentions(condition, "MarketingConsent") is uses


def test_consent_columns_are_read_only_as_state() -> None:
    frame = pd.DataFrame({"email": ["a@contoso.com"], "MarketingConsent": [True], "OptIn": [True]})
    profiles = build_segment("S", frame, where="MarketingConsent")
    assert profiles.segment.consent.columns == ("MarketingConsent", "OptIn")
    assert profiles.rows.schema.names == ["key", "email", "consent_state"]


@pytest.mark.parametrize(
    ("condition", "used"),
    [
        ("a > 1", ["a"]),
        ("a * 2 > 1", ["a"]),
        ("#2 = 3", ["a", "b"]),
        ("COLUMNS(*) > 1", ["a", "b"]),
        ("columns('b') > 1", ["a", "b"]),
        ("profiles.b > 1", ["a", "b"]),
        ("1 = 1", []),
    ],
)
def test_condition_that_can_mean_any_column_uses_all(condition: str, used: list[str]) -> None:
    assert columns_in_sql(condition, ["a", "b"]) == used
