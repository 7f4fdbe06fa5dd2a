from __future__ import annotations

import pandas as pd

from ci_magics.sample import customers

RESERVED = ("example.com", "example.org", "example.net", "contoso.com", "fabrikam.com", "adatum.com")
FICTITIOUS = (*RESERVED, "northwindtraders.com", "wingtiptoys.com")


def test_same_seed_gives_the_same_table() -> None:
    pd.testing.assert_frame_equal(customers(500, 7), customers(500, 7))
    assert not customers(500, 7).equals(customers(500, 8))


def test_keys_are_unique() -> None:
    assert customers(5_000)["CustomerId"].is_unique


def test_addresses_belong_to_nobody() -> None:
    valid = customers(5_000)["EMail"].dropna().str.strip().str.lower()
    domains = valid[valid.str.fullmatch(r"[^@\s,]+@[^@\s,]+\.[a-z]+")].str.split("@").str[1]
    assert len(domains) > 4_000
    assert all(domain.endswith(FICTITIOUS) for domain in domains.unique())


def test_hashes_are_optional() -> None:
    assert customers(1_000)["EMail"].str.fullmatch("[0-9a-f]{64}").sum() <= 2
    assert customers(1_000, prehashed=True)["EMail"].str.fullmatch("[0-9a-f]{64}").sum() >= 20


def test_small_samples_are_possible() -> None:
    assert [len(customers(n)) for n in (0, 1, 5)] == [0, 1, 5]
