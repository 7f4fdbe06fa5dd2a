"""Every kind of network problem gets its own message, with the setting that solves it."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ci_magics.errors import UnreachableError
from ci_magics.microsoft.answers import Received, receive
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.entra import EntraSession, not_answered
from ci_magics.microsoft.http import open_session
from ci_magics.microsoft.reach import ask_services
from ci_magics.microsoft.retries import TransientError, lost
from ci_magics.microsoft.unreachable import Cause, answered_by_another, cause_of

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
PRODUCTION = endpoints_of("production")
VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    proxies = [f"{each}_proxy" for each in ("all", "http", "https", "no")]
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Certificates:
    """A certificate authority, and server certificates in files."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def authority(self) -> Path:
        """The certificate of the authority."""
        return self.write("authority", name="authority", key=self.key, is_authority=True)

    def write(
        self,
        file: str,
        *,
        name: str = "localhost",
        start: dt.datetime = NOW - DAY,
        end: dt.datetime = NOW + DAY,
        key: ec.EllipticCurvePrivateKey | None = None,
        is_authority: bool = False,
        signed_by_itself: bool = False,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Path:
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if signed_by_itself else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        names = [x509.DNSName(name), *([x509.IPAddress(ip_address("127.0.0.1"))] if name == "localhost" else [])]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(key if signed_by_itself else self.key, hashes.SHA256())
        )
        path = self.folder / f"{file}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@contextmanager
def serving(handle: Callable[[socket.socket], None], certificate: Path | None = None) -> Iterator[int]:
    """Serve on a local port, with TLS if there is a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    connection, _address = listener.accept()
                    with connection:
                        handle(context.wrap_socket(connection, server_side=True) if context else connection)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def answering(text: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return answer


OK = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def cause_for(url: str) -> Cause:
    with open_session(PRODUCTION) as session, pytest.raises(requests.RequestException) as caught:
        session.get(url, timeout=5)
    return cause_of(caught.value)


def test_certificate_of_the_configured_authority_is_trusted(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    with serving(OK, certificates.write("good")) as port, open_session(PRODUCTION) as session:
        assert session.get(f"https://localhost:{port}", timeout=5).json() == {}


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_missing_ca_bundle_is_reported_with_its_variable(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "/nowhere/company.pem")
    cause = cause_for("https://localhost:9")
    assert (cause.code, cause.passes, cause.may_have_arrived) == ("ca_bundle_missing", False, False)
    assert variable in cause.reason
    assert variable in cause.next_step


def test_ca_bundle_without_certificates_is_reported(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.pem").write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    with serving(OK, certificates.write("good")) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert (cause.code, cause.passes) == ("ca_bundle_unreadable", False)


@pytest.mark.parametrize("signed_by_itself", [False, True], ids=["by an intercepting proxy", "by itself"])
def test_untrusted_certificate_names_the_variable_to_set(signed_by_itself: bool, certificates: Certificates) -> None:
    with serving(OK, certificates.write("server", signed_by_itself=signed_by_itself)) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert (cause.code, cause.passes, cause.may_have_arrived) == ("certificate_untrusted", False, False)
    assert "set REQUESTS_CA_BUNDLE to it" in cause.next_step
    assert "network" not in cause.reason


def test_ca_bundle_of_another_authority_is_reported(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Certificates(tmp_path / "other").authority))
    with serving(OK, certificates.write("server")) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert cause.code == "certificate_untrusted"
    assert cause.next_step.startswith("The file that REQUESTS_CA_BUNDLE names does not hold the authority")


def test_untrusted_certificate_reports_a_missing_file_of_authorities(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/company.pem")
    with serving(OK, certificates.write("server")) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert cause.code == "certificate_untrusted"
    assert cause.next_step.startswith("SSL_CERT_FILE names a file that does not exist")


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("certificate_expired", {"end": NOW - DAY, "start": NOW - 2 * DAY}),
        ("certificate_not_yet_valid", {"start": NOW + DAY, "end": NOW + 2 * DAY}),
        ("certificate_of_another", {"name": "elsewhere.example.com"}),
        ("certificate_refused", {"usage": ExtendedKeyUsageOID.CLIENT_AUTH}),
    ],
)
def test_refused_certificate_says_why(
    code: str, options: dict[str, object], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    with serving(OK, certificates.write("server", **options)) as port:  # type: ignore[arg-type]
        cause = cause_for(f"https://localhost:{port}")
    assert (cause.code, cause.passes, cause.may_have_arrived) == (code, False, False)


def test_unencrypted_response_is_reported() -> None:
    with serving(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert (cause.code, cause.passes, cause.may_have_arrived) == ("not_encrypted", False, False)


def test_closed_tls_connection_may_have_delivered_the_request(certificates: Certificates) -> None:
    with serving(lambda connection: connection.close()) as port:
        cause = cause_for(f"https://localhost:{port}")
    assert cause.may_have_arrived
    assert "certificate" not in cause.reason
    assert certificates.folder.exists()


@pytest.mark.parametrize(
    ("answer", "code", "passes"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy_sign_in", False),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_refused", False),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "proxy_refused", True),
    ],
)
def test_refusing_proxy_is_reported(answer: bytes, code: str, passes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(answer)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        cause = cause_for("https://campaign.api.bingads.microsoft.com")
    assert (cause.code, cause.passes, cause.may_have_arrived) == (code, passes, False)
    assert "proxy" in cause.reason


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "http://127.0.0.1:{}"])
def test_unreachable_proxy_is_reported(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", address.format(port))
    cause = cause_for("https://campaign.api.bingads.microsoft.com")
    assert (cause.code, "HTTPS_PROXY" in cause.next_step) == ("proxy_unreachable", True)


@pytest.mark.parametrize("address", ["http://", "nonsense://there:1"])
def test_invalid_proxy_address_is_reported(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    cause = cause_for("https://campaign.api.bingads.microsoft.com")
    assert (cause.code, cause.passes) == ("proxy_address", False)


def test_unknown_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    cause = cause_for("https://campaign.api.bingads.microsoft.com")
    assert (cause.code, cause.passes) == ("unknown_host", True)
    assert "HTTPS_PROXY" in cause.next_step


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(111, "refused"), "connection_refused"),
        (OSError(101, "Network is unreachable"), "no_network"),
        (TimeoutError("timed out"), "no_connection"),
    ],
)
def test_failed_connection_is_reported(error: OSError, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("urllib3.connection.connection.create_connection", refuse)
    cause = cause_for("https://localhost:9")
    assert (cause.code, cause.passes, cause.may_have_arrived) == (code, True, False)


def test_timeout_may_have_delivered_the_request() -> None:
    waiting = threading.Event()
    with serving(lambda _connection: waiting.wait(5) and None) as port:
        with open_session(PRODUCTION) as session, pytest.raises(requests.RequestException) as caught:
            session.get(f"http://localhost:{port}", timeout=0.2)
        waiting.set()
    assert (cause_of(caught.value).code, cause_of(caught.value).may_have_arrived) == ("no_answer", True)


def test_refused_certificate_is_not_retried(certificates: Certificates) -> None:
    with serving(OK, certificates.write("server")) as port, open_session(PRODUCTION) as session:
        with pytest.raises(requests.RequestException) as caught:
            session.get(f"https://localhost:{port}", timeout=5)
        error = lost("Microsoft Advertising", "GetUser", caught.value, repeatable=True)
    assert isinstance(error, UnreachableError)
    assert str(error).startswith("Microsoft Advertising cannot be reached: the certificate that it shows comes from an")


def test_sign_in_reports_network_problems_the_same_way(certificates: Certificates) -> None:
    with serving(OK, certificates.write("server")) as port, pytest.raises(Exception, match="certificate") as caught:
        EntraSession(PRODUCTION).get(f"https://localhost:{port}")
    assert str(caught.value).startswith("Microsoft's sign-in cannot be reached: the certificate that it shows comes")


def test_error_about_the_emulator_does_not_name_microsoft() -> None:
    refused = requests.ConnectionError(ConnectionRefusedError(111, "refused"))
    failed = lost("Microsoft Advertising", "GetUser", refused, repeatable=True, is_emulator=True)
    assert isinstance(failed, TransientError)
    for error in (failed.error, not_answered(refused, is_emulator=True)):
        assert str(error).startswith("The emulator")
        assert "unset CI_MAGICS_EMULATOR" in str(error)
        assert "PROXY" not in str(error)


def test_doctor_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/company.pem")
    causes = [each.cause for each in ask_services(PRODUCTION)]
    assert len(causes) > 1
    assert {each.code for each in causes if each} == {"ca_bundle_missing"}


def test_response_of_an_intermediary_is_not_attributed_to_microsoft() -> None:
    page = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n<h1>Blocked</h1>\n"
    with serving(answering(page)) as port, open_session(PRODUCTION) as session:
        received = receive(session.get(f"http://localhost:{port}", timeout=5, stream=True), NOW)
    error = answered_by_another("Microsoft Advertising", "GetUser", received)
    assert error is not None
    assert str(error).startswith("Something between this machine and Microsoft Advertising refused GetUser")
    theirs = Received(403, {}, None, None, {})
    assert answered_by_another("Microsoft Advertising", "GetUser", theirs) is None
    assert answered_by_another("Microsoft Advertising", "GetUser", Received(403, None, "T-1", None)) is None


@pytest.mark.parametrize(("status", "is_foreign"), [(401, False), (429, False), (403, True), (500, False)])
def test_only_a_refusal_that_microsoft_would_explain_is_attributed_to_the_network(
    status: int, is_foreign: bool
) -> None:
    answer = Received(status, None, None, None)
    assert (answered_by_another("Microsoft Advertising", "GetUser", answer) is not None) == is_foreign
