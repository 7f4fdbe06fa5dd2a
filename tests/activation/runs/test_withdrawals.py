"""A consent withdrawn while a request waits stops every request with hashes, including its retry."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from contoso import NAME, calls, connect, export, fail, hash_of, segment

import ci_magics as ci
from ci_magics.activation.connect import withdraw_consents
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.run import Run
from ci_magics.clock import present
from ci_magics.errors import ConsentError
from ci_magics.microsoft import http
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("workspace")

APPLY, UPLOAD = "ApplyCustomerListUserData", "UploadFile"


def withdraw(workspace: Workspace) -> None:
    withdraw_consents(workspace, NAME, lambda _: None)


def end(kind: str) -> Callable[[Workspace], None]:
    def one(workspace: Workspace) -> None:
        consent = workspace.connections[NAME].consent(kind)
        assert consent is not None
        workspace.connections.consents.put(replace(consent, withdrawn_by="ann", withdrawn_at=present()))

    return one


def remove(workspace: Workspace) -> None:
    workspace.connections.remove(workspace.connections[NAME].id)  # removes its consents in the same step


def lead_elsewhere(workspace: Workspace) -> None:
    workspace.connections.change(lambda now: replace(now, environment="sandbox"), name=NAME)


#: What an administrator can do during the run.
CHANGES = {
    "both consents": withdraw,
    "data privacy": end(DATA_PRIVACY),
    "terms": end(CUSTOMER_MATCH_TERMS),
    "removed": remove,
    "environment": lead_elsewhere,
}
#: The waiting request, its fault, the number of people for this way to send, and whether it may have arrived.
WAITS = [
    (APPLY, "117", {"retry_after": 3_600}, 900, False),
    (APPLY, "http_429", {"retry_after": 3_600}, 900, False),
    (APPLY, "1010", {"retry_after": 3_600}, 900, False),
    (APPLY, "lost_reply", {}, 900, True),
    (APPLY, "lost_request", {}, 900, True),
    (APPLY, "http_503", {"retry_after": 3_600}, 900, True),
    (APPLY, "117", {}, 6_500, False),
    (UPLOAD, "4204", {"retry_after": 3_600}, 12_000, False),
    (UPLOAD, "117", {}, 12_000, False),
]


def while_waiting(monkeypatch: pytest.MonkeyPatch, doing: Callable[[], None]) -> list[float]:
    """Do something in the first wait of at least a second; return all such waits."""
    waits: list[float] = []

    def sleep(_clock: Any, seconds: float) -> None:
        if seconds >= 1:
            waits.append(seconds)
            if len(waits) == 1:
                doing()

    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", sleep)
    return waits


@pytest.mark.matrix
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("operation", "fault", "details", "count", "may_have_arrived"), WAITS)
def test_nothing_is_sent_after_a_wait(
    emulator: RunningEmulator,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    operation: str,
    fault: str,
    details: dict[str, Any],
    count: int,
    may_have_arrived: bool,
) -> None:
    connect()
    segment(count)
    sent: list[int] = []

    def withdrawn() -> None:
        CHANGES[change](workspace)
        sent.append(calls(emulator, APPLY) + calls(emulator, UPLOAD))

    fail(emulator, operation, fault, **details)
    waits = while_waiting(monkeypatch, withdrawn)
    with pytest.raises(ConsentError, match="nothing more is sent"):
        export("All")
    assert waits
    in_flight = 3 if count == 6_500 else 0  # parallel calls were already sent
    assert sent[0] <= calls(emulator, APPLY) + calls(emulator, UPLOAD) <= sent[0] + in_flight
    (record,) = workspace.runs
    accepted, unknown, unsent = (record.total(name) for name in ("accepted", "unknown", "unsent"))
    assert accepted + unknown + unsent == count
    assert (unknown > 0) is may_have_arrived
    assert accepted <= len(emulator.members("All")) <= accepted + unknown
    assert {"removed": "removed", "environment": "another environment"}.get(change, "withdrawn") in record.results[0][
        "message"
    ]


def test_waiting_parallel_calls_are_not_retried(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    segment(7_500)
    fail(emulator, APPLY, "117", "117", "117", "117")
    all_wait = threading.Barrier(4, lambda: withdraw(workspace))
    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", lambda _clock, _seconds: all_wait.wait(30))
    with pytest.raises(ConsentError):
        export("All")
    assert calls(emulator, APPLY) == 4
    assert emulator.members("All") == set()
    (record,) = workspace.runs
    assert record.total("unsent") == 7_500


def test_nothing_is_sent_after_the_token_is_renewed(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    segment(900)
    fail(emulator, APPLY, "109")
    read = http.Conversation._read  # noqa: SLF001 - where an answer has come and the token is about to be renewed

    def withdrawing(conversation: http.Conversation, operation: str, *rest: Any) -> Any:
        if operation == APPLY:
            withdraw(workspace)
        return read(conversation, operation, *rest)

    monkeypatch.setattr(http.Conversation, "_read", withdrawing)
    with pytest.raises(ConsentError):
        export("All")
    assert calls(emulator, APPLY) == 1
    assert emulator.members("All") == set()


def test_resumed_run_sends_the_rest_after_consents_are_given_again(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    segment(2_500)
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: withdraw(workspace))
    with pytest.raises(ConsentError):
        export("All")
    connect()
    (record,) = workspace.runs
    run = ci.runs.resume(record.id)
    assert isinstance(run, Run)
    assert (run.status, run.accepted, run.unknown) == ("Completed", 2_500, 0)
    assert len(emulator.members("All")) == 2_500


def test_erasure_sends_nothing_after_a_withdrawal(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    export(segment(900))
    before = calls(emulator, APPLY)
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: withdraw(workspace))
    forgotten = forget(key="k7", show=lambda _: None)
    assert not forgotten.erased
    assert "Nobody has agreed" in repr(forgotten)
    assert calls(emulator, APPLY) == before + 1
    assert hash_of("p7@contoso.com") in emulator.members("All")
