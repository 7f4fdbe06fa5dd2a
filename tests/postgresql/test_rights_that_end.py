"""A right ends during a run, and the database enforces it: the user cannot even record that the run stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import contoso
import pytest
from activation.runs.test_withdrawals import APPLY, UPLOAD, while_waiting
from sqlalchemy import URL, create_engine, text

import ci_magics as ci
from ci_magics.activation.connections.connection_operations import share_connection
from ci_magics.errors import AccessError
from ci_magics.workspace.roles import give_role, take_role
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

Become = Callable[[str], Workspace]


def unshare(workspace: Workspace) -> None:
    share_connection(workspace, contoso.NAME, ["administrator"])


def lower(workspace: Workspace) -> None:
    give_role(workspace, "carl", "viewer")
    workspace.enforce_roles()


def dismiss(workspace: Workspace) -> None:
    take_role(workspace, "carl")
    workspace.enforce_roles()


ENDS: dict[str, tuple[Callable[[Workspace], None], str]] = {
    "unshared": (unshare, "The connection 'Contoso EU' is no longer shared with carl, so nothing more is sent."),
    "lowered": (lower, "carl is only a viewer of this workspace now, so nothing more is sent."),
    "dismissed": (dismiss, "carl is only a viewer of this workspace now, so nothing more is sent."),
}
WAITS = [
    (APPLY, "117", {"retry_after": 3_600}, 900, False),
    (APPLY, "lost_reply", {}, 900, True),
    (APPLY, "117", {}, 6_500, False),
    (UPLOAD, "117", {}, 12_000, False),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("operation", "fault", "details", "count", "may_have_arrived"), WAITS)
def test_run_stops_and_records_why_if_its_right_ends(
    team: Become,
    emulator: RunningEmulator,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    operation: str,
    fault: str,
    details: dict[str, Any],
    count: int,
    may_have_arrived: bool,
) -> None:
    team("carl")
    contoso.segment(count, name="Carl's")
    ending, sentence = ENDS[end]
    sent: list[int] = []

    def ended() -> None:
        ending(workspace)
        sent.append(contoso.calls(emulator, APPLY) + contoso.calls(emulator, UPLOAD))

    contoso.fail(emulator, operation, fault, **details)
    while_waiting(monkeypatch, ended)
    with pytest.raises(AccessError, match="nothing more is sent") as refused:
        contoso.export("Carl's")
    assert refused.value.sentence == sentence
    in_flight = 3 if count == 6_500 else 0
    assert sent[0] <= contoso.calls(emulator, APPLY) + contoso.calls(emulator, UPLOAD) <= sent[0] + in_flight
    (record,) = workspace.runs
    assert record.finished_at is None
    assert record.status == "Failed"
    assert record.results[0]["message"].startswith(sentence)
    accepted, unknown, unsent = (record.total(name) for name in ("accepted", "unknown", "unsent"))
    assert accepted + unknown + unsent == count
    if count != 6_500:  # later responses can no longer be recorded
        assert (unknown > 0) is may_have_arrived
    assert accepted <= len(emulator.members("Carl's")) <= accepted + unknown
    assert not workspace.runs.is_being_executed(record.id)
    team("ada")
    run = contoso.resumed(record.id)
    assert (run.status, run.accepted, run.unknown) == ("Completed", count, 0)
    assert len(emulator.members("Carl's")) == count


@pytest.mark.parametrize("end", ENDS)
def test_run_of_a_saved_export_records_why_it_stopped(
    team: Become, emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    team("carl")
    contoso.segment(900, name="Carl's")
    ci.exports.save("Weekly", "Carl's", to=contoso.NAME)
    contoso.fail(emulator, APPLY, "117")
    while_waiting(monkeypatch, lambda: ENDS[end][0](workspace))
    with pytest.raises(AccessError) as refused:
        ci.exports.run("Weekly")
    assert refused.value.sentence == ENDS[end][1]
    (line,) = workspace.export_runs
    assert (line.status, line.accepted) == ("Failed", 0)
    assert ENDS[end][1] in line.reason
    team("ada")
    assert contoso.resumed(line.id).accepted == 900


def test_user_cannot_stop_the_run_of_another_user(team: Become, workspace: Workspace, database_url: URL) -> None:
    team("ada")
    made = contoso.segment(900, name="Ada's")
    run = contoso.export(made)
    for name in ("vera", "carl"):
        engine = create_engine(database_url.set(username=name))
        with engine.begin() as database:
            statement = text("SELECT public.ci_magics_stop_run(:run, 'mine', '{}')")
            assert database.execute(statement, {"run": run.id}).scalar() is False
        engine.dispose()
    (record,) = workspace.runs
    assert record.status == "Completed"
