"""A right that ends during a run stops every request with hashes, like a withdrawn consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from activation.runs.test_withdrawals import APPLY, UPLOAD, WAITS, while_waiting
from contoso import NAME, calls, connect, export, fail, hash_of, resumed, segment
from sqlalchemy import event

import ci_magics as ci
from ci_magics.activation.connections.connection_operations import share_connection
from ci_magics.activation.connections.permission import require_permission
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.exports.saved_runs import BY_SCHEDULE, run_one
from ci_magics.clock import SystemClock
from ci_magics.errors import AccessError, ConsentError
from ci_magics.workspace.roles import give_role, take_role
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("workspace")
AsUser = Callable[..., Workspace]


def unshare(workspace: Workspace) -> None:
    share_connection(workspace, NAME, ["administrator"])


def lower(workspace: Workspace) -> None:
    give_role(workspace, "bob", "viewer")


def dismiss(workspace: Workspace) -> None:
    take_role(workspace, "bob")


#: What an administrator can do during the run, and the message of the run.
ENDS: dict[str, tuple[Callable[[Workspace], None], str]] = {
    "unshared": (unshare, f"The connection '{NAME}' is no longer shared with bob, so nothing more is sent."),
    "lowered": (lower, "bob is only a viewer of this workspace now, so nothing more is sent."),
    "dismissed": (dismiss, "bob is only a viewer of this workspace now, so nothing more is sent."),
}


@pytest.mark.matrix
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("operation", "fault", "details", "count", "may_have_arrived"), WAITS)
def test_nothing_is_sent_after_a_wait_if_the_right_ended(
    emulator: RunningEmulator,
    workspace: Workspace,
    as_user: AsUser,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    operation: str,
    fault: str,
    details: dict[str, Any],
    count: int,
    may_have_arrived: bool,
) -> None:
    connect(share=["contributor"])
    as_user("bob", "contributor")
    segment(count)
    sent: list[int] = []
    ending, sentence = ENDS[end]

    def ended() -> None:
        ending(workspace)
        sent.append(calls(emulator, APPLY) + calls(emulator, UPLOAD))

    fail(emulator, operation, fault, **details)
    while_waiting(monkeypatch, ended)
    with pytest.raises(AccessError, match="nothing more is sent") as refused:
        export("All")
    assert refused.value.sentence == sentence
    in_flight = 3 if count == 6_500 else 0  # parallel calls were already sent
    assert sent[0] <= calls(emulator, APPLY) + calls(emulator, UPLOAD) <= sent[0] + in_flight
    (record,) = workspace.runs
    accepted, unknown, unsent = (record.total(name) for name in ("accepted", "unknown", "unsent"))
    assert accepted + unknown + unsent == count
    assert (unknown > 0) is may_have_arrived
    assert accepted <= len(emulator.members("All")) <= accepted + unknown
    assert record.status == "Failed"
    assert record.results[0]["message"].startswith(sentence)


def test_user_with_the_right_can_complete_the_run(
    emulator: RunningEmulator, workspace: Workspace, as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(share=["contributor"])
    as_user("bob", "contributor")
    segment(2_500)
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: unshare(workspace))
    with pytest.raises(AccessError, match="nothing more is sent") as refused:
        export("All")
    (record,) = workspace.runs
    assert f'ci.runs.resume("{record.name}")' in refused.value.next_step
    with pytest.raises(AccessError, match="not shared with you"):
        ci.runs.resume(record.id)
    as_user(workspace.user)
    run = resumed(record.id)
    assert (run.status, run.accepted, run.unknown) == ("Completed", 2_500, 0)


def test_no_further_audience_is_created_after_a_right_ended(
    emulator: RunningEmulator, workspace: Workspace, as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(share=["contributor"])
    as_user("bob", "contributor")
    segment(900, name="First")
    segment(900, start=2_000, name="Second")
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: unshare(workspace))
    with pytest.raises(AccessError, match="nothing more is sent"):
        export("First", "Second")
    assert calls(emulator, "AddAudiences") == 1
    (record,) = workspace.runs
    assert [each["status"] for each in record.results] == ["Failed", "Failed"]
    assert record.total("unsent") == 1_800


@pytest.mark.parametrize("end", ENDS)
def test_scheduled_run_stops_when_its_owner_loses_the_right(
    emulator: RunningEmulator, workspace: Workspace, as_user: AsUser, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    connect(share=["contributor"])
    as_user("bob", "contributor")
    segment(900)
    ci.exports.save("Weekly", "All", to=NAME)
    as_user(workspace.user)
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: ENDS[end][0](workspace))
    entry = run_one(workspace, workspace.exports["Weekly"], BY_SCHEDULE, show=lambda _: None, clock=SystemClock())
    assert entry is not None
    assert (entry.status, entry.accepted) == ("Failed", 0)
    assert "bob, who saved the export, " in entry.reason
    assert "so nothing more is sent" in entry.reason
    assert emulator.members("All") == set()
    (record,) = workspace.runs
    assert (record.status, record.total("unsent")) == ("Failed", 900)
    run = resumed(record.id)  # by an administrator
    assert run.accepted == 900


def test_manual_run_needs_only_the_rights_of_its_user(workspace: Workspace, as_user: AsUser) -> None:
    connect(share=["contributor"])
    as_user("bob", "contributor")
    segment(900)
    ci.exports.save("Weekly", "All", to=NAME)
    as_user(workspace.user)
    dismiss(workspace)
    assert ci.exports.run("Weekly").accepted == 900


def test_erasure_stops_when_its_user_loses_the_right(
    emulator: RunningEmulator, workspace: Workspace, as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    export(segment(900))
    as_user("bob", "administrator")
    before = calls(emulator, APPLY)
    fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: lower(workspace))
    forgotten = forget(key="k7", show=lambda _: None)
    assert not forgotten.erased
    assert "only administrators may forget a person" in repr(forgotten)
    assert calls(emulator, APPLY) == before + 1
    assert hash_of("p7@contoso.com") in emulator.members("All")


def test_one_query_checks_whether_a_request_may_be_sent(workspace: Workspace) -> None:
    connect()
    connection = workspace.connections[NAME]
    statements: list[str] = []
    engine = workspace._engine  # noqa: SLF001 - where queries are counted

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    require_permission(workspace, connection.id, connection.environment)
    event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 1


@pytest.mark.parametrize("change", ["removed", "another environment"])
def test_run_stops_if_its_connection_is_removed_or_leads_elsewhere(workspace: Workspace, change: str) -> None:
    connect()
    connection = workspace.connections[NAME]
    require_permission(workspace, connection.id, connection.environment)
    if change == "removed":
        workspace.connections.remove(connection.id)
    else:
        workspace.connections.put(replace(connection, environment="sandbox"))
    with pytest.raises(ConsentError, match=change):
        require_permission(workspace, connection.id, connection.environment)
