"""Deliver notifications to a webhook or by email (SMTP). The addresses are secrets from the environment or keyring."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

import requests

from ci_magics.activation.connections.keyring_secrets import remembered
from ci_magics.activation.notifications.notice import News
from ci_magics.discretion import kept, without_people
from ci_magics.errors import CiError
from ci_magics.microsoft.unreachable import Adapter, cause_of

#: Secrets by their name in the keyring, with the environment variable that takes precedence.
SECRETS = {
    "webhook": "CI_MAGICS_WEBHOOK",
    "smtp": "CI_MAGICS_SMTP",
    "smtp-password": "CI_MAGICS_SMTP_PASSWORD",
    "mail-from": "CI_MAGICS_MAIL_FROM",
    "mail-to": "CI_MAGICS_MAIL_TO",
}
_TIMEOUT = 15.0
#: Errors of a mail server: what it does not accept, and what to do.
_REFUSALS: dict[type[Exception], tuple[str, str]] = {
    smtplib.SMTPAuthenticationError: (
        "does not accept the user name or the password",
        "Check the user in CI_MAGICS_SMTP, and CI_MAGICS_SMTP_PASSWORD.",
    ),
    smtplib.SMTPNotSupportedError: (
        "does not offer what is needed: encryption (STARTTLS), or signing in",
        "Use smtps:// in CI_MAGICS_SMTP if it encrypts from the beginning, or another server.",
    ),
    smtplib.SMTPSenderRefused: ("does not accept the sender", "Check CI_MAGICS_MAIL_FROM."),
    smtplib.SMTPRecipientsRefused: ("does not accept the recipients", "Check CI_MAGICS_MAIL_TO."),
}
_PORTS = {"smtp": 587, "smtps": 465}


class NoticeError(CiError):
    """A notification could not be delivered."""


def secret(name: str) -> str | None:
    """Return a secret, or None if it is not set."""
    return os.environ.get(SECRETS[name]) or remembered(name)


def channels() -> dict[str, Callable[[News], None]]:
    """Return the configured channels for notifications, by name."""
    ways: dict[str, Callable[[News], None]] = {}
    if secret("webhook"):
        ways["webhook"] = call_webhook
    if secret("smtp"):
        ways["mail"] = send_mail
    return ways


def call_webhook(news: News) -> None:
    """Send a notification to the webhook, as JSON with the ``text`` that chat programs display.

    Raises
    ------
    NoticeError
        The webhook cannot be reached or refuses; the error names only its host, because the rest of its URL is a
        secret.
    """
    address = _address(secret("webhook") or "", "CI_MAGICS_WEBHOOK", ("https", "http"))
    if address.scheme == "http" and not _is_here(address.hostname):
        raise NoticeError("The webhook's address is not https.", "Set CI_MAGICS_WEBHOOK.", code="webhook_not_https")
    session = requests.Session()
    session.mount("https://", Adapter())
    # A proxy from the environment can't reach a webhook on this machine.
    session.trust_env = not _is_here(address.hostname)
    body = kept({"text": f"{news.title}. {news.text}", **news.facts})
    try:
        with session:
            answer = session.post(address.geturl(), json=body, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        cause = cause_of(error)
        raise NoticeError(
            cause.sentence(f"The webhook of {address.hostname}"), cause.next_step, code=cause.code
        ) from None
    if not answer.ok or answer.is_redirect:
        raise _refused(address.hostname or "", answer.status_code)


def _refused(host: str, status: int) -> NoticeError:
    """Return the error for a webhook that refused a notification; after some status codes only a new URL helps."""
    if status in (401, 403, 404, 410):
        return NoticeError(
            f"The webhook of {host} refused the notice.",
            "Its address may have been withdrawn: set CI_MAGICS_WEBHOOK to a new one.",
            code=f"HTTP {status}",
        )
    return _undelivered(f"The webhook of {host} refused the notice", f"HTTP {status}")


def send_mail(news: News) -> None:
    """Send a notification by SMTP, encrypted unless the server is on this machine.

    Raises
    ------
    NoticeError
        The server cannot be reached, refuses, or does not support encryption.
    """
    address = _address(secret("smtp") or "", "CI_MAGICS_SMTP", tuple(_PORTS))
    message = _message(news)
    host, port = address.hostname or "", address.port or _PORTS[address.scheme]
    try:
        with _connected(address.scheme, host, port) as server:
            user = unquote(address.username or "")
            if user:
                server.login(user, secret("smtp-password") or "")
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise _unsent(host, error) from None


def _unsent(host: str, error: Exception) -> NoticeError:
    """Return the error for an email that the server refused or that did not arrive there."""
    server, code = f"The mail server {host}", type(error).__name__
    for kind, (did, next_step) in _REFUSALS.items():
        if isinstance(error, kind):
            return NoticeError(f"{server} {did}.", next_step, code=code)
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
        cause = cause_of(error)
        if not cause.may_have_arrived:
            return NoticeError(
                cause.sentence(server), "Check CI_MAGICS_SMTP and this machine's network.", code=cause.code
            )
    return _undelivered(f"{server} did not take the notice", code)


def _connected(scheme: str, host: str, port: int) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, timeout=_TIMEOUT)
    if not _is_here(host):
        server.starttls(context=context)
    return server


def _message(news: News) -> EmailMessage:
    sender, recipients = secret("mail-from"), secret("mail-to")
    if not sender or not recipients:
        raise NoticeError(
            "Who sends and who gets the mail is missing.",
            "Set CI_MAGICS_MAIL_FROM and CI_MAGICS_MAIL_TO.",
            code="no_recipient",
        )
    message = EmailMessage()
    message["Subject"] = without_people(f"ci-magics: {news.title}")
    message["From"] = sender
    message["To"] = recipients
    facts = "\n".join(f"{name}: {value}" for name, value in news.facts.items() if value not in (None, ""))
    message.set_content(without_people(f"{news.title}.\n\n{news.text}\n\n{facts}\n"))
    return message


def _address(text: str, variable: str, schemes: tuple[str, ...]) -> SplitResult:
    address = urlsplit(text.strip())
    if address.scheme not in schemes or not address.hostname:
        raise NoticeError(f"{variable} is not an address.", f"It begins with {schemes[0]}://.", code="notice_address")
    return address


def _is_here(host: str | None) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _undelivered(sentence: str, code: str) -> NoticeError:
    return NoticeError(f"{sentence}.", "It is told again after the next run.", code=code)
