"""How the client handles every kind of failed response, over HTTP."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError, SignInError, UnreachableError
from ci_magics.microsoft.answers import MAX_ERROR_BYTES, MAX_JSON_BYTES
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.http import emulator_adapter

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
APPLY = "ApplyCustomerListUserData"


def refused(client: Any, kind: type[CiError] = ServiceError) -> CiError:
    with pytest.raises(kind) as caught:
        client.advertising.audiences()
    return caught.value


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ("117", [60.0]),
        ("http_429", [60.0]),
        (("117", {"retry_after": 7}), [7.0]),
        (("http_429", {"retry_after": 0}), [0.0]),
        (("http_429", {"retry_after": 999_999}), [3600.0]),
        (("117", {"status": 400}), [60.0]),
        ("4204", [225.0]),
        ("3227", [225.0]),
        (("4204", {"retry_after": 30}), [30.0]),
        ("0", [1.0]),
        ("1011", [1.0]),
        ("1010", [1.0]),
        (("0", {"status": 400}), [1.0]),
        ("http_500", [1.0]),
        (("http_503", {"retry_after": 20}), [20.0]),
        ("http_502_html", [1.0]),
        ("empty_body", [1.0]),
        ("huge_body", [1.0]),
        (("huge_body", {"status": 200}), [1.0]),
        ("lost_reply", [1.0]),
        ("lost_request", [1.0]),
        ("reset_mid_upload", [1.0]),
    ],
)
def test_transient_fault_is_waited_out(client: Any, fault: Any, waits: list[float]) -> None:
    client.fault("GetAudiencesByIds", fault)
    assert client.advertising.audiences() == []
    assert client.clock.waits == waits
    assert client.count("GetAudiencesByIds") == 2
    assert bool(client.said) is (waits[0] >= 1)


def test_retries_end_after_five_attempts(client: Any) -> None:
    client.fault("GetAudiencesByIds", *["0"] * 9)
    error = refused(client)
    assert (error.code, client.clock.waits) == (0, [1.0, 2.0, 4.0, 8.0])
    assert client.count("GetAudiencesByIds") == 5


def test_bulk_limit_is_waited_for_up_to_fifteen_minutes(client: Any) -> None:
    client.fault("GetBulkUploadUrl", *["4204"] * 9)
    with pytest.raises(ServiceError) as caught:
        client.bulk.request_upload()
    assert (caught.value.code, sum(client.clock.waits)) == (4204, 900.0)


def test_wait_is_announced_before_it_starts(client: Any) -> None:
    client.fault("GetAudiencesByIds", "117")
    client.advertising.audiences()
    assert client.said == ["Microsoft Advertising is receiving too many calls. Trying again in 60 s."]


@pytest.mark.parametrize(
    "fault", ["106", ("106", {"status": 401}), "1102", "8003", "http_403", "208", ("8003", {"status": 500})]
)
def test_permanent_error_is_not_retried(client: Any, fault: Any) -> None:
    client.fault("GetAudiencesByIds", fault)
    error = refused(client)
    assert (client.count("GetAudiencesByIds"), client.clock.waits, client.tokens.renewals) == (1, [], 0)
    name = fault[0] if isinstance(fault, tuple) else fault
    assert error.code == (int(name) if name.isdecimal() else "HTTP 403")
    assert error.tracking_id


@pytest.mark.parametrize(
    "fault",
    [
        "109",
        "105",
        "http_401",
        ("109", {"status": 500, "preceded_by": 201}),
        ("109", {"as_string": True, "status": 400}),
    ],
)
def test_expired_token_is_renewed_once(client: Any, fault: Any) -> None:
    client.fault("GetAudiencesByIds", fault)
    assert client.advertising.audiences() == []
    assert (client.tokens.renewals, client.count("GetAudiencesByIds"), client.clock.waits) == (1, 2, [0])


@pytest.mark.parametrize(("fault", "code"), [("109", 109), ("105", 105), ("http_401", "HTTP 401")])
def test_second_refusal_of_the_token_is_final(client: Any, fault: str, code: Any) -> None:
    client.fault("GetAudiencesByIds", fault, fault)
    assert refused(client, SignInError).code == code
    assert (client.tokens.renewals, client.count("GetAudiencesByIds")) == (1, 2)


def test_renewed_token_is_sent(client_with: Any, emulator: Any) -> None:
    client = client_with("worn out", emulator.access_token)
    assert client.advertising.audiences() == []
    assert client.tokens.renewals == 1


def test_each_call_can_renew_the_token(client: Any) -> None:
    client.fault("GetAudiencesByIds", "109", None, "109")
    client.advertising.audiences()
    client.advertising.audiences()
    assert client.tokens.renewals == 2


@pytest.mark.parametrize("fault", ["lost_reply", "lost_request", "http_502_html", "empty_body", "0", "huge_body"])
def test_non_idempotent_request_is_not_retried_if_it_may_have_arrived(client: Any, fault: str) -> None:
    client.fault("AddAudiences", fault)
    with pytest.raises(OutcomeUnknownError, match="may or may not have been carried out"):
        client.new_list()
    assert client.count("AddAudiences") == 1


@pytest.mark.parametrize("fault", ["117", "109", "1010"])
def test_non_idempotent_request_is_retried_if_it_was_surely_not_executed(client: Any, fault: str) -> None:
    client.fault("AddAudiences", fault)
    assert client.new_list()
    assert list(client.emulator.audiences()) == ["A list"]


def test_replace_is_not_retried_but_add_is(client: Any) -> None:
    identity = client.new_list()
    client.fault(APPLY, "lost_reply", None, "lost_reply")
    assert client.advertising.apply(identity, "Add", [HASH], accept_terms=True).faults == ()
    with pytest.raises(OutcomeUnknownError):
        client.advertising.apply(identity, "Replace", [HASH], accept_terms=True)
    assert client.count(APPLY) == 3


@pytest.mark.parametrize("details", [{}, {"status": 302}, {"status": 303}])
def test_redirect_is_not_followed(client: Any, details: dict[str, int]) -> None:
    client.fault("GetAudiencesByIds", ("redirect", details))
    error = refused(client)
    assert "redirect" in str(error)
    assert [each["path"] for each in client.emulator.control("GET", "/requests")] == [
        "/CampaignManagement/v13/Audiences/QueryByIds"
    ]


@pytest.mark.parametrize("fault", ["http_502_html", ("huge_body", {"status": 400}), "http_403"])
def test_error_repeats_nothing_received_or_sent(client: Any, fault: Any) -> None:
    client.fault("GetAudiencesByIds", *[fault] * 5)
    text = str(refused(client))
    assert not any(part in text for part in ("<html", "xxx", "Gateway", "Refused", client.emulator.access_token))
    assert len(text) < 300


@pytest.mark.parametrize(("status", "limit"), [(502, MAX_ERROR_BYTES), (200, MAX_JSON_BYTES)])
def test_response_is_read_up_to_a_limit(client: Any, status: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    real = client.conversation.session.send

    def counted(*args: Any, **options: Any) -> Any:
        response = real(*args, **options)
        blocks = response.iter_content

        def counting(size: int) -> Any:
            for block in blocks(size):
                taken.append(len(block))
                yield block

        response.iter_content = counting
        return response

    monkeypatch.setattr(client.conversation.session, "send", counted)
    client.fault("AddAudiences", ("huge_body", {"status": status, "bytes": 40_000_000}))
    with pytest.raises(OutcomeUnknownError):
        client.new_list()
    assert limit <= sum(taken) <= limit + 100_000


def test_closed_port_is_unreachable(client: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServiceError) as caught:
        client.conversation.call("AddAudiences", "POST", nobody, {}, repeatable=False)
    assert (type(caught.value), caught.value.code) == (UnreachableError, "connection_refused")
    assert client.clock.waits == [1.0, 2.0, 4.0, 8.0]


def test_request_that_may_have_reached_the_emulator_is_not_sent_to_its_next_process(client: Any, emulator: Any) -> None:
    endpoints = endpoints_of("emulator", emulator.base_url, lambda: emulator.base_url)
    client.conversation.session.mount("http://", emulator_adapter(endpoints))
    client.fault("AddAudiences", "lost_reply")
    with pytest.raises(OutcomeUnknownError):
        client.new_list()
    assert client.count("AddAudiences") == 1


def test_netrc_file_does_not_replace_the_token(client: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client.conversation.session.trust_env = True
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert client.advertising.audiences() == []


def test_repr_shows_no_token(client: Any) -> None:
    shown = f"{client.conversation!r} {client.conversation.service.endpoints!r} {client.conversation!s}"
    assert client.emulator.access_token not in shown
    assert client.emulator.developer_token not in repr(client.conversation.service)
