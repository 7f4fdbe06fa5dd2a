"""Microsoft's different error responses are parsed into one form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.errors import SignInError
from ci_magics.microsoft.faults import Fault, read_errors, read_faults, service_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (
            {"Type": "AdApiFaultDetail", "Errors": [{"Code": 109, "Detail": None, "ErrorCode": "Expired"}]},
            [Fault(109, "Expired")],
        ),
        (
            {
                "Type": "ApiFaultDetail",
                "OperationErrors": [{"Code": 4837, "Details": "x", "ErrorCode": "DuplicateAudienceId"}],
                "BatchErrors": [{"Type": "BatchError", "Code": 8004, "Index": 3}],
            },
            [Fault(4837, "DuplicateAudienceId"), Fault(8004, index=3)],
        ),
        ({"Type": "ApiFault", "OperationErrors": [{"Code": 1001, "Message": "no"}]}, [Fault(1001)]),
        (
            {"TrackingId": "t", "RequestId": "r", "Code": 3224, "ErrorCode": "Used", "Message": "m"},
            [Fault(3224, "Used")],
        ),
        ({"Errors": [{"Code": 201}, {"Code": "109"}]}, [Fault(201), Fault(109)]),
        ({"Errors": None, "OperationErrors": "no", "BatchErrors": {}}, []),
        ({"Errors": ["text", None, {"ErrorCode": "NoNumber"}]}, [Fault(None, "NoNumber")]),
        ({}, []),
    ],
)
def test_every_shape_of_errors_is_parsed(body: dict[str, Any], faults: list[Fault]) -> None:
    assert read_faults(body) == faults


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (109, 109),
        ("109", 109),
        (" 109 ", 109),
        ("-1", -1),
        (None, None),
        ("abc", None),
        ("", None),
        (True, None),
        (float("inf"), None),
        ("9" * 5000, None),
        ([109], None),
    ],
)
def test_error_code_can_be_text_or_missing(value: Any, code: int | None) -> None:
    (fault,) = read_errors([{"Code": value, "Index": value}])
    assert (fault.code, fault.index) == (code, code)


@given(JSON)
def test_parser_accepts_any_json(value: Any) -> None:
    body = {"Errors": value, "OperationErrors": value, "Code": value}
    for fault in read_faults(body):
        assert fault.code is None or isinstance(fault.code, int)


@pytest.mark.parametrize("field", ["Message", "Detail", "Details", "ErrorCode", "FieldPath"])
@pytest.mark.parametrize("code", [8004, 9999, None])
def test_messages_of_the_provider_are_never_repeated(field: str, code: int | None) -> None:
    quoted = "ada@contoso.com cannot be added"
    faults = read_faults({"Errors": [{"Code": code, field: quoted}]})
    error = service_error(faults, status=400, tracking_id="t-1", operation="AddAudiences")
    assert "contoso" not in f"{error} {faults!r}"
    assert "TrackingId t-1" in str(error)


def test_unknown_code_is_named_by_its_symbol() -> None:
    error = service_error([Fault(7777, "SomethingNew")], status=400, tracking_id=None, operation="AddAudiences")
    assert str(error).startswith("Microsoft Advertising refused AddAudiences (SomethingNew).")
    assert error.code == 7777


@pytest.mark.parametrize(("faults", "status"), [([Fault(105)], 400), ([Fault(123)], 500), ([], 401)])
def test_error_that_needs_a_new_sign_in_says_so(faults: list[Fault], status: int) -> None:
    error = service_error(faults, status=status, tracking_id=None, operation="GetUser")
    assert isinstance(error, SignInError)
    assert "ign in" in error.next_step


@pytest.mark.parametrize(
    ("code", "account"), [(122, "work"), (123, "personal"), (124, "work"), (125, "work"), (126, "in the web page")]
)
def test_wrong_kind_of_account_names_the_one_to_use(code: int, account: str) -> None:
    """Microsoft's guide "Operation error codes"; the names of 122 and 123 say what the user does not have."""
    error = service_error([Fault(code)], status=403, tracking_id=None, operation="GetUser")
    assert isinstance(error, SignInError)
    assert account in error.next_step
    assert "sign" in error.next_step


def test_first_known_code_is_used() -> None:
    error = service_error([Fault(None), Fault(8003)], status=200, tracking_id=None, operation="AddAudiences")
    assert error.code == 8003
    assert "terms" in error.sentence
