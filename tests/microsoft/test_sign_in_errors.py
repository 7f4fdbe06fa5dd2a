"""Each error code of Microsoft Entra has its own message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from ci_magics.emulation.sign_in.refusals import CODES
from ci_magics.errors import SignInError
from ci_magics.microsoft import signin
from ci_magics.microsoft.codes import SIGN_IN
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.faults import sign_in_error

if TYPE_CHECKING:
    from conftest import RunningEmulator


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"error": "invalid_grant"}, "invalid_grant", "not valid any more. Sign in again"),
        ({"error": "invalid_grant", "error_codes": [70000]}, "AADSTS70000", "not valid any more. Sign in again"),
        ({"error": "invalid_grant", "error_codes": ["50076"]}, "AADSTS50076", "second proof"),
        ({"error": "invalid_grant", "error_codes": [123456789]}, "AADSTS123456789", "does not accept this sign-in"),
        ({"error": "invalid_grant", "error_codes": [1, 50057]}, "AADSTS50057", "turned off"),
        ({"error": "invalid_grant", "error_codes": 50057}, "invalid_grant", "not valid any more"),
        ({"error": "x", "error_description": "AADSTS50105: jane may not"}, "AADSTS50105", "not assigned"),
        ({"error": "invalid_grant", "error_codes": [65001]}, "AADSTS65001", "Nobody has allowed this application"),
        ({"error": "invalid_client", "error_codes": [50011]}, "AADSTS50011", "Add http://localhost"),
        ({"error": "invalid_client", "error_codes": [650052]}, "AADSTS650052", "not enabled in your organization"),
        ({"error": "unauthorized_client", "error_codes": [700016]}, "AADSTS700016", "tenant does not know this app"),
        ({"error": "invalid_request", "error_codes": [50194]}, "AADSTS50194", "one tenant only. Name that tenant"),
        ({"error": "invalid_request", "error_codes": [90023]}, "AADSTS90023", "without a secret"),
        ({"error": "invalid_client", "error_codes": [7000218]}, "AADSTS7000218", "Allow public client flows"),
        ({"error": "access_denied"}, "access_denied", "declined"),
        ({"error": "unauthorized_client"}, "unauthorized_client", "may not sign in this way"),
        ({"error": "invalid_scope", "error_codes": [70011]}, "AADSTS70011", "may not use the service"),
        ({}, "invalid_grant", "not valid any more"),
        ({"error": "jane@contoso.com"}, "sign_in_failed", "Signing in to Microsoft failed"),
        ({"error": "server_error", "error_codes": ["<html>"]}, "sign_in_failed", "Signing in to Microsoft failed"),
    ],
)
def test_refusal_says_what_to_do(answer: dict[str, Any], code: str, words: str) -> None:
    error = sign_in_error(answer)
    assert error.code == code
    assert words in str(error)


def test_message_of_the_provider_is_dropped_and_its_tracking_id_is_kept() -> None:
    answer = {"error": "invalid_grant", "error_description": "AADSTS70000: jane said no", "correlation_id": "c-1"}
    error = sign_in_error(answer)
    assert "jane" not in str(error)
    assert error.tracking_id == "c-1"


#: Codes where the user can act alone; the advice for all others names somebody else, or the settings.
ALONE = (
    "50011 50055 50056 50058 50074 50076 50078 50089 50126 50132 50133 50158 50173 50196 65004 "
    "70000 70008 700082 700084"
)
SOMEBODY_ELSE = (
    "administrator|owner|Microsoft Entra, under|in Microsoft Entra|Authentication|another client id|mfasetup|tenant|"
    "few minutes|report this"
)


@pytest.mark.parametrize("code", CODES)
def test_every_entra_code_has_its_message_and_next_step(code: str, emulator: RunningEmulator) -> None:
    endpoints = endpoints_of("emulator", emulator.base_url)
    app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
    emulator.fault("Token", code, times=9)
    with pytest.raises(SignInError) as caught:
        signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    error = caught.value
    number = int(code.removeprefix("AADSTS"))
    meaning = SIGN_IN[number]
    assert (error.sentence, error.next_step) == (meaning.template, str(meaning.next_step))
    assert (error.code, bool(error.tracking_id)) == (code, True)
    if str(number) in ALONE.split():
        assert re.search("[Ss]ign in again|Set a new one|Add http|run it again", error.next_step)
    else:
        assert re.search(SOMEBODY_ELSE, error.next_step), error.next_step


@pytest.mark.parametrize("code", ["AADSTS50105", "AADSTS530036", "AADSTS90094"])
def test_refused_device_code_request_gets_the_same_message(code: str, emulator: RunningEmulator) -> None:
    endpoints = endpoints_of("emulator", emulator.base_url)
    app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
    emulator.fault("DeviceCode", code)
    with pytest.raises(SignInError) as caught:
        signin.sign_in_by_device_code(app, endpoints.scope, lambda _sentence: pytest.fail("there is no code"))
    assert caught.value.sentence == SIGN_IN[int(code.removeprefix("AADSTS"))].template


def test_each_message_is_one_sentence_without_entra_codes() -> None:
    for number, meaning in SIGN_IN.items():
        sentence, next_step = meaning.template, meaning.next_step
        assert re.fullmatch(r"[A-Z][^.]*(ci-magics[^.]*)?\.", sentence), number
        assert str(next_step).endswith("."), number
        assert "AADSTS" not in f"{sentence}{next_step}"
