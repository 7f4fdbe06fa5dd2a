"""Eight kernels use saved exports at the same time: no change is lost, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import contoso
import pytest
from fakes import FrozenClock
from kernels import Kernels, running_kernels

import ci_magics as ci
from ci_magics.activation.exports.saving import document_of
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.slow

EIGHT = 8


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    with running_kernels(EIGHT, tmp_path_factory.mktemp("kernels")) as running:
        yield running


@pytest.fixture
def saved(emulator: RunningEmulator, workspace: Workspace) -> Workspace:
    assert emulator
    contoso.connect()
    for name in ("A", "B", "C"):
        contoso.segment(4, name=name)
        ci.exports.save(name, name, to=contoso.NAME)
    return workspace


def test_concurrent_changes_of_different_options_are_all_kept(kernels: Kernels, saved: Workspace) -> None:
    answers = kernels.at_once(
        """
import ci_magics as ci
changes = [
    lambda: ci.exports.edit("A", mode="add"),
    lambda: ci.exports.edit("A", allow_empty=True),
    lambda: ci.exports.edit("A", allow_shrink=True),
    lambda: ci.exports.edit("A", membership_days=30),
    lambda: ci.exports.schedule("A", at=["06:00"], time_zone="UTC"),
    lambda: ci.exports.edit("A", allow_mixed=True),
    lambda: ci.exports.edit("A", exclude=["B"]),
    lambda: ci.exports.edit("A", scope="customer"),
]
for _turn in range(5):
    changes[number]()
return number
"""
    )
    assert answers == [("done", number) for number in range(EIGHT)]
    export = saved.exports["A"]
    order = document_of(export).order
    assert (order.mode, order.membership_days, order.scope, order.exclude) == ("add", 30, "Customer", ("B",))
    assert order.allow_empty
    assert order.allow_shrink
    assert order.allow_mixed
    assert export.schedule is not None


def test_name_is_given_to_one_of_eight_exports(kernels: Kernels, saved: Workspace) -> None:
    answers = kernels.at_once('import ci_magics as ci\nreturn ci.exports.duplicate("A", "Copy").id')
    assert [how for how, _what in answers].count("done") == 1
    assert {what for how, what in answers if how == "refused"} == {"name_taken"}
    assert saved.exports.names() == ["A", "B", "C", "Copy"]


def test_due_export_runs_once(kernels: Kernels, saved: Workspace, emulator: RunningEmulator) -> None:
    now = datetime.now(UTC)
    since = FrozenClock(now - timedelta(hours=2))
    ci.exports.schedule("A", "B", "C", at=[(now - timedelta(minutes=1)).time()], time_zone="UTC", clock=since)
    answers = kernels.at_once(
        """
import ci_magics as ci
report = ci.refresh(due_only=True, show=lambda sentence: None)
return [each["export"] for each in report.exports]
"""
    )
    assert {what if how == "refused" else "done" for how, what in answers} <= {"refresh_running", "done"}
    assert sorted(name for how, names in answers if how == "done" for name in names) == ["A", "B", "C"]
    assert sorted(each.export_name for each in saved.export_runs) == ["A", "B", "C"]
    assert {each.status for each in saved.export_runs} == {"Completed"}
    assert emulator.operations().count("AddAudiences") == 3


def test_export_run_by_all_runs_in_one_process_at_a_time(
    kernels: Kernels, saved: Workspace, emulator: RunningEmulator
) -> None:
    answers = kernels.at_once('import ci_magics as ci\nreturn ci.exports.run("A", show=lambda sentence: None).status')
    assert {what for how, what in answers if how == "done"} == {"Completed"}
    assert {what for how, what in answers if how == "refused"} <= {"export_running"}
    assert emulator.members("A") == contoso.hashes(4)
    assert emulator.operations().count("AddAudiences") == 1
    assert sum(each.accepted for each in saved.export_runs) == 4
