from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from contoso import connect, export, hash_of, people

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.progress import Progress
from ci_magics.activation.run import Run
from ci_magics.errors import (
    ArgumentError,
    CiError,
    ConsentError,
    ExportRefusedError,
    NotFoundError,
    SegmentError,
    ServiceError,
)
from ci_magics.sample import customers

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")


@pytest.mark.parametrize("count", [400, 12_000])
def test_segment_becomes_an_audience(emulator: RunningEmulator, count: int) -> None:
    connect()
    run = export(ci.segment("All", people(count)))
    assert (run.status, run.accepted, run.rejected, run.unknown) == ("Completed", count, 0, 0)
    assert emulator.members("All") == {hash_of(f"p{number}@contoso.com") for number in range(count)}
    assert run.tracking_ids
    by_file = "UploadFile" in emulator.operations()
    assert by_file is (count > 10_000)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("All", "All"), r"The segment 'All' is named twice\. Name it once\."),
        (
            ("All", "ALL"),
            r"The names 'All' and 'ALL' differ only in capital letters, so both would fill one audience\.",
        ),
    ],
)
def test_segments_of_one_audience_cannot_be_exported_together(names: tuple[str, str], says: str) -> None:
    connect()
    for name in set(names):
        ci.segment(name, people(3))
    with pytest.raises(ArgumentError, match=says):
        ci.export(*names, to="Contoso EU")


@pytest.mark.parametrize(
    ("mode", "says"), [("mirror", "everybody is to leave the audience"), ("add", "use allow_empty=True.")]
)
def test_effect_of_an_empty_segment_depends_on_the_mode(mode: str, says: str) -> None:
    connect()
    ci.segment("Nobody", people(3), where="false")
    with pytest.raises(ExportRefusedError) as refused:
        ci.export("Nobody", to="Contoso EU", mode=mode)
    assert "The segment 'Nobody' has no profiles" in refused.value.sentence
    assert says in refused.value.next_step
    assert ("everybody" in refused.value.next_step) == (mode == "mirror")


def test_new_audience_belongs_to_the_account_and_does_not_expire(emulator: RunningEmulator) -> None:
    connect()
    export(ci.segment("All", people(3)))
    answer = emulator.call(
        "POST", "/CampaignManagement/v13/Audiences/QueryByIds", {"AudienceIds": None, "Type": "CustomerList"}
    ).json()
    (audience,) = answer["Audiences"]
    assert (audience["MembershipDuration"], audience["Scope"], audience["ParentId"]) == (-1, "Account", "111")


def test_dry_run_changes_nothing(emulator: RunningEmulator) -> None:
    connect()
    plan = ci.plan(ci.segment("All", people(400)), to="Contoso EU")
    assert isinstance(plan, Plan)
    assert plan.to_frame()[["action", "adds", "removes"]].values.tolist() == [["create", 400, 0]]
    assert repr(plan).startswith("EMULATOR: nothing left this machine")
    assert emulator.audiences() == {}
    assert plan.apply().status == "Completed"
    assert emulator.audiences()["All"]["members"] == 400


@pytest.mark.parametrize("count", [500, 12_000])
def test_second_export_sends_only_changes(emulator: RunningEmulator, count: int) -> None:
    connect()
    export(ci.segment("All", people(count)))
    before = len(emulator.operations())
    run = export(ci.segment("All", people(count, start=100)))
    (result,) = run.results
    assert (result.added, result.removed, result.unchanged) == (100, 100, count - 100)
    assert emulator.members("All") == {hash_of(f"p{number}@contoso.com") for number in range(100, count + 100)}
    assert "UploadFile" not in emulator.operations()[before:]


def test_only_hashes_are_sent(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    connect()
    frame = customers(20_000)
    ci.preview(ci.segment("Sample", frame, where="MarketingConsent"), to="Contoso EU")
    export("Sample")
    ci.status("Sample")
    sent = [line for line in emulator.control("GET", "/requests") if line["operation"]]
    assert {"UploadFile", "AddAudiences", "GetBulkUploadStatus"} <= {line["operation"] for line in sent}
    texts = [" ".join([line["path"], *line["headers"].values(), _readable(line["body"])]).lower() for line in sent]
    assert not [line["operation"] for line, text in zip(sent, texts, strict=True) if "@" in text]
    names = {name.lower() for column in ("FirstName", "LastName", "City") for name in frame[column]}
    words = {word for text in texts for word in _words(text)}
    assert not words & names
    assert not words & set(frame["CustomerId"].str.lower())


def _readable(body: str) -> str:
    raw = body.encode("latin-1")
    start = raw.find(b"PK\x03\x04")
    if start < 0:
        return body
    end = raw.rfind(b"PK\x05\x06") + 22
    with zipfile.ZipFile(BytesIO(raw[start:end])) as archive:
        return archive.read(archive.namelist()[0]).decode()


def _words(text: str) -> set[str]:
    return set("".join(letter if letter.isalnum() or letter == "-" else " " for letter in text).split())


def test_both_rules_send_both_hashes(emulator: RunningEmulator) -> None:
    connect()
    export(ci.segment("All", pd.DataFrame({"email": ["j.o+x@b.com", "ab@c.com"]})), normalization="both")
    assert emulator.members("All") == {hash_of("j.o+x@b.com"), hash_of("jo@b.com"), hash_of("ab@c.com")}


def test_audience_keeps_its_normalization() -> None:
    connect()
    export(ci.segment("All", people(3)))
    with pytest.raises(ExportRefusedError, match="normalization basic"):
        export("All", normalization="enhanced")


def test_each_segment_gets_its_audience(emulator: RunningEmulator) -> None:
    connect()
    run = ci.export(ci.segment("One", people(3)), ci.segment("Two", people(4)), to="Contoso EU")
    assert isinstance(run, Run)
    assert [(each.audience, each.added) for each in run.results] == [("One", 3), ("Two", 4)]
    assert {name: each["members"] for name, each in emulator.audiences().items()} == {"One": 3, "Two": 4}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"agree": False, "accept_terms": True}, "data privacy"),
        ({"agree": True, "accept_terms": False}, "Customer Match"),
    ],
)
def test_nothing_is_sent_without_a_consent(emulator: RunningEmulator, given: dict[str, bool], missing: str) -> None:
    connect(**given)
    with pytest.raises(ConsentError, match=missing) as refused:
        export(ci.segment("All", people(3)))
    assert "agree=True" in str(refused.value) or "accept_terms=True" in str(refused.value)
    assert emulator.audiences() == {}


def test_plan_is_not_applied_after_a_consent_was_withdrawn(emulator: RunningEmulator) -> None:
    connect()
    plan = ci.plan(ci.segment("All", people(3)), to="Contoso EU")
    assert isinstance(plan, Plan)
    ci.connect("Contoso EU", withdraw=True)
    with pytest.raises(ConsentError):
        plan.apply()
    assert emulator.audiences() == {}


@pytest.mark.parametrize(
    ("emails", "words"),
    [([], "no profiles"), (["bad", None, "x y@z.com"], "No profile of the segment 'S' has a valid")],
)
def test_unmatchable_segment_is_refused_before_anything_is_sent(
    emulator: RunningEmulator, emails: list[str | None], words: str
) -> None:
    connect()
    with pytest.raises(ExportRefusedError, match=words):
        export(ci.segment("S", pd.DataFrame({"email": pd.Series(emails, dtype=object)})))
    assert emulator.audiences() == {}


def test_foreign_audience_is_not_touched(emulator: RunningEmulator) -> None:
    item = {"Type": "CustomerList", "Name": "All", "Scope": "Account", "ParentId": "111"}
    emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [item]})
    connect()
    with pytest.raises(ExportRefusedError, match="not filled from here"):
        export(ci.segment("All", people(3)))
    assert emulator.audiences()["All"]["members"] == 0


def test_another_emulator_gets_a_new_audience(
    emulator: RunningEmulator, another_emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    export(ci.segment("All", people(3)))
    monkeypatch.setenv("CI_MAGICS_EMULATOR", another_emulator.base_url)
    assert export("All").accepted == 3
    assert another_emulator.audiences()["All"]["members"] == 3
    assert emulator.audiences()["All"]["members"] == 3


def test_consent_column_must_be_used_or_ignored_explicitly(emulator: RunningEmulator) -> None:
    connect()
    frame = people(4).assign(MarketingConsent=[True, False, None, True])
    with pytest.raises(ExportRefusedError, match="MarketingConsent"):
        export(ci.segment("All", frame))
    assert export("All", consent="MarketingConsent").accepted == 2
    assert emulator.members("All") == {hash_of("p0@contoso.com"), hash_of("p3@contoso.com")}
    assert export("All", ignore_consent=True).accepted == 2
    with pytest.raises(SegmentError, match="Did you mean 'MarketingConsent'"):
        export("All", consent="MarketingConsnt")


def test_opt_out_column_is_inverted(emulator: RunningEmulator) -> None:
    connect()
    frame = people(3).assign(doNotBulkEmail=[True, False, None])
    assert export(ci.segment("All", frame), consent="doNotBulkEmail").accepted == 1
    assert emulator.members("All") == {hash_of("p1@contoso.com")}


def test_consent_column_in_the_condition_is_used() -> None:
    connect()
    frame = people(3).assign(MarketingConsent=[True, False, True])
    assert export(ci.segment("All", frame, where="MarketingConsent")).accepted == 2


def test_mixed_values_need_permission(emulator: RunningEmulator) -> None:
    connect()
    frame = pd.DataFrame({"email": ["a@contoso.com", hash_of("b@contoso.com").upper()]})
    with pytest.raises(ExportRefusedError, match="mixes addresses and hashes"):
        export(ci.segment("All", frame))
    export("All", allow_mixed=True)
    assert emulator.members("All") == {hash_of("a@contoso.com"), hash_of("b@contoso.com")}


@pytest.mark.parametrize("count", [3, 12_000])
def test_rejected_profiles_are_returned_by_key(emulator: RunningEmulator, count: int) -> None:
    connect()
    if count == 3:
        emulator.control(
            "POST",
            "/faults",
            [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "partial", "indexes": [1], "code": 8004}],
        )
        run = export(ci.segment("All", people(count)))
        assert (run.status, run.accepted, run.rejected) == ("Completed with errors", 2, 1)
        rejected = run.rejected_rows()
        assert rejected[["segment", "key", "code"]].values.tolist() == [["All", "k1", 8004]]
        assert "@" not in rejected.to_string()
    else:
        run = export(ci.segment("All", people(count)))
        assert run.rejected_rows().empty


def test_list_that_rejects_everything_is_an_error(emulator: RunningEmulator) -> None:
    connect()
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "8003"}])
    with pytest.raises(ServiceError) as refused:
        export(ci.segment("All", people(3)))
    assert refused.value.code == 8003
    assert refused.value.tracking_id
    (run,) = ci.open_workspace().store.runs
    assert run.status == "Failed"
    assert run.results[0]["added"] == 0


def test_unanswered_requests_are_not_reported_as_sent(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", lambda _clock, _seconds: None)
    connect()
    lost = [{"operation": "ApplyCustomerListUserData", "call": n, "fault": "lost_reply"} for n in range(1, 6)]
    emulator.control("POST", "/faults", lost)
    with pytest.raises(CiError, match=r"may or may not.*0 of 3 hashes were accepted; finish it: "):
        export(ci.segment("All", people(3)))
    (run,) = ci.open_workspace().store.runs
    assert (run.status, run.results[0]["added"], run.results[0]["unknown"]) == ("Failed", 0, 3)


def test_failed_upload_is_unknown_and_sent_again(emulator: RunningEmulator) -> None:
    connect()
    emulator.control("POST", "/faults", [{"operation": "GetBulkUploadStatus", "call": 1, "fault": "status_Failed"}])
    with pytest.raises(CiError, match="Failed"):
        export(ci.segment("All", people(12_000)))
    (run,) = ci.open_workspace().store.runs
    assert (run.results[0]["unknown"], run.results[0]["added"]) == (12_000, 0)
    again = ci.runs.resume(run.name)
    assert (again.status, again.accepted) == ("Completed", 12_000)
    assert emulator.audiences()["All"]["members"] == 12_000


@pytest.mark.matrix
@pytest.mark.parametrize(
    "fault", ["117", "109", "0", "http_502_html", "empty_body", "token_expired", "lost_reply", "lost_request"]
)
def test_transient_faults_are_waited_out(
    emulator: RunningEmulator, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", lambda _clock, seconds: waits.append(seconds))
    connect()
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": fault}])
    said: list[str] = []
    run = export(ci.segment("All", people(3)), show=said.append)
    assert (run.status, run.accepted) == ("Completed", 3)
    assert emulator.audiences()["All"]["members"] == 3
    if fault == "117":
        assert waits == [60.0]
        assert "Trying again in 60 s" in said[0]


def test_progress_counts_profiles() -> None:
    connect()
    seen: list[Progress] = []
    export(ci.segment("All", people(12_000)), progress=seen.append)
    assert {"Uploading", "Creating the audience All"} <= {each.step for each in seen}
    assert seen[-1].done == seen[-1].total == 12_000


@pytest.mark.parametrize(
    ("segment", "to", "nearest"), [("Al", "Contoso EU", "'All'"), ("All", "Contoso UE", "'Contoso EU'")]
)
def test_unknown_names_suggest_the_nearest(segment: str, to: str, nearest: str) -> None:
    connect()
    ci.segment("All", people(3))
    with pytest.raises(NotFoundError, match=f"Did you mean {nearest}"):
        ci.export(segment, to=to)


def test_frame_is_not_a_segment() -> None:
    connect()
    with pytest.raises(CiError, match="Make it a segment first"):
        ci.export(people(3), to="Contoso EU")  # type: ignore[arg-type]


def test_replaced_segment_value_is_not_exported() -> None:
    connect()
    old = ci.segment("All", people(3))
    ci.segment("All", people(4))
    with pytest.raises(NotFoundError, match="replaced or deleted"):
        export(old)


def test_status_shows_sizes_once_microsoft_has_them(emulator: RunningEmulator) -> None:
    connect()
    export(ci.segment("All", people(1_000)))
    assert "not counted yet" in repr(ci.status("All"))
    emulator.control("POST", "/clock", {"advance_hours": 48})
    (audience,) = ci.status("All").audiences
    assert audience.search_size is not None
    assert 500 < audience.search_size < 700
    assert audience.match_rate == audience.search_size / 1_000


def test_disk_contains_no_address(workspace: Workspace) -> None:
    connect()
    export(ci.segment("Sample", customers(2_000), where="MarketingConsent"))
    stored = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert len(stored) > 2
    for path in stored:
        content = path.read_bytes().replace(b"*@", b"")  # masked examples
        assert b"@contoso.com" not in content
        assert b"@mail.example.com" not in content
        assert path.stat().st_mode & 0o077 == 0
