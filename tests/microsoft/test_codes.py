"""One table says what an error code means; retries, resumed runs and the scheduler use it."""

from __future__ import annotations

from typing import Any

import pytest

from ci_magics.errors import AccessError, CiError, OutcomeUnknownError, ServiceError, SignInError, UnreachableError
from ci_magics.microsoft.answers import Received
from ci_magics.microsoft.codes import ADVERTISING, SIGN_IN, SOURCES, Retry, is_final, is_transient
from ci_magics.microsoft.faults import advertising_refusal, source_refusal


@pytest.mark.parametrize(
    ("error", "transient", "final"),
    [
        *[
            (ServiceError("x", code=code), True, False)
            for code in (0, 117, 1010, 1011, 3226, 3227, 4204, "upload_lost")
        ],
        *[(ServiceError("x", code=code), True, False) for code in ("HTTP 429", "HTTP 500", "HTTP 503", "0x80072322")],
        *[(ServiceError("x", code=code), False, True) for code in (106, 3224, 4853, 8003, 208, -1)],
        *[(ServiceError("x", code=code), False, True) for code in ("HTTP 200", "HTTP 403", "foreign_link", None)],
        (OutcomeUnknownError("x", code=8003), True, False),
        (UnreachableError("x", code="unknown_host"), True, False),
        (SignInError("x", code=109), False, False),
        (AccessError("x"), False, False),
    ],
    ids=lambda value: repr(value.code) if isinstance(value, CiError) else None,
)
def test_table_decides_whether_a_run_is_retried_or_ended(error: CiError, transient: bool, final: bool) -> None:
    assert (is_transient(error), is_final(error)) == (transient, final)


def test_keyboard_interrupt_is_not_transient() -> None:
    assert not is_transient(KeyboardInterrupt())


def response(status: int, body: dict[str, Any] | None = None) -> Received:
    return Received(status, body, "t-1", None, body)


@pytest.mark.parametrize(
    ("codes", "retry"),
    [
        ([201, 109], Retry.NEW_TOKEN),
        ([109, 117], Retry.NEW_TOKEN),
        ([4204, 117], Retry.MINUTE),
        ([0, 3227], Retry.QUARTER_HOUR),
        ([0, 1010], Retry.BACKOFF),
        ([8003, 1011], Retry.IF_IDEMPOTENT),
        ([8003, 3226], Retry.BY_RUN),
        ([8003, 208], Retry.NEVER),
        ([None], Retry.NEVER),
    ],
)
def test_retryable_code_takes_precedence_over_others(codes: list[int | None], retry: Retry) -> None:
    body = {"OperationErrors": [{"Code": code} for code in codes]}
    refusal = advertising_refusal(response(500, body), "Op")
    assert refusal.retry is retry
    assert refusal.error.code == (codes[0] if codes[0] is not None else "HTTP 500")


@pytest.mark.parametrize(
    ("status", "retry", "kind"),
    [
        (200, Retry.IF_IDEMPOTENT, OutcomeUnknownError),
        (503, Retry.IF_IDEMPOTENT, OutcomeUnknownError),
        (401, Retry.NEW_TOKEN, SignInError),
        (429, Retry.MINUTE, ServiceError),
        (403, Retry.NEVER, ServiceError),
    ],
)
def test_status_decides_if_there_is_no_code(status: int, retry: Retry, kind: type[CiError]) -> None:
    refusal = advertising_refusal(response(status), "Op")
    assert (refusal.retry, type(refusal.error)) == (retry, kind)


@pytest.mark.parametrize(
    ("status", "body", "code", "retry"),
    [
        (429, {"error": {"code": "0x80072322"}}, "0x80072322", Retry.MINUTE),
        (400, {"error": {"code": "0x80072321"}}, "0x80072321", Retry.MINUTE),
        (404, {"errorCode": "NotFound"}, "NotFound", Retry.NEVER),
        (401, {}, "HTTP 401", Retry.NEW_TOKEN),
        (401, {"message": "Access denied due to invalid subscription key."}, "HTTP 401", Retry.NEVER),
        (502, None, "HTTP 502", Retry.IF_IDEMPOTENT),
        (200, None, "HTTP 200", Retry.IF_IDEMPOTENT),
    ],
)
def test_source_services_use_their_own_table(status: int, body: dict[str, Any] | None, code: str, retry: Retry) -> None:
    refusal = source_refusal(response(status, body), "the rows", "Dataverse")
    assert (refusal.error.code, refusal.retry) == (code, retry)


@pytest.mark.parametrize("table", [ADVERTISING, SOURCES, SIGN_IN], ids=["Advertising", "sources", "sign-in"])
def test_every_code_has_a_sentence_and_a_next_step(table: Any) -> None:
    for code, meaning in table.items():
        sentence = meaning.sentence("The service", "Op {braces}", "Name")
        assert sentence.endswith("."), code
        assert "{" not in sentence.replace("{braces}", ""), code
        assert str(meaning.next_step), code
