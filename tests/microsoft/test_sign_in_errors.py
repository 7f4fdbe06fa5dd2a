"""Each refusal of Microsoft Entra has its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ci_magics.microsoft.sign_in_errors import sign_in_error


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"error": "invalid_grant"}, "invalid_grant", "not valid any more. Sign in again"),
        ({"error": "invalid_grant", "error_codes": [70000]}, "AADSTS70000", "not valid any more. Sign in again"),
        ({"error": "invalid_grant", "error_codes": ["50076"]}, "AADSTS50076", "second proof"),
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
def test_a_refusal_says_what_to_do(answer: dict[str, Any], code: str, words: str) -> None:
    error = sign_in_error(answer)
    assert error.code == code
    assert words in str(error)


def test_the_words_of_the_provider_are_not_repeated_and_its_number_for_support_is() -> None:
    answer = {"error": "invalid_grant", "error_description": "AADSTS70000: jane said no", "correlation_id": "c-1"}
    error = sign_in_error(answer)
    assert "jane" not in str(error)
    assert error.tracking_id == "c-1"
