"""The content of the side panel, and who can see it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import OutcomeUnknownError
from ci_magics.server_extension.overview import overview
from ci_magics.workspace.access import NOTHING_SHARED
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

Becoming = Callable[..., Workspace]


def test_empty_workspace_is_described(workspace: Workspace) -> None:
    seen = overview(workspace)
    assert (seen.connections, seen.segments, seen.exports, seen.runs, seen.advice) == (0, 0, (), (), "")
    assert (seen.version, seen.user, seen.role) == (ci.__version__, workspace.user, "administrator")


@pytest.mark.usefixtures("emulator")
def test_runs_are_listed_newest_first_with_counts(workspace: Workspace) -> None:
    contoso.connect()
    first = contoso.export(contoso.segment(5))
    second = contoso.export(contoso.segment(7), contoso.segment(2, name="Few"))
    seen = overview(workspace)
    assert (seen.connections, seen.segments) == (1, 2)
    assert [each.name for each in seen.runs] == [second.id[:8], first.id[:8]]
    run = seen.runs[0]
    assert (run.status, run.accepted, run.rejected, run.unknown) == ("Completed", 4, 0, 0)
    assert run.finished_at is not None
    assert (run.interrupted, run.done, run.planned) == (False, None, None)
    assert [(each.segment, each.added, each.unchanged) for each in run.audiences] == [("All", 2, 5), ("Few", 2, 0)]
    assert run.destination == "EMULATOR: nothing left this machine"


@pytest.mark.usefixtures("emulator")
def test_saved_exports_have_their_state_and_permissions(workspace: Workspace, as_user: Becoming) -> None:
    contoso.connect(share=["viewer"])
    contoso.segment(4)
    ci.exports.save("Weekly", "All", to=contoso.NAME)
    before = overview(workspace).exports[0]
    assert (before.name, before.connection, before.segments) == ("Weekly", contoso.NAME, ("All",))
    assert (before.status, before.last_run, before.may_run) == ("Not run yet", None, True)

    ci.exports.run("Weekly", show=lambda _sentence: None)
    after = overview(workspace).exports[0]
    assert (after.status, after.reason, after.may_run) == ("Completed", "", True)
    assert after.last_run is not None
    assert not overview(as_user("vera", "viewer")).exports[0].may_run


@pytest.mark.usefixtures("emulator")
def test_export_without_a_connection_cannot_be_run(workspace: Workspace) -> None:
    contoso.connect()
    contoso.segment(4)
    ci.exports.save("Weekly", "All", to=contoso.NAME)
    ci.exports.detach("Weekly")
    seen = overview(workspace).exports[0]
    assert (seen.connection, seen.status, seen.may_run) == ("No connection", "No connection", False)


@pytest.mark.usefixtures("waits")
def test_interrupted_run_is_distinguished_from_a_running_one(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.connect()
    segment = contoso.segment(400)
    contoso.fail(emulator, "ApplyCustomerListUserData", *["lost_reply"] * 5)
    with pytest.raises(OutcomeUnknownError):
        contoso.export(segment)
    run = overview(workspace).runs[0]
    assert run.interrupted
    assert (run.finished_at, run.done) == (None, None)

    record = workspace.runs.latest(1)[0]
    workspace.runs.put(replace(record, status="Running"))
    workspace.locks.take("audience", record.id)
    going_on = overview(workspace).runs[0]
    assert not going_on.interrupted
    assert (going_on.done, going_on.planned) == (0, 400)


@pytest.mark.usefixtures("emulator")
def test_only_the_last_runs_are_listed(workspace: Workspace) -> None:
    contoso.connect()
    contoso.export(contoso.segment(1))
    record = workspace.runs.latest(1)[0]
    for number in range(30):
        workspace.runs.put(replace(record, id=f"{number:08}"))
    assert len(overview(workspace).runs) == 20


@pytest.mark.usefixtures("emulator")
class TestVisibility:
    """Details of a connection are for administrators."""

    def test_contributor_sees_environment_and_name(self, workspace: Workspace, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        contoso.export(contoso.segment(1))
        record = workspace.runs.latest(1)[0]
        workspace.runs.put(replace(record, id="abcdefgh", destination="PRODUCTION: Contoso Ltd (111)"))
        workspace.runs.remove(record.id)
        assert overview(workspace).runs[0].destination == "PRODUCTION: Contoso Ltd (111)"
        seen = overview(as_user("ann", "contributor"))
        assert (seen.role, seen.connections, seen.runs[0].destination) == ("contributor", 1, "PRODUCTION: Contoso EU")
        assert "111" not in json.dumps(asdict(seen))

    def test_user_without_a_connection_is_referred_to_an_administrator(self, as_user: Becoming) -> None:
        contoso.connect()
        assert overview(as_user("ann", "contributor")).advice == NOTHING_SHARED


@pytest.mark.usefixtures("emulator")
def test_overview_contains_no_hash_and_no_address(workspace: Workspace) -> None:
    contoso.connect()
    contoso.export(contoso.segment(20))
    told = json.dumps(asdict(overview(workspace)))
    assert "@" not in told
    assert re.search(r"[0-9a-f]{64}", told) is None
    assert not [each for each in contoso.hashes(20) if each in told]
