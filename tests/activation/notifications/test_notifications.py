from __future__ import annotations

import email
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import contoso
import nbformat
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from fakes import NOON

import ci_magics as ci
from ci_magics.activation.notifications.delivery import (
    SECRETS,
    Limits,
    News,
    NoticeError,
    call_webhook,
    send_mail,
    state_after,
)
from ci_magics.cli import main
from ci_magics.errors import AccessError
from ci_magics.workspace.export_models import ExportRun

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

NEWS = News("1", "failed", "The export 'A' failed", "Because.", {"export": "A", "state": "failed"})


class AnyPort(Controller):
    """A mail server on a free port."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass
class Webhook:
    """A server that accepts or refuses notifications."""

    address: str = ""
    status: int = 204
    notices: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@dataclass
class Mailbox:
    """A mail server that accepts or refuses mail."""

    answer: str = "250 OK"
    mails: list[Message] = field(default_factory=list)
    signed_in: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(email.message_from_bytes(envelope.content or b""))  # type: ignore[arg-type]  # bytes they are
        return self.answer


@pytest.fixture(autouse=True)
def _nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the settings of this machine."""
    for name in SECRETS.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ci_magics.activation.notifications.delivery.remembered", lambda _name: None)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.paths.append(self.path)
            kept.notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(kept.status)
            if kept.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    kept.address = f"http://127.0.0.1:{server.server_port}/hooks/s3cret?key=t0ken"
    monkeypatch.setenv("CI_MAGICS_WEBHOOK", kept.address)
    yield kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    kept = Mailbox()

    def sign_in(_server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
        kept.signed_in.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)

    controller = AnyPort(kept, "127.0.0.1", 0, authenticator=sign_in, auth_require_tls=False)
    controller.start()
    monkeypatch.setenv("CI_MAGICS_SMTP", f"smtp://127.0.0.1:{controller.port}")
    monkeypatch.setenv("CI_MAGICS_MAIL_FROM", "ci-magics@contoso.com")
    monkeypatch.setenv("CI_MAGICS_MAIL_TO", "eva@contoso.com, bo@contoso.com")
    yield kept
    controller.stop()


@pytest.fixture
def saved(emulator: RunningEmulator, workspace: Workspace) -> Workspace:
    assert emulator
    contoso.connect()
    contoso.segment(10)
    ci.exports.save("Weekly", "All", to=contoso.NAME)
    ci.exports.run("Weekly")
    return workspace


def run(count: int | None = None) -> None:
    if count is not None:
        contoso.segment(count)
    ci.exports.run_all(show=lambda _sentence: None)


def test_failure_and_recovery_are_notified_once(saved: Workspace, webhook: Webhook) -> None:
    run()
    assert webhook.notices == []
    for _time in range(3):
        run(1)
    [notice] = webhook.notices
    assert notice["text"].startswith("The export 'Weekly' was skipped. 9 of 10 members would leave")
    assert (notice["export"], notice["state"], notice["status"]) == ("Weekly", "failed", "Skipped")
    run(10)
    run()
    assert [each["state"] for each in webhook.notices] == ["failed", "well"]
    assert webhook.notices[1]["text"].startswith("The export 'Weekly' is well again.")
    assert len(list(saved.notices)) == 1


def test_many_rejected_hashes_are_notified(saved: Workspace, webhook: Webhook, emulator: RunningEmulator) -> None:
    fault = {"operation": "ApplyCustomerListUserData", "call": 1, "fault": "partial"}
    emulator.control("POST", "/faults", [fault])
    run(12)
    [entry] = list(saved.export_runs)[-1:]
    assert entry.rejected > 0
    assert [each["state"] for each in webhook.notices] == ["rejects"]
    assert "of 2 hashes was refused" in webhook.notices[0]["text"]


def test_drop_in_size_is_notified_without_a_recovery(saved: Workspace, webhook: Webhook) -> None:
    assert saved
    run(6)
    assert [each["state"] for each in webhook.notices] == ["shrank"]
    assert "They hold 6 members, 10 before." in webhook.notices[0]["text"]
    run()
    assert len(webhook.notices) == 1
    run(4)
    assert [each["state"] for each in webhook.notices] == ["shrank", "shrank"]


def test_canceled_and_retried_runs_are_not_notified() -> None:
    for status in ("Canceled", "Queued", "Running"):
        entry = ExportRun("1", "2", "A", "C", "manual", None, status, "", 1, None, 0, 0, 0, "eva", NOON)
        assert state_after(entry, None, Limits()) is None


def test_mail_is_sent_to_all_recipients(saved: Workspace, mailbox: Mailbox) -> None:
    assert saved
    run(1)
    [mail] = mailbox.mails
    assert mail["Subject"] == "ci-magics: The export 'Weekly' was skipped"
    assert mail["To"] == "eva@contoso.com, bo@contoso.com"
    assert "9 of 10 members would leave" in mail.get_payload()


def test_mail_server_gets_the_password_from_the_environment(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    host = os.environ["CI_MAGICS_SMTP"].removeprefix("smtp://")
    monkeypatch.setenv("CI_MAGICS_SMTP", f"smtp://notifier%40contoso.com@{host}")
    monkeypatch.setenv("CI_MAGICS_SMTP_PASSWORD", "p@ss")
    send_mail(NEWS)
    assert mailbox.signed_in == [(b"notifier@contoso.com", b"p@ss")]
    monkeypatch.setenv("CI_MAGICS_SMTP_PASSWORD", "wrong")
    with pytest.raises(NoticeError, match="does not accept the user name or the password") as refused:
        send_mail(NEWS)
    assert "wrong" not in str(refused.value)
    assert len(mailbox.mails) == 1


def test_both_channels_are_notified_independently(saved: Workspace, webhook: Webhook, mailbox: Mailbox) -> None:
    webhook.status = 500
    run(1)
    assert (len(webhook.notices), len(mailbox.mails)) == (1, 1)
    webhook.status = 200
    run(1)
    assert (len(webhook.notices), len(mailbox.mails)) == (2, 1)
    assert {each.channel: each.state for each in saved.notices} == {"mail": "failed", "webhook": "failed"}


def test_undeliverable_notification_is_reported_and_fails_no_run(
    saved: Workspace, webhook: Webhook, mailbox: Mailbox
) -> None:
    webhook.status, mailbox.answer = 302, "554 no"
    said: list[str] = []
    contoso.segment(6)
    assert ci.exports.run("Weekly", show=said.append).status == "Completed"
    assert [each.split(":")[0] for each in said] == [
        "A notification by webhook could not be sent (the audiences of the export 'Weekly' shrank)",
        "A notification by mail could not be sent (the audiences of the export 'Weekly' shrank)",
    ]
    assert webhook.paths == ["/hooks/s3cret?key=t0ken"]
    for sentence in said:
        assert "s3cret" not in sentence
        assert "contoso.com" not in sentence
    assert list(saved.notices) == []


def test_webhook_must_use_https_unless_local(monkeypatch: pytest.MonkeyPatch) -> None:
    for address, says in (
        ("http://hooks.example.com/s3cret", "is not https"),
        ("ftp://hooks.example.com/s3cret", "is not an address"),
        ("https://nowhere.invalid/s3cret", "The webhook of nowhere.invalid cannot be reached"),
    ):
        monkeypatch.setenv("CI_MAGICS_WEBHOOK", address)
        with pytest.raises(NoticeError) as refused:
            call_webhook(NEWS)
        assert says in str(refused.value)
        assert "s3cret" not in str(refused.value)


def test_notifications_contain_no_address_or_hash(saved: Workspace, webhook: Webhook, mailbox: Mailbox) -> None:
    assert saved
    run(1)
    for text in (json.dumps(webhook.notices), mailbox.mails[0].get_payload()):
        assert "@" not in text
        assert not contoso.hashes(10) & set(text.replace('"', " ").split())


def test_thresholds_are_for_administrators(saved: Workspace, webhook: Webhook, as_user: Any) -> None:
    assert saved
    ci.notifications.set(drop_percent=50)
    run(6)
    assert webhook.notices == []
    ci.notifications.set(active=False)
    run(1)
    assert webhook.notices == []
    as_user("bob", "contributor")
    assert ci.notifications.overview().limits == Limits(drop_percent=50, active=False)
    with pytest.raises(AccessError, match="change the notifications"):
        ci.notifications.set(active=True)


@pytest.mark.slow
def test_failed_notebook_and_its_recovery_are_notified(tmp_path: Path, workspace: Workspace, webhook: Webhook) -> None:
    assert workspace
    file = tmp_path / "weekly.ipynb"
    for cell in ("1 / 0", "1 / 0", "1 + 1"):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]), file)
        ci.refresh(notebook=file)
    failed, well = [each["text"] for each in webhook.notices]
    assert failed.startswith("The refresh of weekly.ipynb failed. A cell of weekly.ipynb failed: ZeroDivisionError.")
    assert well == "The refresh of weekly.ipynb is well again. Everything was refreshed."


def test_command_shows_sets_and_tests_notifications(
    workspace: Workspace, webhook: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workspace
    assert main(["notifications", "set", "--drop-percent", "40", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert main(["notifications", "test"]) == 0
    assert (shown["drop_percent"], shown["rejected_percent"], shown["channels"]) == (40, 5, ["webhook"])
    assert webhook.notices == [{"text": "This is a test. Notices arrive here.", "state": "test"}]
    webhook.status = 500
    assert main(["notifications", "test"]) == 1
    assert "refused the notice" in capsys.readouterr().err
    assert main(["notifications", "set", "--no-active"]) == 0
    assert "Nothing is told." in capsys.readouterr().out
    assert main(["notifications", "set", "--drop-percent", "101"]) == 2


def test_command_says_how_to_set_up_a_channel(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert workspace
    assert main(["notifications"]) == 0
    assert "nobody: set CI_MAGICS_WEBHOOK" in capsys.readouterr().out


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_withdrawn_webhook_asks_for_a_new_address(webhook: Webhook, status: int) -> None:
    webhook.status = status
    with pytest.raises(NoticeError, match="set CI_MAGICS_WEBHOOK to a new one") as refused:
        call_webhook(NEWS)
    assert refused.value.code == f"HTTP {status}"
    assert len(webhook.paths) == 1


def test_webhook_on_localhost_needs_no_encryption(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_WEBHOOK", webhook.address.replace("127.0.0.1", "localhost"))
    call_webhook(NEWS)
    assert len(webhook.notices) == 1


@pytest.mark.parametrize("missing", ["CI_MAGICS_MAIL_FROM", "CI_MAGICS_MAIL_TO"])
def test_mail_needs_a_sender_and_recipients(mailbox: Mailbox, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(NoticeError) as refused:
        send_mail(NEWS)
    assert refused.value.code == "no_recipient"
    assert mailbox.mails == []


def test_unreachable_mail_server_names_the_variable(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("CI_MAGICS_SMTP", f"smtp://127.0.0.1:{port}")
    with pytest.raises(NoticeError, match="Check CI_MAGICS_SMTP") as refused:
        send_mail(NEWS)
    assert refused.value.code == "connection_refused"
    assert mailbox.mails == []


def test_mail_is_not_sent_unencrypted_to_an_smtps_address(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    host = os.environ["CI_MAGICS_SMTP"].removeprefix("smtp://")
    monkeypatch.setenv("CI_MAGICS_SMTP", f"smtps://{host}")
    with pytest.raises(NoticeError) as refused:
        send_mail(NEWS)
    assert refused.value.code == "not_encrypted"
    assert mailbox.mails == []


def test_mail_to_another_machine_is_encrypted(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.activation.notifications.delivery._is_here", lambda _host: False)
    with pytest.raises(NoticeError):  # this server offers no STARTTLS
        send_mail(NEWS)
    assert mailbox.mails == []


def test_state_that_was_notified_is_removed_with_the_export(saved: Workspace, webhook: Webhook) -> None:
    run(1)
    assert (len(webhook.notices), len(list(saved.notices))) == (1, 1)
    ci.exports.remove("Weekly")
    assert list(saved.notices) == []
