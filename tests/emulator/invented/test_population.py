"""The invented customers: each one is computed from its row number alone."""

from __future__ import annotations

import json
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from run_settings import examples

from ci_magics.emulation.invented.attributes import ATTRIBUTES
from ci_magics.emulation.invented.drawing import mixed, unmixed
from ci_magics.emulation.invented.population import profiles, row_of, span
from ci_magics.emulation.odata.paging import encoded, offset_of, token_for

ROWS = st.integers(0, 2**64 - 1)
KINDS = {
    "null": lambda text: text is None,
    "blank": lambda text: text is not None and not text.strip(),
    "word": lambda text: text in ("n/a", "NULL", "none"),
    "no at": lambda text: text is not None and "@" not in text and "." in text,
    "many at": lambda text: text is not None and text.count("@") == 2,
    "comma": lambda text: text is not None and "," in text,
    "upper": lambda text: text is not None and text.isupper() and "@" in text,
    "padded": lambda text: text is not None and text.startswith(" ") and "@" in text,
    "inner space": lambda text: text is not None and " " in text.strip(),
    "tagged": lambda text: text is not None and "+" in text,
    "accented": lambda text: text is not None and text.startswith("é"),
}


@given(ROWS)
def test_mixing_is_reversible(row: int) -> None:
    assert unmixed(int(mixed(np.array([row], dtype=np.uint64))[0])) == row


@given(st.integers(0, 10**9), st.integers(1, 8))
@settings(max_examples=examples(30))
def test_row_is_the_same_alone_and_among_others(start: int, count: int) -> None:
    together = profiles(span(start, start + count), ATTRIBUTES)
    alone = [profiles(span(row, row + 1), ATTRIBUTES).row(0) for row in range(start, start + count)]
    assert together.rows() == alone


@given(st.integers(0, 10**9))
def test_customer_is_found_by_id(row: int) -> None:
    identity = profiles(span(row, row + 1), ["CustomerId"]).item()
    assert re.fullmatch("[0-9a-f]{32}", identity)
    assert row_of(identity, row + 1) == row
    assert row_of(identity, row) is None
    assert row_of(identity[:-1] + ("0" if identity[-1] != "0" else "1"), row + 1) is None


@given(st.text(max_size=40))
def test_other_text_is_not_an_id(text: str) -> None:
    assert row_of(text, 5_000) is None


def test_addresses_contain_every_kind_of_defect() -> None:
    emails = profiles(span(0, 5_000), ["EMail"])["EMail"].to_list()
    shares = {name: sum(map(is_of, emails)) / len(emails) for name, is_of in KINDS.items()}
    assert all(0 < share < 0.06 for share in shares.values()), shares
    clean = [each for each in emails if each and re.fullmatch(r"[a-z0-9.]+@[a-z.]+\.(com|org)", each)]
    assert 0.7 < len(clean) / len(emails) < 0.9
    assert len(set(clean)) < len(clean)  # some occur twice


@given(st.integers(0, 10**9), st.text(max_size=20), st.text(max_size=20))
def test_token_belongs_to_its_query(offset: int, question: str, other: str) -> None:
    token = token_for("secret", question, offset)
    assert offset_of("secret", question, token) == offset
    if other != question:
        assert offset_of("secret", other, token) is None
    assert offset_of("another", question, token) is None


@given(st.text())
def test_forged_token_is_refused(token: str) -> None:
    assert offset_of("secret", "question", token) is None


def test_page_without_nulls_has_everything_else() -> None:
    frame = profiles(span(0, 400), ["Gender", "EMail", "PreviousCustomerId"])
    found = json.loads(encoded(frame, {}, None, omit_nulls=True))["value"]
    assert found == [{name: value for name, value in row.items() if value is not None} for row in frame.to_dicts()]
    assert {} in [{name: value for name, value in row.items() if name != "Gender"} for row in found]
