from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import contoso
import pytest
from fakes import JumpingClock
from sqlalchemy import Engine, event

import ci_magics as ci
from ci_magics.activation.exports.saving import as_code, document_of
from ci_magics.advice import Reader
from ci_magics.errors import AccessError, ArgumentError, ExportRefusedError, NotFoundError, SegmentError
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


def saved(name: str = "Weekly", *segments: str, **options: object) -> Export:
    kept = ci.exports.save(name, *(segments or ("All",)), to=contoso.NAME, **options)  # type: ignore[arg-type]
    assert isinstance(kept, Export)
    return kept


def test_saving_sends_nothing(workspace: Workspace, emulator: RunningEmulator) -> None:
    before = emulator.operations()
    export = saved(mode="add", membership_days=30)
    assert emulator.operations() == before
    assert emulator.audiences() == {}
    assert workspace.exports["Weekly"] == export
    assert workspace.exports.names() == ["Weekly"]
    assert repr(export) == "Export 'Weekly': 'All' to Contoso EU"
    document = document_of(export)
    assert (document.segments, document.order.mode, document.order.membership_days) == (("All",), "add", 30)
    assert list(workspace.runs) == []
    assert list(workspace.export_runs) == []


def test_number_of_queries_does_not_grow_with_the_list(workspace: Workspace) -> None:
    def asked() -> int:
        statements: list[str] = []
        listener = (Engine, "before_cursor_execute", lambda *about: statements.append(about[2]))
        event.listen(*listener)
        assert len(ci.exports.overview()) == len(workspace.exports.names())
        event.remove(*listener)
        return len(statements)

    saved()
    ci.exports.run("Weekly")
    ci.exports.schedule("Weekly", at=["06:30"])
    few = asked()
    for number in range(5):
        ci.exports.duplicate("Weekly", f"Copy {number}")
        ci.exports.run(f"Copy {number}")
    assert asked() == few


def test_export_can_be_saved_but_not_run_without_consent(workspace: Workspace) -> None:
    ci.connect("Another", customer_id="222", account_id="112")
    ci.exports.save("Later", "All", to="Another")
    with pytest.raises(ci.CiError, match="so nothing was sent"):
        ci.exports.run("Later")
    assert [(each.status, each.export_name) for each in workspace.export_runs] == [("Skipped", "Later")]


def test_export_can_be_saved_and_run_at_once(workspace: Workspace, emulator: RunningEmulator) -> None:
    run = ci.exports.run(ci.exports.save("Weekly", "All", to=contoso.NAME).name)
    assert isinstance(run, ci.Run)
    assert emulator.members("All") == contoso.hashes(5)
    entry = workspace.export_runs[run.id[:8]]
    assert (entry.status, entry.accepted, entry.members, entry.trigger) == ("Completed", 5, 5, "manual")
    assert entry.id == run.id


def test_export_runs_as_saved(emulator: RunningEmulator) -> None:
    saved()
    ci.exports.run("Weekly")
    contoso.segment(7)
    assert ci.exports.run("Weekly").accepted == 2
    assert emulator.members("All") == contoso.hashes(7)


def test_saving_again_changes_nothing_and_reports_changes(workspace: Workspace) -> None:
    said: list[str] = []
    first = saved()
    assert saved(show=said.append) == first
    assert said == []
    second = saved(mode="add", show=said.append)
    assert said == ["The export 'Weekly' was replaced; its schedule stays."]
    assert second.id == first.id
    assert document_of(workspace.exports["Weekly"]).order.mode == "add"


@pytest.mark.parametrize("name", ["", " ", "run", "Run-All", "show", "x" * 129])
def test_invalid_name_is_refused(name: str, workspace: Workspace) -> None:
    with pytest.raises(ArgumentError, match=r"Choose another (?:one|name)"):
        saved(name)
    assert list(workspace.exports) == []


def test_segment_too_large_for_customer_insights_is_mentioned(workspace: Workspace) -> None:
    workspace.segments.put(replace(workspace.segments["All"], rows=500_001))
    said: list[str] = []
    saved(show=said.append)
    assert said[0].startswith("The segment 'All' has 500,001 profiles: fine here")


def test_exports_follow_a_renamed_segment(workspace: Workspace) -> None:
    contoso.segment(2, name="Opted out")
    saved("Weekly", "All", exclude=["Opted out"])
    ci.segments.rename("All", "Everybody")
    ci.segments.rename("Opted out", "Left")
    export = workspace.exports["Weekly"]
    assert (export.segments, export.excluded) == (("Everybody",), ("Left",))
    assert ci.exports.run("Weekly").status == "Completed"


def test_segment_of_an_export_cannot_be_deleted() -> None:
    contoso.segment(2, name="Opted out")
    saved("Weekly", "All", exclude=["Opted out"])
    for name in ("All", "Opted out"):
        assert ci.segments.usage(name).exports == ("Weekly",)
        with pytest.raises(SegmentError, match="is used by 'Weekly'"):
            ci.segments.delete(name)
    assert "saved exports: 'Weekly'" in repr(ci.segments.usage("All"))


def test_detached_export_keeps_everything_and_does_not_run(workspace: Workspace, emulator: RunningEmulator) -> None:
    saved()
    connection = workspace.connections[contoso.NAME]
    assert [each.name for each in workspace.exports.where(connection_id=connection.id)] == ["Weekly"]
    [export] = ci.exports.detach("Weekly")
    assert export.connection == "No connection"
    assert workspace.exports.where(connection_id=connection.id) == []
    with pytest.raises(ExportRefusedError, match="has no connection, so it does not run"):
        ci.exports.run("Weekly")
    assert emulator.audiences() == {}
    assert saved().connection == contoso.NAME


def test_duplicate_is_independent(workspace: Workspace) -> None:
    saved()
    ci.exports.duplicate("Weekly", "Monthly")
    saved(mode="add")
    assert document_of(workspace.exports["Monthly"]).order.mode == "mirror"
    with pytest.raises(ArgumentError, match="already"):
        ci.exports.duplicate("Weekly", "Monthly")


def test_export_runs_once_at_a_time(workspace: Workspace) -> None:
    export = saved()
    workspace.locks.take(f"export:{export.id}", "another")
    with pytest.raises(ExportRefusedError, match="is running already, started by"):
        ci.exports.run("Weekly")
    workspace.locks.release("another")
    assert ci.exports.run("Weekly").status == "Completed"


def test_clock_of_a_run_times_its_waits(workspace: Workspace, emulator: RunningEmulator) -> None:
    saved()
    emulator.fault("ApplyCustomerListUserData", "117")
    clock = JumpingClock()
    assert ci.exports.run("Weekly", clock=clock).status == "Completed"
    assert max(clock.waits) >= 60  # seconds that Microsoft asks for, and that did not pass
    (entry,) = workspace.export_runs
    assert entry.finished_at == clock.now()


def test_run_stopped_by_a_guard_is_skipped_with_its_reason(workspace: Workspace) -> None:
    saved()
    ci.exports.run("Weekly")
    contoso.segment(1)
    with pytest.raises(ExportRefusedError, match="more than half"):
        ci.exports.run("Weekly")
    entry = list(workspace.export_runs)[-1]
    assert entry.status == "Skipped"
    assert "4 of 5 members would leave" in entry.reason
    assert entry.finished_at is not None


def test_failure_is_recorded_with_its_reason(workspace: Workspace, emulator: RunningEmulator) -> None:
    saved()
    emulator.control("POST", "/faults", [{"operation": "AddAudiences", "call": 1, "fault": "106"}])
    with pytest.raises(ci.CiError):
        ci.exports.run("Weekly")
    [entry] = workspace.export_runs
    assert (entry.status, entry.retry_at) == ("Failed", None)
    assert "106" in entry.reason


def test_unknown_names_are_reported() -> None:
    saved()
    with pytest.raises(NotFoundError, match="Did you mean 'Weekly'"):
        ci.exports.run("Wekly")


def test_user_who_cannot_export_cannot_save(as_user: Becoming) -> None:
    saved()
    as_user("ann", "viewer")
    for act in (saved, lambda: ci.exports.run("Weekly"), lambda: ci.exports.duplicate("Weekly", "Mine")):
        with pytest.raises(AccessError):
            act()
    as_user("bob", "contributor")
    assert ci.exports.run("Weekly").status == "Completed"


def test_code_that_saves_the_export_is_shown() -> None:
    contoso.segment(2, name="Opted out")
    export = saved("Every week", "All", exclude=["Opted out"], mode="add", allow_empty=True, scope="customer")
    assert as_code(export).text(Reader.NOTEBOOK) == (
        '%ci_exports save "Every week" "All" --to "Contoso EU" --mode add --scope customer '
        '--exclude "Opted out" --allow-empty'
    )
    assert as_code(export).text(Reader.PYTHON) == (
        'ci.exports.save("Every week", "All", to="Contoso EU", mode="add", scope="customer", '
        'exclude=["Opted out"], allow_empty=True)'
    )
