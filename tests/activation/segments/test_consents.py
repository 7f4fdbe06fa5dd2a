"""Consents from the source to the audience: who is sent, what is asked, and what is remembered."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import RunningEmulator
from sqlalchemy import create_engine

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.run import Run
from ci_magics.errors import ExportRefusedError, SegmentError
from ci_magics.workspace.store import Workspace

EU = "Contoso EU"


def people(count: int, **columns: Any) -> pd.DataFrame:
    emails = [f"p{number}@contoso.com" for number in range(count)]
    return pd.DataFrame({"CustomerId": range(1, count + 1), "EMail": emails, **columns})


def hashes(*numbers: int) -> set[str]:
    return {hashlib.sha256(f"p{number}@contoso.com".encode()).hexdigest() for number in numbers}


@pytest.fixture(autouse=True)
def _connected(emulator: RunningEmulator) -> None:  # noqa: ARG001
    ci.connect(EU, environment="emulator", customer_id="222", account_id="111", agree=True, accept_terms=True)


def export(*segments: Any, **how: Any) -> Run:
    run = ci.export(*segments, to=EU, show=lambda _sentence: None, **how)
    assert isinstance(run, Run)
    return run


def planned(*segments: Any, **how: Any) -> Plan:
    plan = ci.plan(*segments, to=EU, **how)
    assert isinstance(plan, Plan)
    return plan


def code(*segments: Any, **how: Any) -> str:
    with pytest.raises(ExportRefusedError) as refused:
        export(*segments, **how)
    return str(refused.value.code)


@pytest.mark.parametrize(
    ("column", "condition", "values"),
    [
        ("marketing_opt_in", "marketing_opt_in = 'N'", ["N", "Y", "N"]),
        ("OptedOut", "OptedOut", [True, False, True]),
        ("Consent status", "\"Consent status\" <> 'granted'", ["withdrawn", "granted", "denied"]),
        ("Newsletter (ja/nein)", "\"Newsletter (ja/nein)\" = 'nein'", ["nein", "ja", "nein"]),
    ],
)
def test_refusal_is_not_consent_although_the_condition_uses_the_column(
    emulator: RunningEmulator, column: str, condition: str, values: list[Any]
) -> None:
    made = ci.segment("S", people(3, **{column: values}), where=condition)
    assert (made.consent.consented, made.consent.refused) == (0, 2)
    assert code(made) == "consent_not_used"
    assert code(made, consent=column) == "nothing_sendable"
    assert emulator.audiences() == {}


@pytest.mark.parametrize(
    "values", [["Y", "N", "Y"], [True, False, True], [1, 0, 1], ["opted-in", "opted-out", "opted-in"]]
)
def test_segment_with_full_consent_needs_no_choice(emulator: RunningEmulator, values: list[Any]) -> None:
    frame = people(3, OptIn=values)
    export(ci.segment("Before", frame[frame.OptIn == values[0]]))
    kept = f"'{values[0]}'" if isinstance(values[0], str) else str(values[0])
    export(ci.segment("By condition", frame, where=f"OptIn = {kept}"))
    assert emulator.members("Before") == emulator.members("By condition") == hashes(0, 2)


def test_refusals_are_sent_only_if_ignored_explicitly_and_audited(
    emulator: RunningEmulator, workspace: Workspace
) -> None:
    made = ci.segment("S", people(4, OptIn=["yes", "no", None, "yes"]))
    assert "1 person refused marketing" in planned(made).guards[0]
    run = export(made, ignore_consent=True)
    assert emulator.members("S") == hashes(0, 1, 2, 3)
    assert "consent is ignored" in repr(run)
    (entry,) = [each for each in workspace.audit if each.facts.get("run") == run.id]
    assert "ignore_consent" in entry.facts["overridden"]
    assert "1 refused" in str(entry.facts["consent"])
    export(made, consent="OptIn")
    assert emulator.members("S") == hashes(0, 3)
    export(made)  # the choice applies to the next export too
    assert emulator.members("S") == hashes(0, 3)


def test_preview_plan_segment_and_receipt_count_consents() -> None:
    made = ci.segment("S", people(6, OptIn=["yes", "no", None, "yes", "no", "pending"]))
    words = "Consent by OptIn: 2 consented, 2 refused, 2 unknown"
    assert words in repr(made)
    assert words in made._repr_html_()
    coverage = ci.preview(made)
    (numbers,) = coverage.segments
    assert (numbers.sendable, numbers.reasons["refused"], numbers.reasons["no_consent"]) == (2, 2, 2)
    assert numbers.unique == 6
    assert words in repr(coverage)
    assert "ignore_consent=True" in coverage.warnings[0]
    assert ci.preview(made, ignore_consent=True).segments[0].sendable == 6
    frame = coverage.to_frame()
    assert frame[frame.kind == "consent"]["count"].tolist() == [2, 2, 2]
    plan = planned(made, consent="OptIn")
    assert (plan.audiences[0].adds, plan.guards[0][:5]) == (2, "S: an")
    assert words in repr(plan)
    assert plan.to_dict()["audiences"][0]["consent"]["refused"] == 2
    assert words in repr(export(made, consent="OptIn"))


@pytest.mark.parametrize("normalization", ["basic", "enhanced", "both"])
def test_address_with_one_refusal_is_not_sent(emulator: RunningEmulator, normalization: str) -> None:
    frame = people(5, OptIn=["yes", "yes", "no", None, "yes"])
    frame.loc[[1, 2], "EMail"] = "P1@contoso.com"
    frame.loc[[3, 4], "EMail"] = "p3@contoso.com"
    ci.segment("S", frame, consent="OptIn")
    (numbers,) = ci.preview("S", normalization=normalization).segments
    assert (numbers.unique, numbers.sendable, numbers.reasons["duplicate"]) == (3, 2, 2)
    assert (numbers.reasons["refused"], numbers.reasons["no_consent"]) == (1, 0)
    export("S", normalization=normalization)
    assert emulator.members("S") == hashes(0, 3)


@pytest.mark.parametrize("mode", ["mirror", "add", "replace"])
def test_withdrawn_consent_removes_the_person_from_the_audience(emulator: RunningEmulator, mode: str) -> None:
    export(ci.segment("S", people(4, OptIn=["Y"] * 4)))
    ci.segment("S", people(4, OptIn=["Y", "N", "Y", "Y"]), consent="OptIn", show=lambda _sentence: None)
    export("S", mode=mode)
    assert emulator.members("S") == hashes(0, 2, 3)


def test_refusals_are_counted_in_addition_to_suppressions(emulator: RunningEmulator) -> None:
    frame = people(6, OptIn=["yes", "no", "yes", "yes", "no", None])
    ci.segment("Left", frame[frame.CustomerId.isin([1, 2])])
    ci.segment("S", frame, consent="OptIn")
    (numbers,) = ci.preview("S", exclude=["Left"]).segments
    assert [numbers.reasons[each] for each in ("suppressed", "refused", "no_consent")] == [2, 1, 1]
    assert numbers.sendable == 2
    export("S", exclude=["Left"])
    assert emulator.members("S") == hashes(2, 3)


def test_removing_people_needs_no_consent(emulator: RunningEmulator) -> None:
    made = ci.segment("S", people(3, OptIn=["yes", "no", "no"]))
    export(made, ignore_consent=True)
    export(made, mode="remove")
    assert emulator.members("S") == set()


def test_choice_is_remembered_by_the_columns_of_a_frame(emulator: RunningEmulator) -> None:
    frame = people(4, flag=["A", "B", "A", None])
    ci.segment("First", frame, consent="flag", consent_yes="A")
    again = ci.segment("Again", frame.iloc[:3])
    assert (again.consent.columns, again.consent.yes, again.consent.how) == (("flag",), ("A",), "remembered")
    assert "where A means yes, as chosen before" in repr(again)
    export(again)
    assert emulator.members("Again") == hashes(0, 2)
    other = ci.segment("Other", frame.assign(more=1))
    assert not other.consent.known


def test_choice_is_remembered_by_file_and_used_by_a_refresh(emulator: RunningEmulator, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    people(4, flag=["A", "B", "A", "A"]).to_csv(file, index=False)
    ci.segment("S", str(file), consent="flag", consent_yes=["A"])
    people(4, flag=["A", "B", "B", "A"]).to_csv(file, index=False)
    ci.segments.refresh("S", show=lambda _sentence: None)
    export("S")
    assert emulator.members("S") == hashes(0, 3)
    assert ci.segment("T", str(file)).consent.how == "remembered"


def test_unknown_values_are_asked_about_once(emulator: RunningEmulator) -> None:
    said: list[str] = []
    frame = people(5, Newsletter=["weekly", "never", "monthly", "weekly", None])
    made = ci.segment("S", frame, show=said.append)
    (asked,) = said
    assert asked.startswith("It is not known what these values of Newsletter mean: 'weekly' (2), 'monthly' (1). ")
    assert 'consent_yes="weekly"' in asked
    with pytest.raises(ExportRefusedError, match="'weekly'"):
        export(made)
    with pytest.raises(ExportRefusedError, match="'weekly'"):
        export(made, consent="Newsletter")
    export(made, consent_yes="Weekly")
    assert emulator.members("S") == hashes(0, 3)
    export(made)
    assert ci.segment("Next", frame, show=said.append).consent.consented == 2
    assert len(said) == 1


def test_too_many_values_are_not_stored() -> None:
    frame = people(30, OptIn=[f"text {number}" for number in range(30)])
    made = ci.segment("S", frame, show=lambda _sentence: None)
    assert (len(made.consent.asked), made.consent.unknown) == (20, 30)
    addresses = ci.segment("T", people(2, OptIn=["eva@contoso.com", "jan@contoso.com"]))
    assert (addresses.consent.asked, addresses.consent.unknown) == ({}, 2)


def test_snapshot_contains_states_and_no_values(workspace: Workspace) -> None:
    made = ci.segment(
        "S", people(3, OptIn=["Ja, per Fax an Frau Weber", "ja", "nein"]), consent_yes="Ja, per Fax an Frau Weber"
    )
    table = workspace.snapshots.read(made.id)
    assert [name for name in table.column_names if name not in ("key", "prehashed")][-1] == "consent_state"
    assert table["consent_state"].to_pylist() == ["y", "y", "n"]
    assert "OptIn" not in table.column_names


def test_same_people_with_other_consents_are_another_version(workspace: Workspace) -> None:
    first = ci.segment("S", people(2, OptIn=["Y", "Y"]))
    second = ci.segment("S", people(2, OptIn=["Y", "N"]), show=lambda _sentence: None)
    assert first.id != second.id
    assert workspace.segments["S"].consent["refused"] == 1


@pytest.mark.parametrize("key", ["CustomerId", "EMail"])
def test_query_without_the_consent_column_looks_it_up(emulator: RunningEmulator, key: str) -> None:
    customers = people(4, OptIn=["Y", "N", None, "Y"])
    selected = "CustomerId, EMail" if key == "CustomerId" else "EMail"
    sql = f"SELECT {selected} FROM customers WHERE CustomerId <> 4"
    made = ci.segment("S", sql, frames={"customers": customers})
    assert (made.consent.consented, made.consent.refused, made.consent.unknown) == (1, 1, 1)
    assert code(made) == "consent_not_used"
    export(made, consent="OptIn")
    assert emulator.members("S") == hashes(0)


def test_query_over_files_and_segments_looks_consent_up(tmp_path: Path) -> None:
    people(4, OptIn=["Y", "N", None, "Y"]).to_parquet(tmp_path / "people.parquet")
    files = ci.segment("Files", f"SELECT CustomerId, EMail FROM '{tmp_path}/people.parquet'")
    assert (files.consent.columns, files.consent.refused) == (("OptIn",), 1)
    bare = people(4)
    joined = ci.segment("Joined", "SELECT bare.* FROM bare JOIN Files USING (CustomerId)", frames={"bare": bare})
    assert (joined.consent.consented, joined.consent.refused, joined.consent.unknown) == (2, 1, 1)


def test_query_in_a_database_looks_consent_up(emulator: RunningEmulator, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.sqlite")
    people(4, OptIn=[1, 0, None, 1]).to_sql("customers", engine, index=False)
    made = ci.segment("S", 'SELECT "CustomerId", "EMail" FROM "customers" c WHERE c."CustomerId" < 4', database=engine)
    assert (made.consent.consented, made.consent.refused, made.consent.unknown) == (1, 1, 1)
    assert ci.segment("T", 'SELECT "EMail" FROM customers', database=engine, consent="OptIn").consent.how == "chosen"
    export("T")
    assert emulator.members("T") == hashes(0, 3)


def test_people_whose_consent_is_not_found_are_not_sent_silently(emulator: RunningEmulator) -> None:
    customers = people(2, OptIn=["Y", "N"])
    made = ci.segment("S", "SELECT lower(EMail) AS mail FROM customers", frames={"customers": customers}, email="mail")
    assert made.consent.lost
    assert "Consent not known" in repr(ci.preview(made))
    assert "Consent not known" in repr(planned(made))
    assert code(made) == "consent_not_used"
    export(made, ignore_consent=True)
    assert emulator.members("S") == hashes(0, 1)


def test_frame_without_consent_is_reported_as_unknown(emulator: RunningEmulator) -> None:
    made = ci.segment("S", people(2))
    for shown in (made, ci.preview(made), planned(made), export(made)):
        assert "Consent not known" in repr(shown)
    assert emulator.members("S") == hashes(0, 1)


def test_one_refusal_refuses_in_combined_segments(emulator: RunningEmulator) -> None:
    ci.segment("big", people(4, OptIn=["Y", "Y", "N", None]))
    ci.segment("lapsed", people(4, Consent=["yes", "no", "yes", "yes"]))
    ci.segment("bare", people(4))
    both = ci.segment("both", rule="'big' and 'lapsed'")
    assert (both.consent.consented, both.consent.refused) == (2, 2)
    assert ci.segment("some", rule="'bare' and 'big'").consent.consented == 2
    assert code(both) == "consent_not_used"
    export(both, consent="OptIn")
    assert emulator.members("both") == hashes(0, 3)
    assert not ci.segment("none", rule="'bare'").consent.known


def test_unknown_consent_column_is_refused() -> None:
    with pytest.raises(SegmentError, match=r"There is no column 'OptInn'\. Did you mean 'OptIn'"):
        ci.segment("S", people(2, OptIn=["Y", "N"]), consent="OptInn")
    with pytest.raises(SegmentError, match="Name the column: consent=COLUMN"):
        ci.segment("S", people(2), consent_yes="A")
    ci.segment("S", people(2, OptIn=["Y", "N"]))
    with pytest.raises(SegmentError, match="were not read from a column 'Consent'"):
        export("S", consent="Consent")


def test_early_snapshot_with_consent_columns_is_read(emulator: RunningEmulator, workspace: Workspace) -> None:
    made = ci.segment("S", people(4, OptIn=["Y", "N", None, "Y"]))
    table = workspace.snapshots.read(made.id)
    early = table.drop_columns(["consent_state"]).append_column("OptIn", [[True, False, None, True]])
    workspace.snapshots.write(made.id, early)
    consent = {"columns": ["OptIn"], "in_old_form": True}
    workspace.segments.change(lambda record: type(record)(**{**vars(record), "consent": consent}), name="S")
    assert code("S") == "consent_not_used"
    assert ci.preview("S").segments[0].reasons["refused"] == 1
    assert ci.segment("T", rule="'S'").consent.refused == 1
    export("S", consent="OptIn")
    export("T", consent="OptIn")
    assert emulator.members("S") == emulator.members("T") == hashes(0, 3)


def test_hundred_thousand_profiles_are_counted_correctly() -> None:
    answers = np.array(["Y", "N", "", "pending"], dtype=object)
    made = ci.segment("S", people(200_000, OptIn=answers[np.arange(200_000) % 4]))
    assert (made.consent.consented, made.consent.refused, made.consent.unknown) == (50_000, 50_000, 100_000)
