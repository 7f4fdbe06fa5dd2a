"""URLs of Customer Insights and Dataverse, and the scopes for signing in to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ci_magics.advice import Opt, advise
from ci_magics.errors import ConnectionSetupError, ServiceError
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of

_API = "https://api.ci.ai.dynamics.com/v1"
#: The scope of Microsoft's samples (client libraries, ``authConfig.js``); the host of the API has no scope.
_SCOPE = "https://api.ci.ai.microsoft.com/.default"
_DATAVERSE_PATH = "/api/data/v9.2"
_DATAVERSE_HOST = re.compile(r"[a-z0-9-]+\.(crm\d*\.dynamics\.com|crm\d?\.microsoftdynamics\.us|crm\.dynamics\.cn)")
#: Hosts of Azure storage, where Customer Insights keeps its files.
_STORAGE_HOST = re.compile(r"[a-z0-9-]+\.(blob|dfs)\.core\.windows\.net")


@dataclass(frozen=True)
class SourceEndpoints:
    """A service from which segments are read.

    Parameters
    ----------
    service
        The name, for messages.
    base
        The base URL without a trailing slash.
    sign_in
        The environment, with the scope that the service's tokens need.
    """

    service: str
    base: str
    sign_in: Endpoints

    def is_own(self, url: str) -> bool:
        """Return whether credentials may be sent to a URL from a response: only to the service's own host.

        Parameters
        ----------
        url
            The URL in a response.
        """
        return _origin(url) == _origin(self.base) is not None

    def is_storage(self, url: str) -> bool:
        """Return whether a file may be fetched, without credentials, from a URL in a response.

        Parameters
        ----------
        url
            The URL in a response.
        """
        if self.is_own(url):
            return True
        scheme, host, port = _origin(url) or ("", "", 0)
        return (scheme, port) == ("https", 443) and _STORAGE_HOST.fullmatch(host) is not None and not self._is_emulated

    @property
    def _is_emulated(self) -> bool:
        return self.sign_in.is_emulator

    def require_own(self, url: str, what: str) -> str:
        """Return a URL from a response if it is on the service's own host.

        Parameters
        ----------
        url
            The URL in the response.
        what
            What the URL is for, for messages.

        Raises
        ------
        ServiceError
            The URL is on another host. It is not followed, and nothing was sent there.
        """
        if not self.is_own(url):
            raise self.foreign(what)
        return url

    def foreign(self, what: str) -> ServiceError:
        """Build the error for a URL on another host.

        Parameters
        ----------
        what
            What the URL is for.
        """
        return ServiceError(
            f"{self.service} names another host for {what}, which is not followed; nothing was sent there.",
            advise("Read it another way (", Opt("via"), "), and tell the administrator of Customer Insights."),
            code="foreign_link",
        )


def insights_endpoints(
    environment: str,
    emulator_url: str | None = None,
    locate: Callable[[], str] | None = None,
    *,
    by_gateway: bool = True,
) -> SourceEndpoints:
    """Return the URLs of Customer Insights in an environment.

    Parameters
    ----------
    environment
        ``emulator`` or ``production``.
    emulator_url
        Base URL of a running emulator.
    locate
        Returns the emulator's current URL; see `endpoints.Endpoints`.
    by_gateway
        Whether to call the emulator through its gateway, which requires a subscription key. Its older URL, which
        Microsoft's Power BI connector uses, does not.

    Raises
    ------
    ConnectionSetupError
        Customer Insights is not available there, or the environment is unknown.
    """
    endpoints = endpoints_of(environment, emulator_url, locate)
    if environment == "sandbox":
        raise ConnectionSetupError(
            "Customer Insights has no sandbox of Microsoft Advertising's kind.",
            advise(
                "Use ",
                Opt("environment", "production"),
                " (a sandbox instance is chosen by its name), or emulator.",
            ),
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
    """Return the URL of a Dataverse organization.

    Parameters
    ----------
    environment
        ``emulator`` or ``production``.
    organization_url
        For example ``https://contoso.crm4.dynamics.com``.
    emulator_url
        Base URL of a running emulator.
    locate
        Returns the emulator's current URL; see `endpoints.Endpoints`.

    Raises
    ------
    ConnectionSetupError
        The URL is not a Dataverse URL.
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
    """Return scheme, host, and port of a URL, or None for one that parsers interpret differently."""
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
