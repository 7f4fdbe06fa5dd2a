"""Notices about exports and refreshes: who gets them, and how they are sent."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field

from ci_magics.activation.connections.keyring_secrets import remembered
from ci_magics.advice import worded
from ci_magics.discretion import kept, without_people
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.errors import CiError, without_addresses
from ci_magics.microsoft.unreachable import Adapter, cause_of
from ci_magics.workspace.export_models import ExportRun, Refresh
from ci_magics.workspace.statuses import CANCELED, QUEUED, RUNNING, SKIPPED
from ci_magics.workspace.statuses import FAILED as RUN_FAILED

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
WELL, FAILED, REJECTS, SHRANK = "well", "failed", "rejects", "shrank"


class Limits(BaseModel):
    """Thresholds for notifications.

    Parameters
    ----------
    active
        Whether notifications are on.
    rejected_percent
        Notify if more than this percentage of the sent hashes is rejected.
    drop_percent
        Notify if an export's audiences lose more than this percentage of their members.
    """

    model_config = ConfigDict(frozen=True)

    active: bool = True
    rejected_percent: int = Field(default=5, ge=0, le=100)
    drop_percent: int = Field(default=30, ge=0, le=100)


@dataclass(frozen=True)
class News:
    """A notification.

    Parameters
    ----------
    subject_id
        The id of the export, or ``refresh``.
    state
        The state that the notification is about, such as `FAILED`.
    title, text
        One line, and one or two sentences.
    facts
        The same for programs.
    """

    subject_id: str
    state: str
    title: str
    text: str
    facts: dict[str, Any]


def state_after(entry: ExportRun, before: ExportRun | None, limits: Limits) -> str | None:
    """Return the state of an export after a run; None if the run does not change it.

    Parameters
    ----------
    entry
        The run.
    before
        The last completed run before it; None if there was none.
    limits
        The thresholds.
    """
    if entry.status in (QUEUED, RUNNING, CANCELED):
        return None
    if entry.status in (RUN_FAILED, SKIPPED):
        return FAILED
    sent = entry.accepted + entry.rejected
    if entry.rejected * 100 > limits.rejected_percent * sent:
        return REJECTS
    if before is not None and entry.members * 100 < before.members * (100 - limits.drop_percent):
        return SHRANK
    return WELL


def news_of_export(entry: ExportRun, state: str, before: ExportRun | None) -> News:
    """Return the notification about an export's new state.

    Parameters
    ----------
    entry
        The run that led to the state.
    state
        The new state: `WELL`, `FAILED`, `REJECTS` or `SHRANK`.
    before
        The last completed run before it; None if there was none.
    """
    name = _line(entry.export_name)
    titles = {
        FAILED: f"The export '{name}' {'was skipped' if entry.status == SKIPPED else 'failed'}",
        REJECTS: f"The export '{name}' had many hashes refused",
        SHRANK: f"The audiences of the export '{name}' shrank",
        WELL: f"The export '{name}' is well again",
    }
    texts = {
        FAILED: entry.reason,
        REJECTS: f"{format_count(entry.rejected)} of {pluralize(entry.accepted + entry.rejected, 'hash')} "
        f"{inflect(entry.rejected, 'was')} refused.",
        SHRANK: f"They hold {pluralize(entry.members, 'member')}, "
        f"{format_count(before.members if before else 0)} before.",
        WELL: f"{pluralize(entry.accepted, 'hash', 'was')} accepted, its audiences hold "
        f"{pluralize(entry.members, 'member')}.",
    }
    facts = {
        "export": name,
        "state": state,
        "status": entry.status,
        "reason": _line(entry.reason),
        "run": entry.name,
        "connection": _line(entry.connection_name),
        "trigger": entry.trigger,
        "started_at": entry.started_at.isoformat(),
        "due_at": entry.due_at.isoformat() if entry.due_at else None,
        "accepted": entry.accepted,
        "rejected": entry.rejected,
        "members": entry.members,
    }
    return News(entry.export_id, state, titles[state], _line(texts[state]), facts)


def news_of_refresh(record: Refresh, state: str) -> News:
    """Return the notification about a refresh that failed, or about the first one that succeeded afterward.

    Parameters
    ----------
    record
        The refresh.
    state
        `FAILED` or `WELL`.
    """
    name = f"The refresh of {record.notebook}" if record.notebook else "The refresh"
    title = f"{name} {'failed' if state == FAILED else 'is well again'}"
    facts = {
        "refresh": record.name,
        "state": state,
        "status": record.status,
        "reason": _line(record.reason),
        "notebook": record.notebook,
        "started_at": record.started_at.isoformat(),
    }
    return News("refresh", state, title, _line(record.reason) or "Everything was refreshed.", facts)


def _line(text: str) -> str:
    return " ".join(without_addresses(worded(text)).split())


class NoticeError(CiError):
    """A notification could not be delivered."""


def secret(name: str) -> str | None:
    """Return a secret, or None if it is not set."""
    return os.environ.get(SECRETS[name]) or remembered(name)


def channels() -> dict[str, Callable[[News], None]]:
    """Return the configured channels for notifications, by name."""
    senders: dict[str, Callable[[News], None]] = {}
    if secret("webhook"):
        senders["webhook"] = call_webhook
    if secret("smtp"):
        senders["mail"] = send_mail
    return senders


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
    return NoticeError(f"{sentence}.", "It is sent again after the next run.", code=code)
