from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import contoso
import pytest
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.activation.exports.saving import document_of
from ci_magics.errors import AccessError, ArgumentError, ExportRefusedError, NotFoundError
from ci_magics.workspace.export_models import Export

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

Becoming = Callable[..., "Workspace"]


@pytest.fixture(autouse=True)
def connection(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator
    assert workspace
    contoso.connect(share=["contributor"])
    contoso.segment(5)


def saved(name: str = "Weekly", *segments: str, **options: Any) -> Export:
    kept = ci.exports.save(name, *(segments or ("All",)), to=contoso.NAME, **options)
    assert isinstance(kept, Export)
    return kept


def test_list_shows_segments_destination_mode_and_schedule() -> None:
    saved()
    saved("Daily")
    ci.exports.schedule("Daily", at=["02:30"], time_zone="Europe/Amsterdam", clock=FrozenClock())
    ci.exports.run("Daily")
    weekly, daily = ci.exports.overview("Weekly", "Daily", clock=FrozenClock())
    assert (weekly.connection, weekly.segments, weekly.status) == (contoso.NAME, ("All",), "Not run yet")
    assert (weekly.next_run, weekly.next_run_text, weekly.last_run) == (None, "-", None)
    assert weekly.schedule == "with the system refresh (off)"
    assert (daily.status, daily.permissions) == ("Completed", "edit")
    assert daily.next_run == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert daily.next_run_text == "2026-03-29 03:00 CEST"
    assert daily.schedule == "daily at 02:30 (Europe/Amsterdam)"
    table = ci.exports.overview()
    assert table.names() == ["Daily", "Weekly"]
    assert list(table.to_frame()["status"]) == ["Completed", "Not run yet"]
    for shown in (repr(table), table._repr_html_()):
        assert "Your permissions" in shown
        assert "daily at 02:30 (Europe/Amsterdam)" in shown


def test_empty_list_says_how_to_save_an_export() -> None:
    assert "ci.exports.save(NAME, SEGMENT, to=CONNECTION)" in repr(ci.exports.overview())


def test_overdue_run_shows_since_when() -> None:
    saved()
    clock = FrozenClock()
    ci.exports.schedule("Weekly", at=["13:00"], time_zone="UTC", clock=clock)
    clock.advance(hours=3)
    [line] = ci.exports.overview(clock=clock)
    assert line.next_run_text == "due since 2026-03-28 13:00 UTC"
    assert line.overdue


def test_own_schedule_shows_its_own_last_run() -> None:
    saved()
    ci.exports.schedule("Weekly", at=["13:00"], time_zone="UTC")
    ci.exports.system_schedule(at=["14:00"], time_zone="UTC")
    ci.exports.run("Weekly")
    ci.exports.system_schedule(active=False)
    assert [each.status for each in ci.exports.overview()] == ["Completed"]


def test_exports_follow_the_workspace_refresh_by_default() -> None:
    saved()
    clock = FrozenClock()
    for active in (False, True):
        ci.exports.schedule("Weekly", active=active, clock=clock)
    ci.exports.system_schedule(at=["18:00", "06:00"], weekly=["Monday"], time_zone="Asia/Kolkata", clock=clock)
    assert repr(ci.exports.system_schedule()) == "System refresh: weekly on Monday at 06:00 and 18:00 (Asia/Kolkata)"
    [line] = ci.exports.overview(clock=clock)
    assert (line.schedule, line.next_run_text) == ("with the system refresh", "2026-03-30 06:00 IST")
    [export] = ci.exports.schedule("Weekly", active=False)
    assert ci.exports.overview("Weekly", clock=clock).exports[0].next_run is None
    [export] = ci.exports.schedule("Weekly", at=["7:00"], time_zone="UTC")
    assert export.active
    [export] = ci.exports.schedule("Weekly", follow_system=True)
    assert export.schedule is None
    ci.exports.system_schedule(active=False)
    assert repr(ci.exports.system_schedule()).startswith("System refresh: off (weekly on Monday")


def test_own_schedules_are_kept_or_replaced_for_several_exports() -> None:
    for name in ("A", "B"):
        saved(name)
    ci.exports.schedule("A", at=["07:00"], time_zone="UTC")
    with pytest.raises(ArgumentError, match="keep=True to leave those as they are, or keep=False"):
        ci.exports.schedule("A", "B", at=["08:00"], time_zone="UTC")
    kept = ci.exports.schedule("A", "B", at=["08:00"], time_zone="UTC", keep=True)
    assert [each.schedule["times"] for each in kept if each.schedule] == [["07:00:00"], ["08:00:00"]]
    replaced = ci.exports.schedule("A", "B", at=["09:00"], time_zone="UTC", keep=False)
    assert [each.schedule["times"] for each in replaced if each.schedule] == [["09:00:00"], ["09:00:00"]]


@pytest.mark.parametrize(
    ("choices", "says"),
    [({}, "Nothing says when it runs"), ({"at": ["06:00"], "follow_system": True}, "not both")],
)
def test_schedule_needs_exactly_one_choice(choices: dict[str, Any], says: str) -> None:
    saved()
    with pytest.raises(ArgumentError, match=says):
        ci.exports.schedule("Weekly", **choices)
    with pytest.raises(ArgumentError, match="No export is named"):
        ci.exports.schedule(at=["06:00"])


def test_workspace_schedule_is_for_administrators(as_user: Becoming) -> None:
    as_user("bob", "contributor")
    assert repr(ci.exports.system_schedule()) == "System refresh: off"
    with pytest.raises(AccessError, match="only administrators may change the schedule of the system refresh"):
        ci.exports.system_schedule(at=["06:00"])


def test_edit_changes_only_the_given_options(workspace: Workspace) -> None:
    contoso.segment(3, name="Some")
    first = saved(mode="add", allow_empty=True, scope="customer", membership_days=30)
    edited = ci.exports.edit("Weekly", segments=["Some"], rename="Every week", mode="mirror", without=["allow-empty"])
    assert (edited.id, edited.name, edited.segments) == (first.id, "Every week", ("Some",))
    order = document_of(edited).order
    assert (order.mode, order.allow_empty, order.scope, order.membership_days) == ("mirror", False, "Customer", 30)
    assert workspace.exports.names() == ["Every week"]
    assert ci.exports.edit("Every week") == edited


def test_invalid_edit_changes_nothing(workspace: Workspace) -> None:
    export = saved()
    for choices, says in (
        ({"mode": "mirrow"}, "Did you mean 'mirror'"),
        ({"segments": ["Nobody"]}, "There is no segment 'Nobody'"),
        ({"to": "Nowhere"}, "There is no connection 'Nowhere'"),
        ({"alow_empty": True}, "Did you mean 'allow_empty'"),
        ({"rename": "run"}, "cannot be called 'run': ci.exports has a verb of that name"),
    ):
        with pytest.raises(ci.CiError) as refused:
            ci.exports.edit("Weekly", **choices)  # type: ignore[arg-type]
        assert says in str(refused.value)
    assert workspace.exports["Weekly"] == export


def test_detached_export_can_get_a_connection_again() -> None:
    saved()
    ci.exports.detach("Weekly")
    [line] = ci.exports.overview()
    assert (line.connection, line.status, line.next_run) == ("No connection", "No connection", None)
    assert len(ci.exports.run_all()) == 0
    ci.exports.edit("Weekly", to=contoso.NAME)
    assert ci.exports.run("Weekly").status == "Completed"


def test_run_all_runs_active_exports() -> None:
    for name in ("A", "B", "C"):
        contoso.segment(3, name=name)
        saved(name, name)
    ci.exports.schedule("B", active=False)
    history = ci.exports.run_all()
    assert [(each.export, each.status) for each in history] == [("A", "Completed"), ("C", "Completed")]
    assert ci.exports.run("B").status == "Completed"


def test_failed_export_does_not_stop_the_others(emulator: RunningEmulator) -> None:
    for name in ("A", "B", "C"):
        contoso.segment(3, name=name)
        saved(name, name)
    emulator.control("POST", "/faults", [{"operation": "AddAudiences", "call": 2, "fault": "106"}])
    history = ci.exports.run("A", "B", "C")
    assert [each.status for each in history] == ["Completed", "Failed", "Completed"]
    assert [each.export for each in history.not_completed] == ["B"]
    assert "106" in history.not_completed[0].reason


def test_history_is_filtered_by_export_status_and_time() -> None:
    saved("A")
    saved("B")
    ci.exports.run("A")
    contoso.segment(1)
    with pytest.raises(ExportRefusedError):
        ci.exports.run("B")
    assert [(each.export, each.status) for each in ci.exports.history()] == [("B", "Skipped"), ("A", "Completed")]
    assert [each.export for each in ci.exports.history("A")] == ["A"]
    assert [each.export for each in ci.exports.history(status="skipped")] == ["B"]
    assert [each.export for each in ci.exports.history(last=1)] == ["B"]
    assert len(ci.exports.history(since=datetime.now(UTC) + timedelta(hours=1))) == 0
    assert list(ci.exports.history().to_frame()["accepted"]) == [0, 5]
    with pytest.raises(ArgumentError, match="Did you mean 'Completed'"):
        ci.exports.history(status="Complete")
    with pytest.raises(NotFoundError):
        ci.exports.history("Never")


def test_run_is_shown_audience_by_audience() -> None:
    saved()
    run = ci.exports.run("Weekly")
    details = ci.exports.run_details(run.id)
    assert isinstance(details, ci.Run)
    assert details.results == run.results
    with pytest.raises(NotFoundError):
        ci.exports.run_details("nothing")


def test_export_is_shown_with_its_code_and_history() -> None:
    saved()
    ci.exports.run("Weekly")
    shown = repr(ci.exports.show("Weekly"))
    assert 'ci.exports.save("Weekly", "All", to="Contoso EU")' in shown
    assert "Completed" in shown
    assert "Completed" in ci.exports.show("Weekly")._repr_html_()


def test_removed_export_deletes_its_ledgers_and_keeps_its_history(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    saved("A")
    saved("B")
    ci.exports.run("A")
    assert ci.exports.remove("B") == []
    [audience] = workspace.audiences
    assert workspace.ledgers.exists(audience.id)
    [said] = ci.exports.remove("A")
    assert said.startswith("What was sent to the audience 'All' (5 hashes) is forgotten")
    assert not workspace.ledgers.exists(audience.id)
    assert list(workspace.audiences) == []
    assert emulator.members("All") == contoso.hashes(5)
    assert [each.export for each in ci.exports.history("A")] == ["A"]
    with pytest.raises(ExportRefusedError, match='mode="replace"'):
        contoso.export("All")


def test_ledger_is_kept_on_request(workspace: Workspace) -> None:
    saved()
    ci.exports.run("Weekly")
    assert ci.exports.remove("Weekly", keep_ledger=True) == []
    assert contoso.export("All").results[0].unchanged == 5
    assert workspace.exports.names() == []


def test_running_export_cannot_be_removed(workspace: Workspace) -> None:
    export = saved()
    workspace.locks.take(f"export:{export.id}", "another")
    with pytest.raises(ExportRefusedError, match=r"The export 'Weekly' is running\. Wait until it is done\."):
        ci.exports.remove("Weekly")
    assert workspace.exports.names() == ["Weekly"]


def test_run_of_an_ended_process_is_not_shown_as_running(workspace: Workspace) -> None:
    saved()
    ci.exports.run("Weekly")
    [entry] = workspace.export_runs
    workspace.export_runs.put(replace(entry, status="Running", finished_at=None))
    [line] = ci.exports.overview()
    assert (line.status, line.reason) == ("Completed", "")  # the run ended before its process
    workspace.runs.remove(entry.id)
    [line] = ci.exports.overview()
    assert (line.status, line.reason) == ("Failed", "The process that ran it has ended; the next run finishes it.")


def test_viewer_sees_exports_and_cannot_change_them(as_user: Becoming) -> None:
    saved()
    as_user("ann", "viewer")
    assert [each.permissions for each in ci.exports.overview()] == ["view"]
    assert "view it" in repr(ci.exports.show("Weekly"))
    for act in (
        lambda: ci.exports.edit("Weekly", mode="add"),
        lambda: ci.exports.detach("Weekly"),
        lambda: ci.exports.remove("Weekly"),
        lambda: ci.exports.schedule("Weekly", active=False),
        ci.exports.run_all,
    ):
        with pytest.raises(AccessError):
            act()


def test_contributor_manages_exports_of_shared_connections_only(as_user: Becoming) -> None:
    ci.connect("Private", customer_id="222", account_id="112", agree=True, accept_terms=True)
    saved()
    ci.exports.save("Hers", "All", to="Private")
    as_user("bob", "contributor")
    assert {each.name: each.permissions for each in ci.exports.overview()} == {"Hers": "view", "Weekly": "edit"}
    assert ci.exports.edit("Weekly", mode="add").saved_by == "bob"
    with pytest.raises(AccessError):
        ci.exports.edit("Hers", mode="add")
    with pytest.raises(AccessError):
        ci.exports.run("Hers")
