"""The lists of an account are listed, renamed, emptied and deleted; ledgers and records follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.activation.audiences.audience_list import AudienceList, audiences
from ci_magics.activation.plans.ledger import read_ledger
from ci_magics.errors import (
    AccessError,
    ArgumentError,
    CiError,
    ExportRefusedError,
    NotFoundError,
    OutcomeUnknownError,
    ServiceError,
)

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")


def quietly(_sentence: str) -> None:
    """Show nothing."""


def lists() -> AudienceList:
    return audiences(contoso.NAME, show=quietly)


@pytest.fixture
def filled(workspace: Workspace, emulator: RunningEmulator) -> AudienceList:
    """Return a list that was filled from here with three members, and a foreign list with two."""
    del workspace
    contoso.connect()
    contoso.export(contoso.segment(3))
    contoso.foreign_list(emulator, "Theirs")
    return lists()


def test_all_lists_are_shown_with_what_was_sent_from_here(filled: AudienceList, emulator: RunningEmulator) -> None:
    assert filled.names() == ["All", "Theirs"]
    ours, theirs = filled
    assert (ours.segment, ours.members, ours.scope, ours.membership_days) == ("All", 3, "Account", -1)
    assert (theirs.segment, theirs.members, theirs.search_size) == ("", None, None)
    emulator.control("POST", "/settings", {"match_rate": 1.0})
    emulator.control("POST", "/clock", {"advance_hours": 49})
    assert lists().audiences[0].search_size == 3
    for shown in (repr(filled), filled._repr_html_()):
        assert "EMULATOR: nothing left this machine" in shown
        assert "not filled from here" in shown
    assert list(filled.to_frame()["name"]) == ["All", "Theirs"]


def test_list_is_renamed_and_stays_in_sync(filled: AudienceList) -> None:
    assert filled.rename("All", "Everybody", confirm="All").names() == ["Everybody", "Theirs"]
    run = contoso.export(contoso.segment(4))
    assert (run.results[0].audience, run.results[0].added) == ("Everybody", 1)


@pytest.mark.parametrize("new", ["Theirs", " ", "x" * 129])
def test_invalid_name_is_refused(filled: AudienceList, new: str) -> None:
    with pytest.raises(CiError):
        filled.rename("All", new, confirm="All")
    assert lists().names() == ["All", "Theirs"]


@pytest.mark.parametrize("name", ["All", "Theirs"])
def test_emptying_removes_all_members_including_foreign_ones(
    filled: AudienceList, emulator: RunningEmulator, name: str
) -> None:
    assert emulator.members(name)
    filled.empty(emulator.audiences()[name]["Id"], confirm=name)
    assert emulator.members(name) == set()
    assert lists().names() == ["All", "Theirs"]


@pytest.mark.parametrize(("fault", "code"), [("status_Failed", 1011), ("list_error", 8000)])
def test_list_that_was_not_emptied_is_not_reported_as_empty(
    filled: AudienceList, workspace: Workspace, emulator: RunningEmulator, fault: str, code: int
) -> None:
    contoso.fail(emulator, "UploadFile", fault, code=code)
    with pytest.raises(ServiceError) as refused:
        filled.empty("All", confirm="All")
    assert refused.value.code == code
    assert len(emulator.members("All")) == 3
    filled.empty("All", confirm="All")
    assert emulator.members("All") == set()
    [record] = workspace.audiences
    assert record.members == 0


@pytest.mark.usefixtures("filled")
def test_next_export_fills_an_emptied_list_again(workspace: Workspace, emulator: RunningEmulator) -> None:
    lists().empty("All", confirm="All")
    (record,) = workspace.audiences
    assert (record.members, record.owned) == (0, True)
    assert len(read_ledger(workspace, record).all) == 0
    assert contoso.export("All").results[0].added == 3
    assert emulator.members("All") == contoso.hashes(3)


@pytest.mark.usefixtures("filled")
def test_ledger_is_uncertain_after_a_lost_response(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, "GetBulkUploadStatus", *["http_500"] * 5)
    with pytest.raises(ServiceError):
        lists().empty("All", confirm="All")
    (record,) = workspace.audiences
    ledger = read_ledger(workspace, record)
    assert (len(ledger.members), len(ledger.maybe)) == (0, 3)
    lists().empty("All", confirm="All")
    (record,) = workspace.audiences
    assert len(read_ledger(workspace, record).all) == 0


@pytest.mark.usefixtures("filled")
def test_deleted_list_is_forgotten_and_created_again(workspace: Workspace, emulator: RunningEmulator) -> None:
    before = emulator.audiences()["All"]["Id"]
    (record,) = workspace.audiences
    assert lists().delete("All", confirm="All").names() == ["Theirs"]
    assert list(workspace.audiences) == []
    assert not workspace.ledgers.exists(record.id)
    assert contoso.export("All").results[0].added == 3
    assert emulator.audiences()["All"]["Id"] != before


@pytest.mark.parametrize("confirm", ["", "all", "Theirs"])
def test_nothing_happens_without_confirming_the_name(
    filled: AudienceList, emulator: RunningEmulator, confirm: str
) -> None:
    changes: list[Callable[[], Any]] = [
        lambda: filled.rename("All", "X", confirm=confirm),
        lambda: filled.empty("All", confirm=confirm),
        lambda: filled.delete("All", confirm=confirm),
    ]
    for change in changes:
        with pytest.raises(ArgumentError, match="confirm it by its name; this one is 'All'"):
            change()
    assert emulator.members("All") == contoso.hashes(3)


def test_unknown_list_suggests_the_nearest(filled: AudienceList) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'Theirs'"):
        filled.delete("Their", confirm="Their")


def test_removing_data_needs_no_consent(filled: AudienceList, emulator: RunningEmulator) -> None:
    ci.connections.withdraw_consents(contoso.NAME, show=quietly)
    filled.empty("All", confirm="All")
    assert emulator.members("All") == set()
    assert filled.delete("All", confirm="All").names() == ["Theirs"]


@pytest.mark.usefixtures("filled")
def test_unfinished_run_is_abandoned_when_its_list_is_emptied(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, "ApplyCustomerListUserData", *["http_500"] * 5)
    with pytest.raises(CiError, match="resume"):
        contoso.export(contoso.segment(5))
    said: list[str] = []
    audiences(contoso.NAME, show=said.append).empty("All", confirm="All")
    run = list(workspace.runs)[-1]
    assert f"The run {run.name} was not finished and is given up for this audience." in said
    assert (run.status, run.finished_at is not None) == ("Canceled", True)
    assert contoso.export("All").results[0].added == 5


def test_list_of_a_running_export_is_left_alone(filled: AudienceList, workspace: Workspace) -> None:
    run = list(workspace.runs)[-1]
    workspace.locks.take(f"emulator:{filled.audiences[0].id}", run.id)
    with pytest.raises(ExportRefusedError, match=rf"The run {run.name} of .* is sending to the audience 'All'"):
        filled.empty("All", confirm="All")
    workspace.locks.release(run.id)
    filled.empty("All", confirm="All")


def test_list_that_is_being_changed_is_left_alone_without_blaming_a_run(
    filled: AudienceList, workspace: Workspace
) -> None:
    workspace.locks.take(f"emulator:{filled.audiences[0].id}", "a-change")
    with pytest.raises(ExportRefusedError, match=r"is changing the audience 'All' on .* at this moment"):
        filled.empty("All", confirm="All")


def test_list_in_use_cannot_be_deleted_and_the_reason_is_given(filled: AudienceList, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, "DeleteAudiences", "4854")
    with pytest.raises(ServiceError, match="used by an ad group"):
        filled.delete("All", confirm="All")
    assert lists().audiences[0].members == 3


def test_lost_deletion_is_verified_by_listing(filled: AudienceList, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, "DeleteAudiences", "lost_reply")
    assert filled.delete("All", confirm="All").names() == ["Theirs"]
    contoso.fail(emulator, "DeleteAudiences", "lost_request")
    with pytest.raises(OutcomeUnknownError):
        filled.delete("Theirs", confirm="Theirs")


def test_contributors_can_list_and_rename_but_not_delete(
    filled: AudienceList, as_user: Callable[..., Workspace]
) -> None:
    ci.connect(contoso.NAME, share=["contributor"])
    del filled
    as_user("ann", "contributor")
    assert lists().rename("All", "Everybody", confirm="All").names() == ["Everybody", "Theirs"]
    for change in (lists().empty, lists().delete):
        with pytest.raises(AccessError, match="only administrators may"):
            change("Everybody", confirm="Everybody")


def test_changes_of_lists_are_audited(filled: AudienceList, workspace: Workspace) -> None:
    filled.rename("All", "Everybody", confirm="All")
    filled.empty("Everybody", confirm="Everybody")
    filled.delete("Everybody", confirm="Everybody")
    done = [(each.verb, each.subject) for each in workspace.audit][-3:]
    assert done == [
        ("rename_audience", "All"),
        ("empty_audience", "Everybody"),
        ("delete_audience", "Everybody"),
    ]
    assert {each.facts["connection"] for each in list(workspace.audit)[-3:]} == {contoso.NAME}
