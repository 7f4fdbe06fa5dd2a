"""Where Microsoft Advertising answers, for each environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ci_magics.errors import ConnectionSetupError

Environment = Literal["emulator", "sandbox", "production"]
ENVIRONMENTS: tuple[Environment, ...] = ("emulator", "sandbox", "production")

#: Microsoft's universal developer token for its sandbox (guide "Sandbox"); the emulator takes the same one.
UNIVERSAL_DEVELOPER_TOKEN = "BBD37VB98"  # noqa: S105 - published by Microsoft, the same for everybody

LOGIN_HOST = "https://login.microsoftonline.com"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoints:
    """Base addresses of the services, without a final slash.

    Parameters
    ----------
    environment
        Which environment these addresses belong to.
    campaign, bulk, customer
        Bases of the Campaign Management, Bulk and Customer Management services (guide "Web service addresses").
    scope
        The OAuth scope that these services accept.
    login
        Where requests to ``login.microsoftonline.com`` are really sent; None outside the emulator.
    locate
        Returns the emulator's base address at this moment, and starts the emulator again where it has ended. Requests
        to the addresses above are sent there, so that they outlive a process and its port. None where the addresses
        are fixed.
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
        """Whether nothing sent here leaves this machine."""
        return self.environment == "emulator"

    def allows_upload_to(self, url: str) -> bool:
        """Tell whether credentials and a file may be sent to an upload URL that the bulk service handed out."""
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
    """Return the addresses of an environment.

    Parameters
    ----------
    environment
        ``emulator``, ``sandbox`` or ``production``.
    emulator_url
        Base address of a running emulator; needed for ``emulator`` only.
    locate
        See `Endpoints`.

    Raises
    ------
    ConnectionSetupError
        The environment is unknown, or the emulator's address is not on this machine.
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
    """Return an emulator's base address without a final slash, refusing anything but this machine.

    Raises
    ------
    ConnectionSetupError
        The address is not ``http://`` on a loopback host.
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
    """Split an address, but for one that readers of addresses understand differently."""
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
