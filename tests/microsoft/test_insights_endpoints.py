from __future__ import annotations

import pytest

from ci_magics.errors import ConnectionSetupError, ServiceError
from ci_magics.microsoft.insights_endpoints import dataverse_endpoints, insights_endpoints

PRODUCTION = insights_endpoints("production")
ORGANIZATION = "https://contoso.crm4.dynamics.com"


def test_scope_of_customer_insights_is_that_of_microsofts_samples() -> None:
    assert PRODUCTION.base == "https://api.ci.ai.dynamics.com/v1"
    assert PRODUCTION.sign_in.scope == "https://api.ci.ai.microsoft.com/.default"


def test_scope_of_dataverse_is_its_organization() -> None:
    found = dataverse_endpoints("production", f"{ORGANIZATION}/main.aspx")
    assert found.base == f"{ORGANIZATION}/api/data/v9.2"
    assert found.sign_in.scope == f"{ORGANIZATION}/.default"


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.crm4.dynamics.com",
        "https://contoso.crm4.dynamics.com.example.com",
        "https://example.com/contoso.crm4.dynamics.com",
        "https://user@contoso.crm4.dynamics.com",
        "https://contoso.crm4.dynamics.com:8443",
        "contoso.crm4.dynamics.com",
        "https://a.b.crm.dynamics.com",
        "",
    ],
)
def test_address_of_another_host_is_not_an_organization(url: str) -> None:
    with pytest.raises(ConnectionSetupError, match="not the address of a Dataverse organization"):
        dataverse_endpoints("production", url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.ci.ai.dynamics.com.example.com/v1",
        "https://example.com/v1",
        "http://api.ci.ai.dynamics.com/v1",
        "https://api.ci.ai.dynamics.com:444/v1",
        "https://user@api.ci.ai.dynamics.com/v1",
        "https://api.ci.ai.dynamics.com\\.example.com/v1",
        "//api.ci.ai.dynamics.com/v1",
        "/v1",
    ],
)
def test_credentials_go_only_to_the_own_host(url: str) -> None:
    assert not PRODUCTION.is_own(url)
    with pytest.raises(ServiceError, match="nothing was sent there"):
        PRODUCTION.require_own(url, "the next page")


def test_own_host_is_recognized() -> None:
    assert PRODUCTION.is_own("https://api.ci.ai.dynamics.com/v1/instances/1/data/Customer?$skiptoken=2")
    assert PRODUCTION.is_own("https://API.CI.AI.dynamics.com:443/v1")


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://contoso.blob.core.windows.net/container/part-0.csv?sig=1", True),
        ("https://contoso.dfs.core.windows.net/container/part-0.csv?sig=1", True),
        ("https://api.ci.ai.dynamics.com/storage/part-0.csv", True),
        ("http://contoso.blob.core.windows.net/container/part-0.csv", False),
        ("https://contoso.blob.core.windows.net.example.com/part-0.csv", False),
        ("https://example.com/part-0.csv", False),
        ("file:///etc/passwd", False),
    ],
)
def test_files_are_downloaded_only_from_azure_storage(url: str, fits: bool) -> None:
    assert PRODUCTION.is_storage(url) is fits


def test_files_of_the_emulator_are_downloaded_only_from_it() -> None:
    emulated = insights_endpoints("emulator", "http://127.0.0.1:8765")
    assert emulated.is_storage("http://127.0.0.1:8765/storage/part-0.csv")
    assert not emulated.is_storage("https://contoso.blob.core.windows.net/container/part-0.csv")


def test_customer_insights_has_no_sandbox() -> None:
    with pytest.raises(ConnectionSetupError, match="no sandbox"):
        insights_endpoints("sandbox")
