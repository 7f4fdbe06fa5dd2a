"""Access to Customer Insights and Dataverse: tokens by audience, the key of the gateway, instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

ADVERTISING = "https://ads.microsoft.com/msads.manage"
INSIGHTS = "https://api.ci.ai.microsoft.com/.default"
DATAVERSE = "https://contoso.crm.dynamics.com/.default"
SCOPES = {
    ADVERTISING: "advertising",
    INSIGHTS: "insights",
    "https://api.ci.ai.microsoft.com/user_impersonation": "insights",
    "38c77d00-5fcb-4cce-9d93-af4738258e3c/.default": "insights",
    "api://38c77d00-5fcb-4cce-9d93-af4738258e3c/.default": "insights",
    DATAVERSE: "dataverse",
    "https://contoso.crm.dynamics.com//user_impersonation": "dataverse",
    "https://contoso.api.crm4.dynamics.com/.default": "dataverse",
    "http://127.0.0.1/.default": "dataverse",
}


def granted(emulator: RunningEmulator, scope: str, **form: str) -> Any:
    data = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token, **form}
    url = f"{emulator.base_url}/common/oauth2/v2.0/token"
    return emulator.session.post(url, data=data | {"scope": f"{scope} offline_access openid profile"}).json()


def opened(emulator: RunningEmulator, token: str) -> set[str]:
    """Return the services that accept a token."""
    bearer = {"Authorization": f"Bearer {token}"}
    advertising = emulator.call(
        "POST", "/CustomerManagement/v13/User/Query", {"UserId": None}, Authorization=f"Bearer {token}"
    )
    dataverse = emulator.session.get(f"{emulator.base_url}/api/data/v9.2/WhoAmI", headers=bearer)
    statuses = {
        "advertising": advertising.status_code,
        "insights": emulator.insights("", headers=bearer).status_code,
        "dataverse": dataverse.status_code,
    }
    assert set(statuses.values()) <= {200, 401}
    return {name for name, status in statuses.items() if status == 200}


@pytest.mark.parametrize("scope", SCOPES)
def test_token_is_valid_only_for_the_service_of_its_scope(emulator: RunningEmulator, scope: str) -> None:
    assert opened(emulator, granted(emulator, scope)["access_token"]) == {SCOPES[scope]}


def test_predefined_tokens_are_distinct(emulator: RunningEmulator) -> None:
    assert opened(emulator, emulator.access_token) == {"advertising"}
    assert opened(emulator, emulator.insights_token) == {"insights", "dataverse"}


@pytest.mark.parametrize(
    "scope",
    [
        "https://api.ci.ai.microsoft.com/everything",
        "https://api.ci.ai.dynamics.com.example.com/.default",
        "https://fabrikam.crm.dynamics.com/.default",
        f"{INSIGHTS} {DATAVERSE}",
    ],
)
def test_other_scopes_are_refused(emulator: RunningEmulator, scope: str) -> None:
    assert granted(emulator, scope)["error"] == "invalid_scope"


def test_application_signs_in_with_its_secret(emulator: RunningEmulator) -> None:
    answer = granted(emulator, INSIGHTS, grant_type="client_credentials", client_secret="secret")
    assert opened(emulator, answer["access_token"]) == {"insights"}
    assert "refresh_token" not in answer
    assert granted(emulator, INSIGHTS, grant_type="client_credentials")["error"] == "invalid_client"
    for scope in ("https://api.ci.ai.microsoft.com/user_impersonation", ADVERTISING):
        refused = granted(emulator, scope, grant_type="client_credentials", client_secret="secret")
        assert refused["error"] == "invalid_scope"


@pytest.mark.parametrize("key", ["", "another"])
def test_gateway_requires_its_key(emulator: RunningEmulator, key: str) -> None:
    answer = emulator.insights("/manage/segments", headers={"Ocp-Apim-Subscription-Key": key})
    assert (answer.status_code, answer.json()["statusCode"]) == (401, 401)
    assert answer.headers["WWW-Authenticate"].startswith("AzureApiManagementKey ")


def test_older_url_requires_no_key(emulator: RunningEmulator) -> None:
    headers = {"Authorization": f"Bearer {emulator.insights_token}"}
    found = emulator.session.get(f"{emulator.base_url}/api/instances", headers=headers).json()
    home = next(each for each in found if each["instanceId"] == emulator.instance_id)
    assert set(home) == {
        "instanceId", "tenantId", "tenantName", "scaleUnitUri", "name", "instanceType", "region"
    }  # fmt: skip
    url = f"{home['scaleUnitUri']}/api/instances/{emulator.instance_id}/manage/entities"
    assert emulator.session.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer wrong"])
def test_token_is_required(emulator: RunningEmulator, authorization: str) -> None:
    answer = emulator.insights("/manage/segments", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "Unauthorized")


def test_tokens_last_an_hour(emulator: RunningEmulator) -> None:
    token = granted(emulator, INSIGHTS)["access_token"]
    emulator.control("POST", "/clock", {"advance_hours": 1.01})
    assert opened(emulator, token) == set()


def test_other_instances_are_not_found(emulator: RunningEmulator) -> None:
    url = f"{emulator.base_url}/v1/instances/00000000-0000-0000-0000-000000000000/manage/segments"
    answer = emulator.insights(url)
    assert (answer.status_code, answer.json()["httpStatusCode"]) == (404, "404")


@pytest.mark.parametrize(("path", "method", "status"), [("/nothing", "GET", 404), ("/manage/segments", "PATCH", 405)])
def test_unknown_operation_gets_the_error_format_of_the_gateway(
    emulator: RunningEmulator, path: str, method: str, status: int
) -> None:
    answer = emulator.insights(path, method)
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)


def test_rate_limit_is_enforced(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"calls_per_minute": 2})
    answers = [emulator.insights("") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    emulator.control("POST", "/clock", {"advance_hours": 0.02})
    assert emulator.insights("").status_code == 200
