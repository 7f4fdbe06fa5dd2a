"""A run has one record: history, status, panel, notification and the run itself agree after any fault."""

from __future__ import annotations

import multiprocessing as mp
import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from contoso import NAME, connect, export, fail, foreign_list, segment
from fakes import FrozenClock

import ci_magics as ci
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.resume import load_run
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError, ExportStoppedError
from ci_magics.server_extension.overview import overview
from ci_magics.workspace.run_repositories import INTERRUPTED

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"
COUNTS = ("accepted", "rejected", "unknown")


def shown_by_each_place(workspace: Workspace) -> dict[str, tuple[str, int, int, int]]:
    """Return status and counts of the last run as shown by each place."""
    (record,) = workspace.runs.latest(1)
    run = load_run(workspace, record)
    (line,) = ci.exports.history("Weekly", last=1)
    shown = next(each for each in ci.status(show=lambda _: None).document()["runs"] if each["name"] == run.id[:8])
    panel = next(each for each in overview(workspace).runs if each.name == run.id[:8])
    (entry,) = workspace.export_runs.latest(1)
    (listed,) = ci.exports.overview("Weekly")
    (in_panel,) = overview(workspace).exports
    assert listed.status == in_panel.status == line.status
    frame = run.to_frame()
    return {
        "run": (run.status, run.accepted, run.rejected, run.unknown),
        "frame": (run.status, *(int(frame[name].sum()) for name in COUNTS)),
        "row": (record.status, *(record.total(name) for name in COUNTS)),
        "history": (line.status, line.accepted, line.rejected, line.unknown),
        "entry": (entry.status, entry.accepted, entry.rejected, entry.unknown),
        "status": (shown["status"], *(shown[name] for name in COUNTS)),
        "panel": (panel.status, panel.accepted, panel.rejected, panel.unknown),
    }


def shown_by_all_places(workspace: Workspace) -> tuple[str, int, int, int]:
    """Return what all places show, which must be the same."""
    everything = shown_by_each_place(workspace)
    assert len(set(everything.values())) == 1, everything
    line = re.search(r"run \w+ of [^:]+:\d+ UTC: (\w[\w ]*), ", repr(ci.status(show=lambda _: None)))
    assert line is not None
    assert line[1] == everything["run"][0]
    return everything["run"]


def saved(count: int, **options: Any) -> None:
    connect()
    segment(count)
    ci.exports.save("Weekly", "All", to=NAME, **options)


def run_it() -> CiError | None:
    try:
        ci.exports.run("Weekly", show=lambda _: None)
    except CiError as error:
        return error
    return None


FAULTS = [
    # operation, faults, profiles, status, finished
    (APPLY, ["117"], 2_500, "Completed", True),
    (APPLY, ["109"], 2_500, "Completed", True),
    (APPLY, ["partial"], 2_500, "Completed with errors", True),
    (APPLY, ["none", "8003"], 2_500, "Completed with errors", True),
    (APPLY, ["8003"] * 4, 2_500, "Failed", True),
    (APPLY, ["none", *["lost_reply"] * 9], 2_500, "Failed", False),
    (APPLY, ["none", *["lost_request"] * 9], 2_500, "Failed", False),
    (APPLY, ["none", *["117"] * 30], 2_500, "Failed", False),
    ("GetBulkUploadUrl", ["106"], 12_000, "Failed", True),
    ("GetBulkUploadUrl", ["117"] * 30, 12_000, "Failed", False),
    ("AddAudiences", ["106"], 400, "Failed", True),
]


@pytest.mark.matrix
@pytest.mark.parametrize(("operation", "faults", "count", "status", "is_finished"), FAULTS)
def test_places_agree_after_a_fault_and_after_the_next_run(
    emulator: RunningEmulator,
    workspace: Workspace,
    operation: str,
    faults: list[str],
    count: int,
    status: str,
    is_finished: bool,
) -> None:
    saved(count)
    details: dict[str, Any] = {"indexes": [1]} if "partial" in faults else {}
    emulator.control(
        "POST",
        "/faults",
        [
            {"operation": operation, "call": number, "fault": fault, **details}
            for number, fault in enumerate(faults, 1)
            if fault != "none"
        ],
    )
    error = run_it()
    found = shown_by_all_places(workspace)
    assert found[0] == status
    (record,) = workspace.runs.latest(1)
    assert (record.finished_at is not None) == is_finished
    inside = len(emulator.members("All")) if "All" in emulator.audiences() else 0
    assert found[1] <= inside <= found[1] + found[3]
    if error is not None:
        assert ci.exports.history("Weekly", last=1).runs[0].reason
    emulator.control("POST", "/faults", [])
    if not is_finished:
        ci.runs.resume(record.id, show=lambda _: None)
        assert shown_by_all_places(workspace) == ("Completed", count, 0, 0)
        assert len(emulator.members("All")) == count


#: Faults of every way to send: operation, fault, number of consecutive calls, details.
STRIKES: list[tuple[str, str, int, dict[str, Any]]] = [
    (APPLY, "http_500", 30, {}),
    (APPLY, "http_429", 2, {}),
    (APPLY, "token_expired", 2, {}),
    (APPLY, "http_502_html", 30, {}),
    (APPLY, "partial", 2, {"indexes": [0, 7]}),
    ("UploadFile", "partial", 1, {"indexes": [0, 7]}),
    ("UploadFile", "list_error", 1, {}),
    ("UploadFile", "lost_reply", 30, {}),
    ("UploadFile", "status_Aborted", 1, {}),
    ("GetBulkUploadStatus", "lost_reply", 60, {}),
    ("GetBulkUploadStatus", "status_Failed", 1, {}),
    ("GetResultFile", "damaged_result", 30, {}),
    ("AddAudiences", "lost_reply", 1, {}),
    ("*", "http_503", 3, {}),
]


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["mirror", "replace"])
@pytest.mark.parametrize(("operation", "fault", "times", "details"), STRIKES)
def test_places_agree_after_any_fault(
    emulator: RunningEmulator,
    workspace: Workspace,
    mode: str,
    operation: str,
    fault: str,
    times: int,
    details: dict[str, Any],
) -> None:
    """Send in calls or files, depending on mode and count; the audience is new, so it contains only what was sent."""
    saved(2_500 if operation == APPLY else 10_500, mode=mode)
    planned = [{"operation": operation, "call": call, "fault": fault, **details} for call in range(1, times + 1)]
    emulator.control("POST", "/faults", planned)
    run_it()
    emulator.control("POST", "/faults", [])
    if len(workspace.runs) == 0:
        assert ci.exports.history("Weekly").runs[0].status in ("Failed", "Skipped")
        return
    _, accepted, _, unknown = shown_by_all_places(workspace)
    inside = len(emulator.members("All")) if "All" in emulator.audiences() else 0
    assert accepted <= inside <= accepted + unknown
    run_it()
    status, *_ = shown_by_all_places(workspace)
    assert status in ("Completed", "Completed with errors")


@pytest.mark.parametrize("mode", ["mirror", "add", "remove", "replace"])
def test_places_agree_when_a_consent_is_withdrawn_during_the_run(
    emulator: RunningEmulator, workspace: Workspace, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    if mode in ("remove", "replace"):
        export(segment(6_000))
    segment(6_000 if mode != "replace" else 5_000)
    ci.exports.save("Weekly", "All", to=NAME, mode=mode, allow_shrink=True, allow_empty=True)
    messages: list[str] = []

    sending = Journal.sending

    def withdrawing(journal: Journal, *arguments: Any, **options: Any) -> Any:
        answered = [each for each in workspace.steps if each.state == "answered" and each.stop > each.start]
        mine = [each for each in answered if each.push_id == journal.push.id]
        if (len(mine) >= 2 or mode == "replace") and not messages:
            ci.connections.withdraw_consents(NAME, show=messages.append)
        return sending(journal, *arguments, **options)

    monkeypatch.setattr(Journal, "sending", withdrawing)
    error = run_it()
    assert error is not None
    assert error.code == "consent_withdrawn"
    status, accepted, _rejected, unknown = shown_by_all_places(workspace)
    assert status == "Failed"
    assert "withdrawn" in ci.exports.history("Weekly", last=1).runs[0].reason
    inside = len(emulator.members("All"))
    (line,) = ci.exports.history("Weekly", last=1)
    if mode != "replace":
        assert accepted >= 2_000
        assert unknown == 0
    if mode in ("mirror", "add"):
        assert line.members == accepted == inside
    elif mode == "remove":
        assert line.members == inside == 6_000 - accepted
    else:
        assert line.members == inside == 6_000
    (kept,) = [each for each in messages if "keeps" in each]
    numbers = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", kept.split("keeps")[1])[:2]]
    assert numbers[0] <= inside <= max(numbers)


def test_withdrawal_says_what_the_audience_may_contain(emulator: RunningEmulator) -> None:
    saved(2_500)
    fail(emulator, APPLY, *["lost_reply"] * 30)  # more than three calls with their retries
    assert run_it() is not None
    messages: list[str] = []
    ci.connections.withdraw_consents(NAME, show=messages.append)
    (kept,) = [each for each in messages if "keeps" in each]
    low, high = (int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", kept.split("between")[1])[:2])
    assert low <= len(emulator.members("All")) <= high
    assert low < high


def test_withdrawal_does_not_count_foreign_members(emulator: RunningEmulator) -> None:
    connect()
    foreign_list(emulator, name="All")
    export(segment(400), mode="add")
    messages: list[str] = []
    ci.connections.withdraw_consents(NAME, show=messages.append)
    assert any("keeps at least 400 members" in each for each in messages)


def test_stopped_run_is_canceled_everywhere(
    workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(6_000)
    answered = Journal.answered
    calls: list[int] = []

    def stopping(journal: Journal, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        step = answered(journal, *arguments, **options)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return step

    monkeypatch.setattr(Journal, "answered", stopping)
    with pytest.raises(ExportStoppedError):
        ci.exports.run("Weekly")
    status, accepted, _, unknown = shown_by_all_places(workspace)
    assert status == "Canceled"
    assert accepted <= len(emulator.members("All")) <= accepted + unknown
    monkeypatch.undo()


def _killed(place: str, url: str, answer: Any) -> None:
    """Run the export until two calls are answered, then die."""
    os.environ |= {"CI_MAGICS_WORKSPACE": place, "CI_MAGICS_EMULATOR": url}
    SystemClock.sleep = lambda _clock, seconds: time.sleep(min(seconds, 0.02))  # type: ignore[method-assign]
    answered = Journal.answered
    calls: list[int] = []

    def dying(journal: Journal, *arguments: Any, **options: Any) -> Any:
        step = answered(journal, *arguments, **options)
        calls.append(1)
        if len(calls) == 2:
            answer.send("dies")
            os.kill(os.getpid(), 9)
        return step

    Journal.answered = dying  # type: ignore[method-assign]
    ci.exports.run("Weekly", show=lambda _: None)


def test_killed_run_failed_everywhere_and_resumed_run_completed_everywhere(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    saved(6_000)
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_killed, args=(os.environ["CI_MAGICS_WORKSPACE"], emulator.base_url, theirs))
    process.start()
    assert ours.recv() == "dies"
    process.join()
    status, accepted, _, unknown = shown_by_all_places(workspace)
    assert (status, accepted) == ("Failed", 2_000)
    assert accepted <= len(emulator.members("All")) <= accepted + unknown
    assert ci.exports.history("Weekly", last=1).runs[0].reason == INTERRUPTED
    (record,) = workspace.runs
    assert ci.runs.resume(record.id, show=lambda _: None).status == "Completed"
    assert shown_by_all_places(workspace) == ("Completed", 6_000, 0, 0)


def test_run_waiting_for_a_retry_is_queued_everywhere(workspace: Workspace, emulator: RunningEmulator) -> None:
    saved(2_500)
    now = datetime.now(UTC)
    due = (now - timedelta(minutes=1)).time()
    ci.exports.schedule("Weekly", at=[due], time_zone="UTC", clock=FrozenClock(now - timedelta(hours=2)))
    fail(emulator, APPLY, *["lost_reply"] * 30)
    report = refresh(due_only=True, show=lambda _: None)
    assert [each["status"] for each in report.exports] == ["Queued"]
    status, accepted, _, unknown = shown_by_all_places(workspace)
    assert status == "Queued"
    assert accepted <= len(emulator.members("All")) <= accepted + unknown
    assert "It is tried again at" in ci.exports.history("Weekly", last=1).runs[0].reason
