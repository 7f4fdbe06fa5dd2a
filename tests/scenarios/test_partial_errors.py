"""Scenarios 1 to 12: Microsoft accepts only a part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from contoso import calls, connect, email_of, export, fail, hash_of, hashes, people, resumed, segment

import ci_magics as ci
from ci_magics.activation.connections.services import open_services
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.plan_document import document_of
from ci_magics.activation.plans.planner import plan_work
from ci_magics.activation.plans.verdict import READY, Verdict
from ci_magics.activation.progress import silent
from ci_magics.activation.runs.push import RunContext
from ci_magics.activation.runs.start import start_run
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.errors import ExportRefusedError, OutcomeUnknownError, ServiceError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"


def test_01_one_rejected_row_leaves_the_others_accepted(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "partial", indexes=[1])
    run = export(segment(1_000))
    assert (run.status, run.accepted, run.rejected, run.unknown) == ("Completed with errors", 999, 1, 0)
    assert run.rejected_rows()[["key", "code"]].values.tolist() == [["k1", 8004]]
    assert emulator.members("All") == hashes(1_000) - {hash_of(email_of(1))}
    assert calls(emulator, APPLY) == 1


@pytest.mark.parametrize(
    "details", [{"indexes": [1_000]}, {"indexes": [-1]}, {"shape": "object"}, {"shape": "string"}, {"shape": "number"}]
)
def test_02_errors_without_a_row_leave_the_outcome_unknown(emulator: RunningEmulator, details: dict[str, Any]) -> None:
    connect()
    fail(emulator, APPLY, "partial", **details)
    with pytest.raises(OutcomeUnknownError, match=r"ci\.runs\.resume\("):
        export(segment(400))
    (record,) = ci.open_workspace().store.runs
    assert (record.results[0]["unknown"], record.results[0]["accepted"]) == (400, 0)
    assert resumed(record.name).accepted == 400


@pytest.mark.parametrize("shape", ["missing", "null"])
def test_02_response_without_errors_is_success(emulator: RunningEmulator, shape: str) -> None:
    connect()
    fail(emulator, APPLY, "partial", shape=shape, indexes=[])
    assert export(segment(400)).status == "Completed"


def test_03_two_profiles_with_one_rejected_hash_are_both_reported(emulator: RunningEmulator) -> None:
    connect()
    frame = pd.DataFrame({"Id": ["a", "b", "c"], "EMail": ["x@contoso.com", " X@contoso.com", "y@contoso.com"]})
    fail(emulator, APPLY, "partial", indexes=[0])
    run = export(ci.segment("All", frame))
    assert run.rejected == 1
    assert run.rejected_rows()["key"].tolist() == ["a", "b"]


def test_04_error_without_a_code_is_reported(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "partial", indexes=[0], code=None)
    rejected = export(segment(3)).rejected_rows()
    assert rejected["code"].isna().tolist() == [True]
    assert rejected["reason"].str.len().min() > 10


@pytest.mark.parametrize("fault", ["partial", "106"])
def test_05_messages_of_the_provider_are_never_shown(
    emulator: RunningEmulator, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connect()
    fail(emulator, APPLY, fault, message="p1@contoso.com was refused")
    try:
        run = export(segment(3))
        shown = f"{run!r} {run._repr_html_()} {run.rejected_rows().to_string()}"
    except ServiceError as error:
        shown = f"{error} {error!r} {''.join(error._render_traceback_())}"
    assert "contoso.com" not in shown + capsys.readouterr().out


def test_06_plain_items_are_rejected_and_hashes_accepted(emulator: RunningEmulator, workspace: Workspace) -> None:
    services = open_services(workspace, connect(), show=print)
    audience_id, _ = services.advertising.add_audience(
        "All", description="", scope="Account", parent_id="111", membership_days=-1
    )
    applied = services.advertising.apply(audience_id, "Add", [hash_of("x"), "x@contoso.com"], accept_terms=True)
    assert [(fault.index, fault.code) for fault in applied.faults] == [(1, 8004)]
    assert emulator.members("All") == {hash_of("x")}


def test_07_error_of_the_list_is_not_success(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "UploadFile", "list_error", code=8000)
    with pytest.raises(ServiceError) as refused:
        export(segment(12_000))
    assert refused.value.code == 8000
    (record,) = ci.open_workspace().store.runs
    assert (record.status, record.results[0]["accepted"], record.results[0]["rejected"]) == ("Failed", 0, 12_000)
    assert emulator.members("All") == set()


def test_08_result_columns_are_found_by_name(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "UploadFile", "partial", indexes=[7], reordered=True)
    run = export(segment(12_000))
    assert (run.accepted, run.rejected) == (11_999, 1)
    assert run.rejected_rows()["key"].tolist() == ["k7"]


def test_09_expired_result_url_is_requested_again(emulator: RunningEmulator) -> None:
    connect()
    faults = [
        {"operation": "UploadFile", "call": 1, "fault": "partial", "indexes": [7]},
        {"operation": "GetResultFile", "call": 1, "fault": "result_expired"},
    ]
    emulator.control("POST", "/faults", faults)
    run = export(segment(12_000))
    assert (run.accepted, run.rejected) == (11_999, 1)
    assert calls(emulator, "GetResultFile") == 2


def test_10_additions_stay_accepted_if_removals_fail(emulator: RunningEmulator) -> None:
    connect()
    export(segment(10))
    emulator.control("POST", "/faults", [{"operation": APPLY, "call": 2, "fault": "106"}])
    with pytest.raises(ServiceError):
        export(segment(10, start=3))
    record = list(ci.open_workspace().store.runs)[-1]
    assert (record.results[0]["added"], record.results[0]["removed"], record.results[0]["rejected"]) == (3, 0, 3)
    assert emulator.members("All") == hashes(13)
    run = export("All")
    assert (run.results[0].added, run.results[0].removed) == (0, 3)
    assert emulator.members("All") == hashes(10, start=3)


def test_11_nobody_is_added_and_removed_in_one_run(emulator: RunningEmulator, workspace: Workspace) -> None:
    connection, order, now = connect(), ExportOptions(), datetime.now(UTC)
    services = open_services(workspace, connection, show=print)
    segment(3)
    work = plan_work(workspace, services, connection, stored_segment(workspace, "All"), order, now)
    mixed = replace(work, changes=replace(work.changes, removes=work.changes.adds))
    document = document_of(connection, order, ["All"], (mixed,), now, Verdict(state=READY))
    with pytest.raises(ExportRefusedError, match="added and removed") as refused:
        start_run(RunContext(workspace, services, silent), document, connection, (mixed,))
    assert refused.value.code == "add_and_remove"
    assert calls(emulator, "AddAudiences") == 0


@pytest.mark.parametrize(("code", "words"), [(4853, "exists already"), (8003, "terms are not accepted")])
def test_12_refused_list_has_our_message_and_is_not_retried(emulator: RunningEmulator, code: int, words: str) -> None:
    connect()
    fail(emulator, "AddAudiences", "partial", indexes=[0], code=code)
    with pytest.raises(ServiceError, match=words) as refused:
        export(ci.segment("All", people(3)))
    assert refused.value.code == code
    assert refused.value.tracking_id
    assert calls(emulator, "AddAudiences") == 1
