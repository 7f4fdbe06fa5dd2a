"""The hosts that requests, and with them credentials, may go to."""

from __future__ import annotations

import pytest

from ci_magics.errors import ConnectionSetupError
from ci_magics.microsoft.endpoints import endpoints_of, loopback


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://localhost:8765/", "http://localhost:8765"),
        ("http://[::1]:8765/some/path?a=1", "http://[::1]:8765"),
    ],
)
def test_emulator_must_be_on_this_machine(url: str, base: str) -> None:
    assert loopback(url) == base
    assert endpoints_of("emulator", url).login == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8765",
        "https://127.0.0.1:8765",
        "http://127.0.0.1.example.com",
        "http://127.0.0.2:1",
        "http://0.0.0.0:8765",
        "http://evil.example",
        "http://user@127.0.0.1:8765",
        "http://127.0.0.1:8765@evil.example",
        "http://127.0.0.1:port",
        "http://[::1",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1 .evil.example",
        "http://127.0.0.1\n.evil.example",
        "http://\uff11\uff12\uff17.0.0.1:8765",
        "file:///etc/passwd",
    ],
)
def test_any_other_emulator_address_is_refused(url: str) -> None:
    with pytest.raises(ConnectionSetupError) as caught:
        loopback(url)
    assert caught.value.code == "emulator_not_loopback"


@pytest.mark.parametrize("environment", ["production", "sandbox"])
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://bulk.api.bingads.microsoft.com/Bulk/v13/x", True),
        ("https://bingads.microsoft.com/x", True),
        ("https://BULK.api.BingAds.Microsoft.com:443/x", True),
        ("http://bulk.api.bingads.microsoft.com/x", False),
        ("https://bulk.api.bingads.microsoft.com:8443/x", False),
        ("https://bingads.microsoft.com.evil.example/x", False),
        ("https://evilbingads.microsoft.com/x", False),
        ("https://microsoft.com/x", False),
        ("https://bingads.microsoft.com@evil.example/x", False),
        ("https://user:password@bulk.api.bingads.microsoft.com/x", False),
        ("https://evil.example\\@bulk.api.bingads.microsoft.com/x", False),
        ("https://evil.example#@bulk.api.bingads.microsoft.com/x", False),
        ("https://bulk.api.bingads.microsoft.com:x/x", False),
        ("https://evil.example/?x=.bingads.microsoft.com", False),
        ("https://evil.example\n.bingads.microsoft.com/", False),
        ("https://[::1", False),
        ("//bulk.api.bingads.microsoft.com/x", False),
        ("", False),
    ],
)
def test_files_go_only_to_microsoft(environment: str, url: str, allowed: bool) -> None:
    assert endpoints_of(environment).allows_upload_to(url) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8765/Bulk/v13/x", True),
        ("http://127.0.0.1:8766/Bulk/v13/x", False),
        ("http://localhost:8765/Bulk/v13/x", False),
        ("https://127.0.0.1:8765/Bulk/v13/x", False),
        ("https://bulk.api.bingads.microsoft.com/x", False),
        ("http://127.0.0.1:8765\\@evil.example/x", False),
        ("http://127.0.0.1:8765@evil.example/x", False),
    ],
)
def test_files_of_the_emulator_go_only_to_the_emulator(url: str, allowed: bool) -> None:
    assert endpoints_of("emulator", "http://127.0.0.1:8765").allows_upload_to(url) is allowed


def test_each_environment_has_its_own_hosts_and_scope() -> None:
    production, sandbox = endpoints_of("production"), endpoints_of("sandbox")
    assert production.campaign == "https://campaign.api.bingads.microsoft.com"
    assert sandbox.bulk == "https://bulk.api.sandbox.bingads.microsoft.com"
    assert sandbox.customer == "https://clientcenter.api.sandbox.bingads.microsoft.com"
    assert production.scope == "https://ads.microsoft.com/msads.manage"
    assert sandbox.scope == "https://si.ads.microsoft.com/msads.manage"
    assert (production.login, production.is_emulator) == (None, False)


def test_unknown_environment_is_named() -> None:
    with pytest.raises(ConnectionSetupError, match="no environment 'staging'"):
        endpoints_of("staging")
