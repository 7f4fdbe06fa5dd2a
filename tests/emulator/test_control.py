from __future__ import annotations

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import requests
from conftest import start_emulator

if TYPE_CHECKING:
    from conftest import RunningEmulator

SCHEMA = json.loads(files("ci_magics.emulation").joinpath("control.schema.json").read_text("utf-8"))
LIST = {"Type": "CustomerList", "Name": "A list", "Scope": "Account", "ParentId": "111"}


def fits(name: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{name}"}).is_valid(value))


def post(emulator: RunningEmulator, path: str, body: Any) -> requests.Response:
    return emulator.session.post(
        f"{emulator.base_url}/_emulator{path}", json=body, headers={"X-Control-Token": emulator.control_token}
    )


def test_responses_match_the_schema(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [LIST]})
    for name in ("audiences", "requests"):
        answer = emulator.control("GET", f"/{name}")
        assert len(answer) == 1
        assert fits(name, answer)
    assert fits("members", emulator.control("GET", f"/audiences/{emulator.audiences()['A list']['Id']}/members"))


@pytest.mark.parametrize("token", [None, "wrong"])
def test_control_token_is_required(emulator: RunningEmulator, token: str | None) -> None:
    headers = {"X-Control-Token": token} if token else {}
    assert emulator.session.get(f"{emulator.base_url}/_emulator/audiences", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        ("/settings", "settings", {"colour": "red"}),
        ("/settings", "settings", {"match_rule": "other"}),
        ("/settings", "settings", {"match_rate": 1.5}),
        ("/settings", "settings", {"match_rate": True}),
        ("/settings", "settings", {"delay_ms": -1}),
        ("/settings", "settings", {"page_size": 0}),
        ("/settings", "settings", {"terms_accepted": 1}),
        ("/settings", "settings", {"fault_rate": 1.1}),
        ("/settings", "settings", {"fault_seed": 1.5}),
        ("/settings", "settings", []),
        ("/settings", "settings", {"customers": 20_000_001}),
        ("/settings", "settings", {"customers": "many"}),
        ("/settings", "settings", {"next_link": "by post"}),
        ("/settings", "settings", {"enum_case": "upper"}),
        ("/settings", "settings", {"odata_count": 1}),
        ("/settings", "settings", {"omit_nulls": None}),
        ("/settings", "settings", {"partitions": 0}),
        ("/settings", "settings", {"refresh_seconds": -1}),
        ("/settings", "settings", {"calls_per_minute": 1.5}),
        ("/settings", "settings", {"email_attributes": ["Mail"]}),
        ("/settings", "settings", {"email_attributes": "EMail"}),
        ("/settings", "settings", {"email_semantic_type": "Mail"}),
        ("/settings", "settings", {"dataverse_page_size": 5_001}),
        ("/settings", "settings", {"dataverse_requests": 0}),
        ("/settings", "settings", {"dataverse_seconds": 0}),
        ("/settings", "settings", {"dataverse_concurrent": 0}),
        ("/settings", "settings", {"profiles_lag": -1}),
        ("/people", "people", ["no address"]),
        ("/people", "people", {}),
        ("/devicecode", "devicecode", {"user_code": 5}),
        ("/devicecode", "devicecode", {"user_code": "x", "accept": "yes"}),
        ("/clock", "clock", {"advance_hours": 100_001}),
        ("/clock", "clock", {"advance_hours": -1}),
        ("/clock", "clock", {"advance_hours": "2"}),
        ("/clock", "clock", {}),
        ("/faults", "faults", {}),
        ("/faults", "faults", [{"operation": "Nothing", "call": 1, "fault": "117"}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 0, "fault": "117"}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "strange"}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "117", "more": 1}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "118"}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "117", "retry_after": -1}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "117", "status": 99}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "partial", "indexes": ["1"]}]),
        ("/faults", "faults", [{"operation": "GetUser", "call": 1, "fault": "slow", "seconds": 601}]),
        ("/faults", "faults", [{"operation": "GetData", "call": 1, "fault": "http_429", "times": 0}]),
        ("/faults", "faults", [{"operation": "SubmitJob", "call": 1, "fault": "job_failed", "outcome": "lost"}]),
    ],
)
def test_invalid_control_request_gets_400(emulator: RunningEmulator, path: str, name: str, body: Any) -> None:
    assert not fits(name, body)
    answer = post(emulator, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("operation", "fault"),
    [("GetData", "117"), ("GetUser", "no_email"), ("GetAllSegments", "repeated_page"), ("GetData", "job_failed")],
)
def test_fault_is_refused_for_operations_it_does_not_concern(
    emulator: RunningEmulator, operation: str, fault: str
) -> None:
    answer = post(emulator, "/faults", [{"operation": operation, "call": 1, "fault": fault}])
    assert (answer.status_code, answer.json()) == (400, {"error": f"{fault} does not happen to {operation}"})


@pytest.mark.parametrize("text", ['{"advance_hours": NaN}', '{"advance_hours": Infinity}', "{", ""])
def test_clock_refuses_invalid_numbers(emulator: RunningEmulator, text: str) -> None:
    headers = {"X-Control-Token": emulator.control_token}
    answer = emulator.session.post(f"{emulator.base_url}/_emulator/clock", data=text, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("since", ["x", "-1", "\u00b2", "9" * 30])
def test_since_must_be_a_whole_number(emulator: RunningEmulator, since: str) -> None:
    headers = {"X-Control-Token": emulator.control_token}
    answer = emulator.session.get(f"{emulator.base_url}/_emulator/requests", params={"since": since}, headers=headers)
    assert answer.status_code == 400


def test_settings_match_the_schema(emulator: RunningEmulator) -> None:
    settings = emulator.control("GET", "/settings")
    assert fits("settings", settings)
    assert set(settings) == set(SCHEMA["$defs"]["settings"]["properties"])


def test_emulator_listens_only_on_loopback(emulator: RunningEmulator) -> None:
    port = int(emulator.base_url.rpartition(":")[2])
    with pytest.raises(OSError):  # noqa: PT011 - another loopback address stands for another network card
        socket.create_connection(("127.0.0.2", port), timeout=5)


@pytest.mark.parametrize("path", ["/audiences", "/requests", "/settings", "/schema"])
def test_control_calls_are_not_recorded_as_requests(emulator: RunningEmulator, path: str) -> None:
    emulator.control("GET", path)
    assert emulator.control("GET", "/requests") == []


def test_match_rule_decides_how_people_are_matched(emulator: RunningEmulator) -> None:
    plain, dotted = "ada@contoso.com", "Grace.Hopper+news@contoso.com"
    hashes = [hashlib.sha256(each.encode()).hexdigest() for each in (plain, "gracehopper@contoso.com", "x@contoso.com")]
    identity = emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [LIST]}).json()["AudienceIds"][
        0
    ]
    data = {
        "AudienceId": identity,
        "ActionType": "Add",
        "CustomerListItemSubType": "Email",
        "CustomerListItems": hashes,
        "AcceptCustomerMatchTerm": True,
    }
    emulator.call("POST", "/CampaignManagement/v13/CustomerListUserData/Apply", {"CustomerListUserData": data})
    emulator.control("POST", "/clock", {"advance_hours": 48})
    assert emulator.control("POST", "/people", [plain, dotted, "absent@contoso.com"]) == {"people": 3}
    sizes = []
    for rule in ("basic", "enhanced"):
        emulator.control("POST", "/settings", {"match_rule": rule})
        query = {"AudienceIds": [identity], "Type": "CustomerList"}
        answer = emulator.call("POST", "/CampaignManagement/v13/Audiences/QueryByIds", query).json()
        sizes.append(answer["Audiences"][0]["SearchSize"])
    assert sizes == ["1", "2"]


def test_invalid_setting_changes_nothing(emulator: RunningEmulator) -> None:
    post(emulator, "/settings", {"match_rate": 0.1, "colour": "red"})
    assert emulator.control("GET", "/settings")["match_rate"] == 0.6


def test_clock_can_be_advanced(emulator: RunningEmulator) -> None:
    before = emulator.control("POST", "/clock", {"advance_hours": 0})["now"]
    assert emulator.control("POST", "/clock", {"advance_hours": 48})["now"] - before >= 48 * 3600


def test_requests_are_recorded_without_tokens(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})
    emulator.call("GET", "/nothing", "")
    lines = emulator.control("GET", "/requests?since=0")
    assert [(each["number"], each["operation"], each["status"]) for each in lines] == [
        (1, "GetUser", 200),
        (2, "", 404),
    ]
    assert emulator.access_token not in json.dumps(lines)
    assert emulator.developer_token not in json.dumps(lines)
    assert emulator.control("GET", "/requests?since=1") == lines[1:]


def test_reset_clears_everything_but_the_tokens(emulator: RunningEmulator) -> None:
    add = emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [LIST]}).json()
    emulator.control("POST", "/settings", {"match_rate": 0.1})
    emulator.control("POST", "/reset")
    assert emulator.audiences() == {}
    assert emulator.control("GET", "/requests") == []
    assert emulator.control("GET", "/settings")["match_rate"] == 0.6
    again = emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [LIST]}).json()
    assert again["AudienceIds"] != add["AudienceIds"]


def accepted(emulator: RunningEmulator, kind: str, token: str) -> bool:
    if kind == "refresh_token":
        form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": token}
        return emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data=form).ok
    if kind == "insights_token":
        return emulator.insights("/manage/segments", headers={"Authorization": f"Bearer {token}"}).ok
    body = {"UserId": None}
    return emulator.call("POST", "/CustomerManagement/v13/User/Query", body, Authorization=f"Bearer {token}").ok


def issued(emulator: RunningEmulator, kind: str) -> str:
    if kind != "hourly":
        return str(getattr(emulator, kind))
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token}
    answer = emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data=form)
    return str(answer.json()["access_token"])


@pytest.mark.parametrize(
    ("kind", "days"), [("access_token", 365), ("insights_token", 365), ("refresh_token", 90), ("hourly", 1 / 24)]
)
@pytest.mark.parametrize("late", [False, True])
def test_reset_neither_revives_nor_revokes_tokens(
    emulator: RunningEmulator, kind: str, days: float, late: bool
) -> None:
    token = issued(emulator, kind)
    emulator.control("POST", "/clock", {"advance_hours": days * 24 + (0.01 if late else -0.01)})
    assert accepted(emulator, kind, token) is not late
    for _ in range(2):
        emulator.control("POST", "/reset")
        assert accepted(emulator, kind, token) is not late


def test_reset_does_not_extend_tokens_issued_later(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/clock", {"advance_hours": 48})
    token = issued(emulator, "hourly")
    emulator.control("POST", "/reset")
    assert accepted(emulator, "hourly", token)
    emulator.control("POST", "/clock", {"advance_hours": 1.01})
    assert not accepted(emulator, "hourly", token)


@pytest.mark.parametrize("operation", ["GetUser", "*"])
def test_token_expired_on_demand_stays_expired_after_a_reset(emulator: RunningEmulator, operation: str) -> None:
    other = issued(emulator, "hourly")
    emulator.control("POST", "/faults", [{"operation": operation, "call": 1, "fault": "token_expired"}])
    assert [user(emulator).json()["Errors"][0]["Code"] for _ in range(2)] == [109, 109]
    emulator.control("POST", "/reset")
    assert user(emulator).json()["Errors"][0]["Code"] == 109
    assert accepted(emulator, "hourly", other)
    emulator.renew()
    assert user(emulator).ok


def user(emulator: RunningEmulator) -> requests.Response:
    return emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None})


def test_fault_happens_only_at_its_call(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/faults", [{"operation": "GetUser", "call": 2, "fault": "117", "retry_after": 7}])
    answers = [user(emulator) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json()["Errors"][0]["Code"] == 117


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("0", 500),
        ("106", 403),
        ("1001", 403),
        ("http_401", 401),
        ("http_503", 503),
        ("http_502_html", 502),
        ("empty_body", 200),
    ],
)
def test_faults_replace_responses(emulator: RunningEmulator, fault: str, status: int) -> None:
    emulator.control("POST", "/faults", [{"operation": "*", "call": 1, "fault": fault}])
    assert user(emulator).status_code == status
    assert user(emulator).status_code == 200


@pytest.mark.parametrize(("fault", "done"), [("lost_reply", True), ("lost_request", False)])
def test_lost_reply_is_executed_and_lost_request_is_not(emulator: RunningEmulator, fault: str, done: bool) -> None:
    emulator.control("POST", "/faults", [{"operation": "AddAudiences", "call": 1, "fault": fault}])
    with pytest.raises(requests.ConnectionError):
        emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [LIST]})
    assert ("A list" in emulator.audiences()) is done


def test_emulator_stops_with_its_parent() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "ci_magics.emulation", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    known = json.loads(child.stdout.readline())
    assert known["base_url"].startswith("http://127.0.0.1:")
    assert {known["customer_id"], known["account_id"]} == {"222", "111"}
    child.stdin.close()
    assert child.wait(timeout=20) == 0
    child.stdout.close()


def stop_by_request(emulator: RunningEmulator, _process: subprocess.Popen[bytes]) -> None:
    emulator.control("POST", "/stop")


def stop_by_sigterm(_emulator: RunningEmulator, process: subprocess.Popen[bytes]) -> None:
    process.terminate()


def stop_by_sigint(_emulator: RunningEmulator, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("end", [stop_by_request, stop_by_sigterm, stop_by_sigint])
def test_emulator_stops_cleanly_while_watching_its_parent(
    end: Callable[[RunningEmulator, subprocess.Popen[bytes]], None], capfd: pytest.CaptureFixture[str]
) -> None:
    process, running = start_emulator("--until-stdin-closes")
    assert process.stdin is not None
    with process.stdin:
        end(running, process)
        assert process.wait(timeout=60) == 0
    assert capfd.readouterr().err == ""


def is_dropped_by_a_reset(emulator: RunningEmulator) -> bool:
    """Reset while a call is in progress; a call that arrives after the reset is answered."""
    emulator.control("POST", "/settings", {"delay_ms": 200})
    connection = http.client.HTTPConnection(emulator.base_url.removeprefix("http://"))
    body = json.dumps({"Audiences": [LIST]})
    connection.request("POST", "/CampaignManagement/v13/Audiences", body, emulator.headers())
    emulator.control("POST", "/reset")
    try:
        return connection.getresponse().status != 200
    except http.client.RemoteDisconnected:
        return True


def test_call_in_progress_during_a_reset_does_not_affect_the_new_state(emulator: RunningEmulator) -> None:
    assert any(is_dropped_by_a_reset(emulator) for _attempt in range(50))
    assert emulator.audiences() == {}
