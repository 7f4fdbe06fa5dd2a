"""Erasing a person: they are suppressed, removed from every audience, and deleted here, in this order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import contoso
import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.plans.ledger import read_ledger
from ci_magics.cli import main
from ci_magics.errors import AccessError, ArgumentError, CiError, ExportRefusedError, NotFoundError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"
JANE, BASIC = "Jane.Doe+news@contoso.com", contoso.hash_of("jane.doe+news@contoso.com")
ENHANCED = contoso.hash_of("janedoe@contoso.com")
WAYS = {"key": {"key": "k-jane"}, "basic": {"sha256": BASIC}, "enhanced": {"sha256": ENHANCED}}
WAYS["address"] = {"address": f" {JANE} "}


def quietly(_sentence: str) -> None:
    """Show nothing."""


def segment_with_jane(name: str = "All", count: int = 400) -> Any:
    jane = pd.DataFrame({"Id": ["k-jane"], "EMail": [JANE]})
    return ci.segment(name, pd.concat([contoso.people(count), jane], ignore_index=True), show=quietly)


@pytest.fixture
def sent(workspace: Workspace, emulator: RunningEmulator) -> None:
    """Put Jane into two segments, and into three audiences with three normalizations."""
    del workspace, emulator
    contoso.connect()
    made = segment_with_jane()
    contoso.export(made)
    for normalization in ("enhanced", "both"):
        contoso.export(segment_with_jane(normalization), normalization=normalization)


def bytes_stored(workspace: Workspace) -> bytes:
    found = []
    for files in (workspace.snapshots, workspace.ledgers, workspace.spool):
        for name in files.names():
            with files.reading(name) as file:
                found.append(file.read())
    assert found
    return b"".join(found)


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("way", WAYS)
def test_person_is_erased_from_audiences_and_files(workspace: Workspace, emulator: RunningEmulator, way: str) -> None:
    assert BASIC in emulator.members("All")
    assert ENHANCED in emulator.members("enhanced")
    assert {BASIC, ENHANCED} <= emulator.members("both")
    forgotten = forget(**WAYS[way], show=quietly)
    assert forgotten.erased
    assert forgotten.segments == ("All", "both", "enhanced")
    for name in ("All", "enhanced", "both"):
        assert not {BASIC, ENHANCED} & emulator.members(name)
        assert workspace.segments[name].rows == 400
    stored = bytes_stored(workspace)
    for trace in (bytes.fromhex(BASIC), bytes.fromhex(ENHANCED), b"k-jane"):
        assert trace not in stored
    for record in workspace.audiences:
        assert len(read_ledger(workspace, record).all) == record.members
        assert not {each.hex() for each in _hashes(workspace, record)} & {BASIC, ENHANCED}


def _hashes(workspace: Workspace, record: Any) -> list[bytes]:
    return [row.tobytes() for row in read_ledger(workspace, record).all.all()]


@pytest.mark.usefixtures("sent")
def test_source_that_still_contains_the_person_does_not_restore_them(emulator: RunningEmulator) -> None:
    forget(key="k-jane", show=quietly)
    made = segment_with_jane("All", 401)
    assert ci.preview(made).segments[0].reasons["suppressed"] == 1
    assert contoso.export(made).results[0].added == 1
    assert BASIC not in emulator.members("All")


@pytest.mark.usefixtures("sent")
def test_nothing_stored_is_deleted_while_an_audience_may_contain_the_person(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    contoso.fail(emulator, APPLY, "106")
    forgotten = forget(key="k-jane", show=quietly)
    assert not forgotten.erased
    assert [each.done for each in forgotten.audiences] == [False, True, True]
    assert "may not use this account" in repr(forgotten)
    assert "Nothing stored here was deleted" in repr(forgotten)
    assert len(workspace.forgotten) == 2
    again = forget(key="k-jane", show=quietly)
    assert again.erased
    assert BASIC not in emulator.members("All")


@pytest.mark.usefixtures("sent")
def test_person_is_erased_although_an_audience_no_longer_exists(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    [record] = [each for each in workspace.audiences if each.name == "All"]
    path = "/CampaignManagement/v13/Audiences"
    assert emulator.call("DELETE", path, {"AudienceIds": [record.audience_id]}).ok
    forgotten = forget(key="k-jane", show=quietly)
    assert forgotten.erased
    assert "it no longer exists" in repr(forgotten)
    assert not {each.hex() for each in _hashes(workspace, record)} & {BASIC, ENHANCED}


@pytest.mark.usefixtures("sent")
def test_hash_that_microsoft_refuses_to_remove_stops_the_erasure(emulator: RunningEmulator) -> None:
    contoso.fail(emulator, APPLY, *["partial"] * 3, code=8004)
    assert not forget(key="k-jane", show=quietly).erased
    assert BASIC in emulator.members("All")
    assert forget(key="k-jane", show=quietly).erased
    assert BASIC not in emulator.members("All")


@pytest.mark.usefixtures("sent")
def test_audience_of_an_account_without_a_connection_stops_the_erasure(workspace: Workspace) -> None:
    connection = workspace.connections[contoso.NAME]
    workspace.connections.put(replace(connection, account_id="112"))
    forgotten = forget(key="k-jane", show=quietly)
    assert not forgotten.erased
    assert "There is no longer a connection to its account" in repr(forgotten)


@pytest.mark.usefixtures("sent")
def test_suppressed_person_is_removed_by_the_next_export(emulator: RunningEmulator) -> None:
    contoso.fail(emulator, APPLY, *["106"] * 3)
    assert not forget(key="k-jane", show=quietly).erased
    assert contoso.export("All").results[0].removed == 1
    assert BASIC not in emulator.members("All")


@pytest.mark.usefixtures("sent")
def test_erasure_without_consent_sends_nothing_and_says_so() -> None:
    ci.connections.withdraw_consents(contoso.NAME, show=quietly)
    forgotten = forget(key="k-jane", show=quietly)
    assert not forgotten.erased
    assert "Nobody has agreed to data privacy" in repr(forgotten)


@pytest.mark.usefixtures("sent")
def test_unfinished_run_with_the_person_is_completed_first(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, APPLY, *["http_500"] * 5)
    with pytest.raises(CiError, match="resume"):
        contoso.export(segment_with_jane("New"))
    run = next(each for each in workspace.runs if each.finished_at is None)
    with pytest.raises(ExportRefusedError, match=f"The run {run.name} was not finished and still holds this person"):
        forget(key="k-jane", show=quietly)
    assert len(workspace.forgotten) == 2
    contoso.resumed(run.name)
    assert forget(key="k-jane", show=quietly).erased


@pytest.mark.usefixtures("sent")
def test_rejected_rows_of_the_person_are_deleted(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.fail(emulator, APPLY, "partial", indexes=[0])
    one = ci.segment("One", pd.DataFrame({"Id": ["k-jane"], "EMail": [JANE]}), show=quietly)
    run = contoso.export(one)
    assert run.rejected_rows()["key"].tolist() == ["k-jane"]
    assert forget(key="k-jane", show=quietly).erased
    assert b"k-jane" not in bytes_stored(workspace)


def test_ambiguous_key_is_asked_about() -> None:
    ci.segment("By id", contoso.people(3), show=quietly)
    other = contoso.people(3, start=10).rename(columns={"Id": "ContactId"})
    other["ContactId"] = ["k0", "k1", "k2"]
    ci.segment("By contact", other, key="ContactId", show=quietly)
    with pytest.raises(ArgumentError, match=r"'ContactId', 'Id'\. Say which one is meant with key_column"):
        forget(key="k0", show=quietly)
    assert forget(key="k0", key_column="Id", show=quietly).segments == ("By id",)
    assert ci.open_workspace().store.segments["By contact"].rows == 3


@pytest.mark.parametrize(
    ("who", "error", "words"),
    [
        ({}, ArgumentError, "Nothing says who is to be forgotten"),
        ({"key": "k", "sha256": BASIC}, ArgumentError, "A key and a hash are given"),
        ({"sha256": "abc"}, ArgumentError, "64 hexadecimal digits"),
        ({"address": "nobody"}, ArgumentError, "not a valid e-mail address"),
        ({"key": "jane@contoso.com"}, ArgumentError, "never given as an argument"),
        ({"key": "@jane"}, NotFoundError, "No segment has a profile with this key"),
        ({"key": "nobody", "key_column": "Passport"}, NotFoundError, "No segment has the key column 'Passport'"),
        ({"key": "nobody"}, NotFoundError, "No segment has a profile with this key"),
    ],
)
def test_unclear_person_is_not_erased(
    workspace: Workspace, who: dict[str, str], error: type[CiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        forget(**who, show=quietly)
    assert len(workspace.forgotten) == 0


def test_only_administrators_can_erase(as_user: Callable[..., Workspace]) -> None:
    as_user("ann", "contributor")
    with pytest.raises(AccessError, match="only administrators may forget a person"):
        forget(sha256=BASIC, show=quietly)


@pytest.mark.usefixtures("sent")
def test_erasure_is_audited_without_the_identity(workspace: Workspace) -> None:
    forgotten = forget(key="k-jane", show=quietly)
    entry = list(workspace.audit)[-1]
    assert (entry.verb, entry.facts) == ("forget_person", {"audiences": 3, "segments": 3, "completed": True})
    for shown in (repr(entry), repr(forgotten), repr(workspace.forgotten), json.dumps(forgotten.document())):
        assert not [trace for trace in ("jane", BASIC, ENHANCED) if trace in shown]


@pytest.mark.usefixtures("sent")
def test_command_reads_addresses_only_from_stdin(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contoso.fail(emulator, APPLY, "106")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{JANE}\n"))
    assert main(["forget", "--address"]) == 3
    assert "Nothing stored here was deleted" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{JANE}\n"))
    assert main(["forget", "--address", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["erased"], said["segments"]) == (True, ["All", "both", "enhanced"])
    assert main(["forget", "--key", JANE]) == 2
    assert "never given as an argument" in capsys.readouterr().err
    assert main(["forget", "--key", "a", "--sha256", BASIC]) == 2


def test_hashes_match_the_normalization_rules() -> None:
    row = ci.normalize([JANE], normalization="both").to_pylist()[0]
    assert (row["sha256"], row["sha256_enhanced"]) == (BASIC, ENHANCED)
    assert BASIC != ENHANCED


@pytest.mark.parametrize("place", ["segments.change", "snapshots.write_parts"])
@pytest.mark.parametrize("after", [1, 2])
def test_interrupted_erasure_leaves_correct_counts_and_no_example(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, place: str, after: int
) -> None:
    contoso.connect()
    for name in ("All", "More"):
        segment_with_jane(name)
    shelf, method = place.split(".")
    real, calls = getattr(getattr(workspace, shelf), method), iter(range(1, 100))

    def interrupted(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        if next(calls) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(getattr(workspace, shelf), method, interrupted)
        with pytest.raises(KeyboardInterrupt):
            forget(sha256=BASIC, show=quietly)
    assert forget(sha256=BASIC, show=quietly).erased
    for record in workspace.segments:
        assert (record.rows, record.examples) == (400, {})
        assert workspace.snapshots.read(record.id).num_rows == 400
