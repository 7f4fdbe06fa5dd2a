"""Base URLs of Microsoft Advertising's services for each environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ci_magics.errors import ConnectionSetupError

Environment = Literal["emulator", "sandbox", "production"]
ENVIRONMENTS: tuple[Environment, ...] = ("emulator", "sandbox", "production")

#: Microsoft's universal developer token for its sandbox (guide "Sandbox"); the emulator accepts the same one.
UNIVERSAL_DEVELOPER_TOKEN = "BBD37VB98"  # noqa: S105 - published by Microsoft, the same for everyone

LOGIN_HOST = "https://login.microsoftonline.com"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoints:
    """Base URLs of the services, without a trailing slash.

    Parameters
    ----------
    environment
        The environment that these URLs belong to.
    campaign, bulk, customer
        Bases of the Campaign Management, Bulk, and Customer Management services (guide "Web service addresses").
    scope
        The OAuth scope that these services accept.
    login
        Where requests to ``login.microsoftonline.com`` are sent instead; None outside the emulator.
    locate
        Returns the emulator's current base URL, and restarts the emulator if it has stopped. Requests to the URLs above
        go there, so the URLs stay valid when the process and its port change. None if the URLs are fixed.
    """

    environment: Environment
    campaign: str
    bulk: str
    customer: str
    scope: str
    login: str | None = None
    locate: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @property
    def is_emulator(self) -> bool:
        """Whether all requests stay on this machine."""
        return self.environment == "emulator"

    def allows_upload_to(self, url: str) -> bool:
        """Return whether credentials and a file may be sent to an upload URL from the bulk service.

        Parameters
        ----------
        url
            The URL in a response.
        """
        parts = _parts(url)
        if parts is None:
            return False
        if self.is_emulator:
            return (parts.scheme, parts.netloc) == urlsplit(self.bulk)[:2]
        host = parts.hostname or ""
        ours = host == "bingads.microsoft.com" or host.endswith(".bingads.microsoft.com")
        return ours and parts.scheme == "https" and parts.port in (None, 443) and not parts.username


def endpoints_of(
    environment: str, emulator_url: str | None = None, locate: Callable[[], str] | None = None
) -> Endpoints:
    """Return the URLs of an environment.

    Parameters
    ----------
    environment
        ``emulator``, ``sandbox``, or ``production``.
    emulator_url
        Base URL of a running emulator; required for ``emulator`` only.
    locate
        See `Endpoints`.

    Raises
    ------
    ConnectionSetupError
        The environment is unknown, or the emulator's URL is not on this machine.
    """
    if environment == "emulator":
        base = loopback(emulator_url or "")
        return Endpoints("emulator", base, base, base, "https://ads.microsoft.com/msads.manage", base, locate)
    if environment == "production":
        return _microsoft("production", "", "https://ads.microsoft.com/msads.manage")
    if environment == "sandbox":
        return _microsoft("sandbox", ".sandbox", "https://si.ads.microsoft.com/msads.manage")
    raise ConnectionSetupError(
        f"There is no environment '{environment}'.",
        f"Use one of: {', '.join(ENVIRONMENTS)}.",
        code="unknown_environment",
    )


def loopback(url: str) -> str:
    """Return an emulator's base URL without a trailing slash, and reject other machines.

    Parameters
    ----------
    url
        The URL that the user gave.

    Raises
    ------
    ConnectionSetupError
        The URL is not ``http://`` on a loopback host.
    """
    parts = _parts(url)
    if parts is None or parts.scheme != "http" or parts.hostname not in _LOOPBACK or "@" in parts.netloc:
        raise ConnectionSetupError(
            "The emulator's address must be on this machine.",
            "Set CI_MAGICS_EMULATOR to an address such as http://127.0.0.1:8765, or unset it.",
            code="emulator_not_loopback",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _parts(url: str) -> SplitResult | None:
    """Split a URL, or return None for one that parsers interpret differently."""
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
        return None
    try:
        parts = urlsplit(url)
        readable = parts.port != 0
    except ValueError:
        return None
    return parts if readable else None


def _microsoft(environment: Environment, infix: str, scope: str) -> Endpoints:
    host = f"api{infix}.bingads.microsoft.com"
    return Endpoints(
        environment,
        f"https://campaign.{host}",
        f"https://bulk.{host}",
        f"https://clientcenter.{host}",
        scope,
    )
