"""Any query gets a correct answer or a refusal, never a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

from ci_magics.emulation.odata.filters import FilterError, parse

if TYPE_CHECKING:
    from conftest import RunningEmulator

NAMES = ("Age", "EMail", "CustomerId", "EmailSubscriber", "TotalSpend")
OPERATORS = ("eq", "ne", "gt", "le", "in", "like")
VALUES = (
    "null",
    "true",
    "'a'",
    "''",
    "40",
    "-4.5",
    "2020-01-01",
    "('a','b')",
    "(1,null)",
    "(true)",
    "99999999999999999999",
)
OTHERS = (
    "and",
    "or",
    "not",
    "(",
    ")",
    ",",
    "&",
    "contains(EMail,'.')",
    "contains(Age,'4')",
    "IsMemberOfSegment('Over21')",
)
WORDS = st.sampled_from([*NAMES, *OPERATORS, *VALUES, *OTHERS])
COMPARISONS = st.builds(" ".join, st.tuples(*(st.sampled_from(each) for each in (NAMES, OPERATORS, VALUES))))
TEXTS = (
    COMPARISONS | st.builds(" and ".join, st.lists(COMPARISONS, max_size=3)) | st.lists(WORDS, max_size=6).map(" ".join)
)
ASKED = settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
COMPARED = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
}
CONDITIONS = st.recursive(
    st.tuples(st.sampled_from(["Age", "RewardPoints"]), st.sampled_from(sorted(COMPARED)), st.integers(0, 100)),
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
    max_leaves=6,
)


def filter_text(condition: tuple[Any, ...]) -> str:
    if condition[0] == "not":
        return f"not ({filter_text(condition[1])})"
    if condition[0] in ("and", "or"):
        return f"({filter_text(condition[1])}) {condition[0]} ({filter_text(condition[2])})"
    return f"{condition[0]} {condition[1]} {condition[2]}"


def holds(condition: tuple[Any, ...], row: dict[str, Any]) -> bool:
    if condition[0] == "not":
        return not holds(condition[1], row)
    if condition[0] in ("and", "or"):
        found = [holds(each, row) for each in condition[1:]]
        return all(found) if condition[0] == "and" else any(found)
    return bool(COMPARED[condition[1]](row[condition[0]], condition[2]))


@given(st.text())
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except FilterError as error:
        assert str(error)  # noqa: PT017 - either way is right


@given(text=TEXTS)
@ASKED
@pytest.mark.parametrize("service", ["insights", "dataverse"])
def test_any_query_gets_a_response(emulator: RunningEmulator, service: str, text: str) -> None:
    if service == "insights":
        answer = emulator.insights(f"/data/Customer?$top=1&$filter={quote(text)}")
    else:
        for name in NAMES:
            text = text.replace(name, f"msdynci_{name.lower()}")
        url = f"{emulator.base_url}/api/data/v9.2/msdynci_customerprofiles?$top=1&$filter={quote(text)}"
        answer = emulator.insights(url)
    assert answer.status_code in (200, 400, 404), (text, answer.text)


@given(path=st.text(alphabet="Customer('Over21)/UnifiedActivity%27_", max_size=20))
@ASKED
def test_any_path_gets_a_response(emulator: RunningEmulator, path: str) -> None:
    answer = emulator.insights(f"/data/{quote(path, safe='')}")
    assert answer.status_code in (200, 404), path


@given(condition=CONDITIONS)
@ASKED
def test_returned_rows_match_the_condition(emulator: RunningEmulator, condition: tuple[Any, ...]) -> None:
    emulator.control("POST", "/settings", {"customers": 300, "page_size": 10_000})
    everyone = emulator.insights("/data/Customer?$select=Age,RewardPoints").json()["value"]
    answer = emulator.insights(f"/data/Customer?$select=Age,RewardPoints&$filter={quote(filter_text(condition))}")
    assert answer.json()["value"] == [row for row in everyone if holds(condition, row)]
