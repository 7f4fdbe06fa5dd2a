"""Where Customer Insights and Dataverse answer, and what a sign-in to them is for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ci_magics.errors import ConnectionSetupError, ServiceError
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of

_API = "https://api.ci.ai.dynamics.com/v1"
#: The scope of Microsoft's samples (client libraries, ``authConfig.js``); the host of the API has no scope.
_SCOPE = "https://api.ci.ai.microsoft.com/.default"
_DATAVERSE_PATH = "/api/data/v9.2"
_DATAVERSE_HOST = re.compile(r"[a-z0-9-]+\.(crm\d*\.dynamics\.com|crm\d?\.microsoftdynamics\.us|crm\.dynamics\.cn)")
#: Where Customer Insights keeps its files: Azure storage.
_STORAGE_HOST = re.compile(r"[a-z0-9-]+\.(blob|dfs)\.core\.windows\.net")


@dataclass(frozen=True)
class SourceEndpoints:
    """One service that segments are read from.

    Parameters
    ----------
    service
        Its name, for messages.
    base
        Its address without a final slash.
    sign_in
        The environment with the scope that its tokens need.
    """

    service: str
    base: str
    sign_in: Endpoints

    def is_own(self, url: str) -> bool:
        """Tell whether credentials may be sent to an address that the service handed out: its own host only."""
        return _origin(url) == _origin(self.base) is not None

    def is_storage(self, url: str) -> bool:
        """Tell whether a file may be fetched from an address that the service handed out; it gets no credentials."""
        if self.is_own(url):
            return True
        scheme, host, port = _origin(url) or ("", "", 0)
        return (scheme, port) == ("https", 443) and _STORAGE_HOST.fullmatch(host) is not None and not self._is_emulated

    @property
    def _is_emulated(self) -> bool:
        return self.sign_in.is_emulator

    def require_own(self, url: str, what: str) -> str:
        """Return an address that the service handed out, when it is its own.

        Raises
        ------
        ServiceError
            It is another host's: it is not followed, and nothing was sent there.
        """
        if not self.is_own(url):
            raise self.foreign(what)
        return url

    def foreign(self, what: str) -> ServiceError:
        """Return the error for an address of somebody else's."""
        return ServiceError(
            f"{self.service} names another host for {what}, which is not followed; nothing was sent there.",
            "Read it another way (--via), and tell the administrator of Customer Insights.",
            code="foreign_link",
        )


def insights_endpoints(
    environment: str,
    emulator_url: str | None = None,
    locate: Callable[[], str] | None = None,
    *,
    by_gateway: bool = True,
) -> SourceEndpoints:
    """Return the address of Customer Insights in an environment.

    Parameters
    ----------
    environment
        ``emulator`` or ``production``.
    emulator_url
        Base address of a running emulator.
    locate
        Returns that address at any moment; see `endpoints.Endpoints`.
    by_gateway
        Whether the emulator is asked by way of its gateway, which wants a subscription key; its older address, the one
        that Microsoft's Power BI connector knows, wants none.

    Raises
    ------
    ConnectionSetupError
        Customer Insights is not there, or the environment is unknown.
    """
    endpoints = endpoints_of(environment, emulator_url, locate)
    if environment == "sandbox":
        raise ConnectionSetupError(
            "Customer Insights has no sandbox of Microsoft Advertising's kind.",
            "Use --environment production (a sandbox instance is chosen by its name), or emulator.",
            code="no_insights_sandbox",
        )
    base = f"{endpoints.campaign}/{'v1' if by_gateway else 'api'}" if endpoints.is_emulator else _API
    return SourceEndpoints("Customer Insights", base, replace(endpoints, scope=_SCOPE))


def dataverse_endpoints(
    environment: str,
    organization_url: str,
    emulator_url: str | None = None,
    locate: Callable[[], str] | None = None,
) -> SourceEndpoints:
    """Return the address of a Dataverse organization.

    Parameters
    ----------
    environment
        ``emulator`` or ``production``.
    organization_url
        Such as ``https://contoso.crm4.dynamics.com``.
    emulator_url
        Base address of a running emulator.
    locate
        Returns that address at any moment; see `endpoints.Endpoints`.

    Raises
    ------
    ConnectionSetupError
        It is no address of Dataverse.
    """
    endpoints = endpoints_of(environment, emulator_url, locate)
    scheme, host, port = _origin(organization_url) or ("", "", 0)
    if endpoints.is_emulator:
        return SourceEndpoints(
            "Dataverse",
            f"{endpoints.campaign}{_DATAVERSE_PATH}",
            replace(endpoints, scope=f"{organization_url.rstrip('/') or endpoints.campaign}/.default"),
        )
    if scheme != "https" or port != 443 or not _DATAVERSE_HOST.fullmatch(host):
        raise ConnectionSetupError(
            "This is not the address of a Dataverse organization.",
            "Give it as in https://contoso.crm4.dynamics.com.",
            code="no_dataverse_url",
        )
    return SourceEndpoints(
        "Dataverse", f"https://{host}{_DATAVERSE_PATH}", replace(endpoints, scope=f"https://{host}/.default")
    )


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address, or None for one that readers understand differently."""
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port
