"""One consent state for each profile, from one or several columns of any type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ci_magics.segmentation.consent.columns import consent_column
from ci_magics.segmentation.consent.document import MOST_ASKED, StateCounter
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.segment import build_segment

DAY = dt.date(2024, 5, 1)


def states(agreed: tuple[str, ...] = (), **columns: Any) -> str:
    arrays = {name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()}
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    found = ConsentReading(tuple(map(consent_column, columns)), agreed).states(batch)
    return " ".join(found.to_pylist())


@pytest.mark.parametrize(
    "values",
    [
        [True, False, None],
        pa.array([1, 0, None], pa.int8()),
        pa.array([1.0, 0.0, None]),
        pa.array([1.0, 0.0, np.nan]),
        ["Y", "N", ""],
        ["1", "0", " "],
        pa.array(["yes", "no", None]).dictionary_encode(),
        pa.array(["yes", "no", None], pa.string_view()),
        pa.array(["ja", "nein", None], pa.large_string()),
        pa.array([b"yes", b"no", None]),
        pa.array([Decimal(1), Decimal(0), None]),
    ],
)
def test_consent_column_of_any_type_is_read(values: Any) -> None:
    assert states(OptIn=values) == "y n -"
    assert states(OptOut=values) == "n y -"


def test_dates_of_consent_and_withdrawal_are_read() -> None:
    assert states(opt_in_date=[DAY, None]) == "y -"
    assert states(unsubscribed_at=[DAY, None]) == "n y"
    assert states(opt_in_date=[DAY, DAY, None, None], unsubscribed_at=[None, DAY, DAY, None]) == "y n n -"
    assert (
        states(opt_in_date=pa.array([dt.datetime(2024, 5, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC"))) == "y -"
    )


def test_column_without_values_has_no_effect() -> None:
    assert states(OptIn=pa.nulls(2)) == "- -"


def test_one_refusal_outweighs_consent() -> None:
    assert states(OptIn=[True, True, None], donotemail=[True, False, True]) == "n y n"
    assert states(donotbulkemail=[False, True, None, None], donotemail=[False, False, True, None]) == "y n n -"


def test_missing_refusal_is_not_consent_if_there_is_a_consent_column() -> None:
    assert states(OptIn=[None, True], OptOut=[False, None]) == "- y"


def test_email_consent_takes_precedence_over_general_consent() -> None:
    assert states(email_consent=[None, "pending", "yes"], gdpr_consent=[True, True, None]) == "- ? y"


def test_unexplained_value_takes_precedence_over_consent() -> None:
    assert states(OptIn=["yes", "yes"], email_opt_in=["weekly", "no"]) == "=weekly n"


def test_explained_values_count_as_consent() -> None:
    assert states(agreed=("A",), OptIn=["A", "B", None, "no"]) == "y n - n"
    assert states(agreed=("(blank)",), Unsubscribed=["true", "", None]) == "n y y"


@pytest.mark.parametrize("rows", [10, 3_000])
def test_many_dates_are_read_like_few(rows: int) -> None:
    days = [f"2024-05-01 10:{number // 60 % 60:02}:{number % 60:02}" for number in range(rows)]
    assert states(opt_in_date=[*days, "", "later"]) == " ".join(["y"] * rows + ["-", "=later"])


def test_counter_keeps_few_distinct_words() -> None:
    counter = StateCounter()
    words = [f"=w{number}" for number in range(MOST_ASKED + 2)]
    replaced = counter.count(["y", *words], [3, *[1] * len(words)])
    assert replaced == {words[-2]: "!", words[-1]: "!"}
    assert counter.counts["!"] == 2
    assert counter.count([words[0], words[-1]], [1, 1]) == {words[-1]: "!"}


@pytest.mark.parametrize(
    ("values", "is_consent"),
    [
        (["Subscribed", "Unsubscribed", "Not Activated"], True),
        (["subscribed", "cleaned", None, ""], True),
        (["active", "inactive"], False),
        (["Subscribed", "gold customer"], False),
        (["yes", "no"], False),
        ([None, None], False),
        ([1, 2], False),
    ],
)
def test_status_column_is_consent_only_if_all_values_are_subscription_words(
    values: list[Any], *, is_consent: bool
) -> None:
    emails = [f"p{number}@contoso.com" for number in range(len(values))]
    profiles = build_segment("S", pa.table({"EMail": emails, "Status": values}))
    assert profiles.segment.consent.columns == (("Status",) if is_consent else ())
