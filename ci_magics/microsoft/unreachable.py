"""Explain why a service is unreachable, from the network error or from the response of something in between.

The explanation names only what the error itself shows: a rejected certificate is not a network failure, and an unknown
host is not a certificate problem.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxySchemeUnknown,
    ReadTimeoutError,
)
from urllib3.exceptions import ProxyError as TunnelError

from ci_magics.advice import Command, advise
from ci_magics.errors import ServiceError, UnreachableError
from ci_magics.microsoft.answers import Received

EMULATOR_GONE = advise(
    "Start it again: ", Command("emulator.serve"), ", or unset CI_MAGICS_EMULATOR to use the workspace's own."
)

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
#: OpenSSL's numbers for rejected certificates (X509_V_ERR_...).
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST = 9, 10, frozenset({62, 64})
_NOBODY_TRUSTS = frozenset({2, 7, 18, 19, 20, 21, 24, 27})
_BAD_BUNDLE = ("NO_CERTIFICATE_OR_CRL_FOUND", "PEM", "NOT_ENOUGH_DATA", "BAD_BASE64", "ASN1")
_NO_PROXY = (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema, ProxySchemeUnknown)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
_OTHERWISE = "Run it again in a few minutes; if it stays, ask who looks after your network."


class MissingBundleError(requests.exceptions.SSLError):
    """The certificate file named by an environment variable does not exist."""


class Adapter(HTTPAdapter):
    """An HTTP adapter that also reports a missing certificate file as an error of requests."""

    def cert_verify(self, *arguments: Any, **options: Any) -> None:
        """Choose the trusted certificates."""
        try:
            super().cert_verify(*arguments, **options)  # type: ignore[no-untyped-call]  # requests'
        except OSError as error:
            raise MissingBundleError(error) from None


@dataclass(frozen=True)
class Cause:
    """Why a service is unreachable.

    Parameters
    ----------
    code
        Our name for the cause.
    reason
        The end of a sentence that begins with the unreachable service.
    next_step
        What to do about it.
    passes
        Whether the error may be transient.
    may_have_arrived
        Whether the request may have reached the service anyway.
    """

    code: str
    reason: str
    next_step: str
    passes: bool = True
    may_have_arrived: bool = False

    def sentence(self, service: str) -> str:
        """Return the cause as a sentence.

        Parameters
        ----------
        service
            The name of the service.
        """
        return f"{service} cannot be reached: {self.reason}."

    def error(self, service: str, *, is_emulator: bool = False) -> UnreachableError:
        """Build the error that the user sees.

        Parameters
        ----------
        service
            The name of the service.
        is_emulator
            Whether the emulator is meant; then the next step is to start it again.
        """
        if is_emulator:
            return UnreachableError(self.sentence("The emulator"), EMULATOR_GONE, code=self.code)
        return UnreachableError(self.sentence(service), self.next_step, code=self.code)


def cause_of(error: BaseException) -> Cause:
    """Return why a request failed.

    Parameters
    ----------
    error
        What the request raised.
    """
    found = list(_all_of(error))
    for look in (_of_bundle, _of_certificate, _of_proxy, _of_connection):
        cause = look(found)
        if cause is not None:
            return cause
    return Cause(
        "unreachable",
        f"the connection broke before the answer was complete ({type(error).__name__})",
        _OTHERWISE,
        may_have_arrived=True,
    )


def answered_by_another(service: str, operation: str, received: Received) -> ServiceError | None:
    """Build the error for a response that something between this machine and Microsoft sent.

    This is a redirect, whose target never gets credentials, or a refusal without JSON and without an id for support.

    Parameters
    ----------
    service
        The name of the service, for messages.
    operation
        The name of the operation, for messages.
    received
        The response.

    Returns
    -------
    ServiceError or None
        None if the response may be Microsoft's.
    """
    code = f"HTTP {received.status}"
    if received.is_redirect:
        return ServiceError(
            f"{service} answered {operation} with a redirect, which is not followed.",
            "Check the network for a proxy or sign-in page in between.",
            code=code,
            tracking_id=received.tracking_id,
        )
    if received.value is not None or received.tracking_id or not 400 <= received.status < 500:
        return None
    if received.status in (401, 429):
        return None
    return ServiceError(
        f"Something between this machine and {service} refused {operation}, in words that are not those of {service}.",
        "Ask who looks after your network whether a proxy or firewall blocks the address.",
        code=code,
    )


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors that it contains or was caused by; each library wraps them differently."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), getattr(each, "original_error", None)]
        waiting += [each.__cause__, each.__context__]


def _of_bundle(found: list[BaseException]) -> Cause | None:
    named = next((name for name in _BUNDLES if os.environ.get(name)), "")
    if any(isinstance(each, MissingBundleError) for each in found):
        return Cause(
            "ca_bundle_missing",
            f"the file of certificates that {named or 'the installation'} names does not exist on this machine",
            f"Set {named or _BUNDLES[0]} to a file of certificates in PEM format"
            + (", or unset it to use those that come with requests." if named else ", or install certifi again."),
            passes=False,
        )
    reasons = " ".join(str(getattr(each, "reason", "")) for each in found if isinstance(each, ssl.SSLError))
    if named and any(sign in reasons for sign in _BAD_BUNDLE):
        return Cause(
            "ca_bundle_unreadable",
            f"the file that {named} names holds no certificates in PEM format",
            f"Set {named} to one that does, or unset it to use those that come with requests.",
            passes=False,
        )
    return None


def _of_certificate(found: list[BaseException]) -> Cause | None:
    refused = next((each for each in found if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return _of_refused(getattr(refused, "verify_code", 0))
    failed = next((each for each in found if isinstance(each, ssl.SSLError)), None)
    if failed is None:
        return None
    if any(sign in str(failed.reason) for sign in _NOT_TLS):
        return Cause(
            "not_encrypted",
            "what answers there does not encrypt, so nothing was sent",
            "Ask who looks after your network whether a proxy or another program answers on this port; behind a proxy, "
            "HTTPS_PROXY begins with http:// in most networks.",
            passes=False,
        )
    return Cause(
        "encryption_failed",
        f"no encrypted connection came about ({failed.reason or type(failed).__name__})",
        "Run it again; if it stays, ask who looks after your network whether a proxy or firewall stands in between.",
        may_have_arrived=True,
    )


def _of_refused(number: int) -> Cause:
    if number == _EXPIRED:
        return Cause(
            "certificate_expired",
            "the certificate that it shows has expired",
            "Check the date of this machine; where it is right, tell who looks after your network or the server.",
            passes=False,
        )
    if number == _NOT_YET_VALID:
        return Cause(
            "certificate_not_yet_valid",
            "the certificate that it shows is not valid yet",
            "Check the date of this machine: it is probably behind.",
            passes=False,
        )
    if number in _WRONG_HOST:
        return Cause(
            "certificate_of_another",
            "the certificate that it shows belongs to another host",
            "A proxy, a sign-in page of the network or a wrong entry in the hosts file answers in its place: ask who "
            "looks after your network.",
            passes=False,
        )
    if number in _NOBODY_TRUSTS:
        named = next((name for name in (*_BUNDLES, "SSL_CERT_FILE") if os.environ.get(name)), "")
        return Cause(
            "certificate_untrusted",
            "the certificate that it shows comes from an authority that this machine does not trust",
            _file_to_set(named),
            passes=False,
        )
    return Cause(
        "certificate_refused",
        f"the certificate that it shows is refused (OpenSSL {number})",
        "Show this to who looks after your network.",
        passes=False,
    )


def _file_to_set(named: str) -> str:
    if named and not Path(os.environ[named]).exists():
        return f"{named} names a file that does not exist: set it to one that holds your company's certificate."
    if named:
        return f"The file that {named} names does not hold the authority: ask who looks after your network for it."
    return (
        "In companies a proxy often reads along and shows its own certificate: ask who looks after your network for "
        f"the file of its authority, and set {_BUNDLES[0]} to it."
    )


def _of_proxy(found: list[BaseException]) -> Cause | None:
    if any(isinstance(each, _NO_PROXY) for each in found):
        return Cause(
            "proxy_address",
            "HTTPS_PROXY does not name a proxy that can be used",
            "Set it to an address such as http://proxy.example.com:8080, or unset it where there is no proxy.",
            passes=False,
        )
    if not any(isinstance(each, TunnelError | requests.exceptions.ProxyError) for each in found):
        return None
    status = next((match[1] for each in found if (match := _STATUS.search(str(each)))), "")
    if status == "407":
        return Cause(
            "proxy_sign_in",
            "the proxy of your network asks for a user name and a password",
            "Put them into HTTPS_PROXY, as in http://USER:PASSWORD@HOST:PORT, with special characters percent-encoded, "
            "or ask who looks after your network for a proxy that needs none.",
            passes=False,
        )
    if status:
        return Cause(
            "proxy_refused",
            f"the proxy of your network does not let requests through to it (HTTP {status})",
            "Ask who looks after your network to allow the host, or add it to NO_PROXY where it is reached directly.",
            passes=status.startswith("5"),
        )
    return Cause(
        "proxy_unreachable",
        "the proxy that HTTPS_PROXY names does not answer",
        "Check HTTPS_PROXY, or unset it where there is no proxy.",
    )


def _of_connection(found: list[BaseException]) -> Cause | None:
    behind = "" if getproxies().get("https") else " Behind a proxy, set HTTPS_PROXY."
    if any(isinstance(each, NameResolutionError | socket.gaierror) for each in found):
        return Cause(
            "unknown_host", "its name cannot be looked up", f"Check the network, and a VPN that it needs.{behind}"
        )
    # NewConnectionError is urllib3's subclass of ConnectTimeoutError, so check it first.
    if any(isinstance(each, NewConnectionError | ConnectionRefusedError) for each in found):
        numbers = {each.errno for each in found if isinstance(each, OSError)}
        if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
            return Cause("no_network", "this machine has no network that leads there", f"Check the network.{behind}")
        return Cause(
            "connection_refused",
            "the connection was refused" if errno.ECONNREFUSED in numbers else "no connection came about",
            f"Run it again; if it stays, a firewall may be in between.{behind}",
        )
    if any(isinstance(each, ConnectTimeoutError | requests.ConnectTimeout) for each in found):
        return Cause(
            "no_connection",
            "no connection came about in time",
            f"Run it again; if it stays, a firewall may be in between.{behind}",
        )
    if any(isinstance(each, ReadTimeoutError | requests.ReadTimeout | TimeoutError) for each in found):
        return Cause("no_answer", "it did not answer in time", "Run it again in a few minutes.", may_have_arrived=True)
    return None
