"""Scenarios 13 to 19: tokens that expire, and tokens that must stay secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contoso import calls, connect, export, fail, hashes, planned, resumed, segment

import ci_magics as ci
from ci_magics.errors import ServiceError, SignInError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.token_cache import open_cache

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"


@pytest.mark.parametrize("as_string", [False, True])
def test_13_expired_token_after_another_error_is_renewed_once(emulator: RunningEmulator, as_string: bool) -> None:
    connect()
    fail(emulator, APPLY, "109", preceded_by=100, status=500, as_string=as_string)
    assert export(segment(400)).status == "Completed"
    assert calls(emulator, APPLY) == 2


def test_14_sign_in_refused_twice_stops_the_export(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "105", "105")
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        export(segment(400))
    assert calls(emulator, APPLY) == 2


def test_14_missing_rights_do_not_renew_the_token(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "106", status=401)
    before = calls(emulator, "Token")
    with pytest.raises(ServiceError, match="may not use this account"):
        export(segment(400))
    assert calls(emulator, APPLY) == 1
    assert calls(emulator, "Token") == before + 1  # the sign-in of the export


def test_15_revoked_sign_in_asks_for_a_new_one_and_counts_nothing_as_sent(emulator: RunningEmulator) -> None:
    connect()
    faults = [
        {"operation": APPLY, "call": 1, "fault": "109"},
        {"operation": "Token", "call": 2, "fault": "invalid_grant"},
    ]
    emulator.control("POST", "/faults", faults)
    with pytest.raises(SignInError, match="Sign in again"):
        export(segment(400))
    (record,) = ci.open_workspace().store.runs
    assert record.results[0]["accepted"] == 0
    assert emulator.members("All") == set()
    assert resumed(record.name).accepted == 400


def test_16_token_expiring_during_a_run_is_renewed_and_nothing_is_sent_twice(emulator: RunningEmulator) -> None:
    connect()
    emulator.control("POST", "/faults", [{"operation": APPLY, "call": 5, "fault": "token_expired"}])
    run = export(segment(9_500))
    assert (run.status, run.accepted) == ("Completed", 9_500)
    assert emulator.members("All") == hashes(9_500)
    answered = [line for line in emulator.control("GET", "/requests") if line["operation"] == APPLY]
    assert sum(line["status"] == 200 for line in answered) == 10


def test_17_new_refresh_token_replaces_the_old_one(emulator: RunningEmulator, tmp_path: Path) -> None:
    endpoints = endpoints_of("emulator", emulator.base_url)
    path = tmp_path / "tokens.bin"
    app = signin.open_application(
        endpoints, client_id=signin.EMULATOR_CLIENT_ID, cache=open_cache(path, lambda _notice: None)
    )
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    kept = [path.read_text("utf-8")]
    tokens.renew()
    kept.append(path.read_text("utf-8"))
    secrets = [{each["secret"] for each in json.loads(text)["RefreshToken"].values()} for text in kept]
    assert [len(each) for each in secrets] == [1, 1]
    assert secrets[0] != secrets[1]
    assert emulator.refresh_token not in kept[1]


def test_18_token_is_neither_shown_nor_saved(
    emulator: RunningEmulator, workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = connect()
    plan = planned(segment(400))
    saved = plan.save(tmp_path / "plan.json").read_text("utf-8")
    fail(emulator, APPLY, "106")
    with pytest.raises(ServiceError) as refused:
        plan.apply()
    shown = [saved, repr(plan), repr(connection), repr(ci.status()), "".join(refused.value._render_traceback_())]
    shown += [capsys.readouterr().out, *(repr(each) for each in workspace.runs)]
    stored = b"".join(path.read_bytes() for path in workspace.folder.rglob("*") if path.is_file())
    for secret in (emulator.access_token, emulator.refresh_token, emulator.developer_token, "eyJ"):
        assert not [text for text in shown if secret in text]
        assert secret.encode() not in stored


def test_19_redirect_gets_no_credentials(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "redirect")
    with pytest.raises(ServiceError) as refused:
        export(segment(400))
    assert refused.value.code == "HTTP 307"
    assert not [line for line in emulator.control("GET", "/requests") if "elsewhere" in line["path"]]
